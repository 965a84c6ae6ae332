//! Cached hit with the directives of NodeLocal DNSCache's own Corefile.

use super::{COST, Row};
use crate::bench::Bench;
use crate::goals::{Figure, Goal, Reach};
use crate::load::cost_of_answers;
use crate::load::dnsperf::{Load, probe, warm};
use crate::peers::Shape;
use crate::record::Record;
use crate::seat::{Wish, take_all};

pub(super) const ROW: Row = Row {
    name: "stock",
    title: "Cached hit with the stock directives",
    about: "As the row before, with the directives that NodeLocal DNSCache ships (errors, reload, loop, prometheus, bind, \
            cache, forward over TCP), beside the same server with bind, cache and forward alone.",
    columns: COST,
    compared: None,
    goals: &[
        Goal {
            says: "stock directives, all CPU, to without them",
            figure: Figure::Ratio { column: "all", of: "nearpath, stock", to: "nearpath" },
            reach: Reach::AtMost(1.05),
        },
        Goal {
            says: "stock directives, all CPU, nearpath to CoreDNS",
            figure: Figure::Ratio { column: "all", of: "nearpath, stock", to: "coredns, stock" },
            reach: Reach::AtMost(0.25),
        },
    ],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> anyhow::Result<()> {
    let mut wishes = Vec::new();
    for found in bench.cast(|peer| peer.talents.corefile) {
        let plain = Wish::plain(bench, &found);
        let stock = plain.clone().shaped(Shape::Stock).called(format!("{}, stock", plain.label));
        wishes.extend([plain, stock]);
    }
    let mut seats = take_all(bench, record, wishes);
    record.interleave(bench, &mut seats, |seat, _| {
        probe(seat, "127.0.0.1", "host1.example")?;
        let load = Load::hits(bench, seat);
        warm(bench, &load)?;
        cost_of_answers(seat, || load.run(bench))
    });
    Ok(())
}
