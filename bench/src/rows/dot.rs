//! Cached hits over TLS.

use super::{COST, Compared, Row};
use crate::bench::Bench;
use crate::certificate::Certificate;
use crate::load::cost_of_answers;
use crate::load::dnsperf::{Load, warm};
use crate::record::Record;
use crate::seat::{Wish, take_all};

pub(super) const ROW: Row = Row {
    name: "dot",
    title: "DoT hits",
    about: "Names in memory, asked over TLS by 8 clients, each with one connection that stays, with 100 questions outstanding \
            together. CPU time of the server by answer.",
    columns: COST,
    compared: Some(Compared { column: "all", to: "nearpath" }),
    goals: &[],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> anyhow::Result<()> {
    let certificate = Certificate::make(bench.directory())?;
    let found = bench.cast(|peer| peer.talents.serves_tls);
    let wishes = found.iter().map(|found| Wish { certificate: Some(certificate.clone()), ..Wish::plain(bench, found) });
    let mut seats = take_all(bench, record, wishes);
    record
        .note("dnsmasq and PowerDNS Recursor serve no TLS. All show one certificate (ECDSA P-256), made for the run.");
    record.interleave(bench, &mut seats, |seat, _| {
        let load = Load { mode: "dot", port: seat.setup.tls_port, ..Load::hits(bench, seat) };
        warm(bench, &load)?;
        cost_of_answers(seat, || load.run(bench))
    });
    Ok(())
}
