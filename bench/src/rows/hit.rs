//! Cached hit: what a question whose answer is in memory costs.

use super::{COST, Compared, Row};
use crate::bench::Bench;
use crate::goals::{Figure, Goal, Reach};
use crate::load::cost_of_answers;
use crate::load::dnsperf::{Load, probe, warm};
use crate::record::Record;
use crate::seat::{Wish, take_all};

pub(super) const ROW: Row = Row {
    name: "hit",
    title: "Cached hit",
    about: "2,000 names, all in memory, asked over UDP by 8 clients with 100 questions outstanding. CPU time of the server \
            by answered question.",
    columns: COST,
    compared: Some(Compared { column: "all", to: "nearpath" }),
    goals: &[
        Goal {
            says: "cached hit, user CPU, nearpath to Unbound",
            figure: Figure::Ratio { column: "user", of: "nearpath", to: "unbound" },
            reach: Reach::AtMost(0.5),
        },
        Goal {
            says: "cached hit, all CPU, nearpath to the echo",
            figure: Figure::Ratio { column: "all", of: "nearpath", to: "echo" },
            reach: Reach::AtMost(1.25),
        },
        Goal {
            says: "cached hit, all CPU, nearpath to the best peer",
            figure: Figure::ToBest { column: "all", of: "nearpath", not: &["echo"], higher: false },
            reach: Reach::Below(1.0),
        },
        Goal {
            says: "cached hit, all CPU, nearpath to CoreDNS",
            figure: Figure::Ratio { column: "all", of: "nearpath", to: "coredns" },
            reach: Reach::AtMost(0.25),
        },
    ],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> anyhow::Result<()> {
    let wishes = bench.cast(|_| true);
    let mut seats = take_all(bench, record, wishes.iter().map(|found| Wish::plain(bench, found)));
    record.note("The rate is that of the load's core, which asks; servers are compared by CPU time.");
    record.interleave(bench, &mut seats, |seat, _| {
        if seat.wish.found.peer.talents.forwards {
            probe(seat, "127.0.0.1", "host1.example")?;
        }
        let load = Load::hits(bench, seat);
        warm(bench, &load)?;
        cost_of_answers(seat, || load.run(bench))
    });
    Ok(())
}
