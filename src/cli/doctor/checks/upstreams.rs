//! `upstreams`: each one answers, asked over UDP and over TCP by a resolver that is not ours.

use std::net::SocketAddr;

use futures_util::future::{join, join_all};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;

use super::super::ask::Over;
use super::super::patient::Patient;
use super::super::second::{self, Opinion};
use super::super::upstreams::{By, Upstream};
use super::super::verdict::Finding;
use super::{dig, listed};

/// Upstreams that are asked.
const ASKED_MAX: usize = 32;

/// Asks everybody.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let asked = everybody(patient).into_iter().take(ASKED_MAX).map(|upstream| async move {
        let (udp, tcp) = join(
            second::ask(upstream.address, Over::Udp, &upstream.zone, RecordType::NS),
            second::ask(upstream.address, Over::Tcp, &upstream.zone, RecordType::NS),
        )
        .await;
        (upstream, udp, tcp)
    });
    let asked = join_all(asked).await;
    let well =
        Finding::ok(format!("{} answer over UDP and TCP", listed(asked.iter().map(|(upstream, ..)| upstream.address))));
    if asked.is_empty() {
        return Finding::skip("the Corefile names nobody by address, and the daemon tells of nobody");
    }
    let bad = asked.iter().filter_map(|(upstream, udp, tcp)| judge(upstream, udp, tcp));
    Finding::worst(bad.chain([well]), "")
}

/// Whom the Corefile names, and whom the daemon tells of: the endpoints of Services.
pub(super) fn everybody(patient: &Patient) -> Vec<Upstream> {
    let mut all: Vec<Upstream> = patient.others().cloned().collect();
    let told = patient.overview.as_ref().map_or(&[][..], |overview| &overview.upstreams);
    for state in told.iter().filter(|state| state.protocol != "tls") {
        let Ok(address) = state.address.parse::<SocketAddr>() else { continue };
        if all.iter().any(|known| known.address == address) || patient.is_us(address) {
            continue;
        }
        let zone = state.zones.split([' ', ',']).next().filter(|zone| !zone.is_empty()).unwrap_or(".");
        all.push(Upstream {
            address,
            directive: state.plugin.clone(),
            zone: zone.to_owned(),
            by: if state.protocol == "udp" { By::Udp } else { By::Tcp },
            has_rate: true,
            file: None,
        });
    }
    all
}

fn judge(upstream: &Upstream, udp: &Result<Opinion, String>, tcp: &Result<Opinion, String>) -> Option<Finding> {
    let at = upstream.address;
    let (ip, port) = (at.ip(), at.port());
    let silent = |over: &str, why: &str| format!("{at} does not answer over {over} ({why})");
    match (udp, tcp) {
        (Err(why), Err(other)) => Some(Finding::fail(
            format!("{}, nor over TCP ({other})", silent("UDP", why)),
            format!("is it there, and is there a way? ip route get {ip}; kubectl -n kube-system get pods -o wide"),
        )),
        (Ok(_), Err(why)) if upstream.by == By::Udp => Some(Finding::warn(
            format!("{}: answers that do not fit into a datagram are lost", silent("TCP", why)),
            format!("let TCP to port {port} through: nft list ruleset; the network's own filter; {} +tcp", dig(at)),
        )),
        (Ok(_), Err(why)) => Some(Finding::fail(
            silent("TCP", why),
            format!("let TCP to port {port} through: nft list ruleset; the network's own filter; {} +tcp", dig(at)),
        )),
        (Err(why), Ok(_)) => {
            let reason = silent("UDP", why);
            let mend = format!(
                "let UDP to port {port} through, for the failsafe sends datagrams there too: nft list ruleset; {}",
                dig(at)
            );
            Some(if upstream.by == By::Tcp { Finding::warn(reason, mend) } else { Finding::fail(reason, mend) })
        }
        (Ok(udp), Ok(tcp)) => {
            let failing = [udp, tcp]
                .into_iter()
                .find(|said| !matches!(said.rcode, ResponseCode::NoError | ResponseCode::NXDomain))?;
            Some(Finding::warn(
                format!("{at} says {} to a question for {} NS", failing.rcode, upstream.zone),
                format!("is it the right server for that zone? {} {} NS", dig(at), upstream.zone),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::State;
    use super::*;

    #[test]
    fn each_way_counts_as_it_is_used() {
        let upstream = |by| Upstream {
            address: "10.0.0.1:5300".parse().unwrap(),
            directive: "forward".to_owned(),
            zone: ".".to_owned(),
            by,
            has_rate: false,
            file: None,
        };
        let well = || Ok(Opinion { rcode: ResponseCode::NoError, records: Vec::new() });
        let refused = || Ok(Opinion { rcode: ResponseCode::Refused, records: Vec::new() });
        let silent = || Err("no reply".to_owned());
        for (by, udp, tcp, state) in [
            (By::Either, well(), well(), None),
            (By::Either, silent(), silent(), Some(State::Fail)),
            (By::Either, well(), silent(), Some(State::Fail)),
            (By::Udp, well(), silent(), Some(State::Warn)),
            (By::Tcp, silent(), well(), Some(State::Warn)),
            (By::Either, silent(), well(), Some(State::Fail)),
            (By::Either, refused(), well(), Some(State::Warn)),
        ] {
            let found = judge(&upstream(by), &udp, &tcp);
            let mends: Vec<&String> = found.iter().flat_map(|finding| &finding.mend).collect();
            let is_of_both = udp.is_err() && tcp.is_err();
            assert!(is_of_both || mends.iter().all(|mend| mend.contains("dig -p 5300 @10.0.0.1")), "{mends:?}");
            assert_eq!(found.map(|finding| finding.state), state, "{by:?} {udp:?} {tcp:?}");
        }
    }
}
