//! `loop`: no upstream is ourselves.

use super::super::patient::Patient;
use super::super::upstreams::Upstream;
use super::super::verdict::Finding;

/// Compares whom we ask with where we serve.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    if patient.endpoints.is_empty() {
        return Finding::skip("where it serves is not known: see `corefile`");
    }
    let leads_back = |upstream: &&Upstream| patient.is_us(upstream.address);
    let bad = patient.upstreams.iter().filter(leads_back).map(|upstream| judge(upstream, patient));
    Finding::worst(bad.chain([Finding::ok("nobody who is asked is ourselves")]), "")
}

fn judge(upstream: &Upstream, patient: &Patient) -> Finding {
    let at = upstream.address;
    match &upstream.file {
        Some(file) => Finding::fail(
            format!("{file} names {at}, which is ourselves, and `{}` asks whom it names", upstream.directive),
            format!("write the address of the network's resolver in the Corefile in place of {file}"),
        ),
        None => Finding::fail(
            format!("`{}` asks {at}, which is ourselves", upstream.directive),
            format!("write another address in {}", patient.text.as_ref().map_or("the Corefile", |text| &text.name)),
        ),
    }
}
