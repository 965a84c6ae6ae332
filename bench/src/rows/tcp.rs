//! Cached hits over one long TCP connection.

use super::{COST, Compared, Row};
use crate::bench::Bench;
use crate::load::cost_of_answers;
use crate::load::dnsperf::{Load, probe, warm};
use crate::load::stream;
use crate::record::Record;
use crate::seat::{Wish, take_all};

pub(super) const ROW: Row = Row {
    name: "tcp",
    title: "TCP hits on one long connection",
    about: "Names in memory, asked on one TCP connection with 100 questions outstanding. CPU time of the server by answer.",
    columns: COST,
    compared: Some(Compared { column: "all", to: "nearpath" }),
    goals: &[],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> anyhow::Result<()> {
    let found = bench.cast(|peer| peer.talents.keeps_tcp);
    let mut seats = take_all(bench, record, found.iter().map(|found| Wish::plain(bench, found)));
    record.note("dnsmasq ends a TCP connection after 100 questions and is not in this row.");
    record.interleave(bench, &mut seats, |seat, _| {
        probe(seat, "127.0.0.1", "host1.example")?;
        warm(bench, &Load::hits(bench, seat))?;
        cost_of_answers(seat, || stream::run(seat.setup.port, bench.seconds()))
    });
    Ok(())
}
