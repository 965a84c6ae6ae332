//! Cached hit behind AutoPath: a pod's first search name, answered from memory.

use super::{COST, Row};
use crate::bench::Bench;
use crate::goals::{Figure, Goal, Reach};
use crate::load::cost_of_answers;
use crate::load::dnsperf::{Load, probe, warm};
use crate::peers::Shape;
use crate::record::Record;
use crate::seat::{Wish, take_all};

/// The pod that asks.
pub(super) const POD: &str = "127.0.0.9";
/// Its line in nearpath's table.
pub(super) const TABLE: &str =
    "shop/cart-0 127.0.0.9 search shop.svc.cluster.local svc.cluster.local cluster.local ndots 5\n";

pub(super) const ROW: Row = Row {
    name: "autopath",
    title: "Cached hit behind AutoPath",
    about: "A pod asks for `hostN.example.shop.svc.cluster.local` and gets a CNAME and the address of `hostN.example`, beside \
            the same server asked for `hostN.example` itself.",
    columns: COST,
    compared: None,
    goals: &[
        Goal {
            says: "AutoPath hit, all CPU, to a plain hit",
            figure: Figure::Ratio { column: "all", of: "nearpath, AutoPath", to: "nearpath" },
            reach: Reach::AtMost(1.05),
        },
        Goal {
            says: "AutoPath hit, all CPU, nearpath to CoreDNS",
            figure: Figure::Ratio { column: "all", of: "nearpath, AutoPath", to: "coredns, AutoPath" },
            reach: Reach::AtMost(0.125),
        },
    ],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> anyhow::Result<()> {
    let shape = Shape::AutoPath { pods: TABLE.to_owned(), cut: None };
    let found = bench.cast(|peer| peer.talents.autopath);
    for found in found.iter().filter(|found| !found.peer.but.is_empty()) {
        record.note(found.peer.but);
    }
    let wishes = found.iter().map(|found| Wish::plain(bench, found).shaped(shape.clone()));
    let mut seats = take_all(bench, record, wishes);
    for round in 1..=bench.options.rounds() {
        for seat in &mut seats {
            record.measure(round, &seat.label(), || {
                seat.revive(bench)?;
                probe(seat, "127.0.0.1", "host1.example")?;
                let load = Load::hits(bench, seat);
                warm(bench, &load)?;
                cost_of_answers(seat, || load.run(bench))
            });
            record.measure(round, &format!("{}, AutoPath", seat.label()), || {
                seat.revive(bench)?;
                let reply = probe(seat, POD, "host1.example.shop.svc.cluster.local")?;
                anyhow::ensure!(reply.answers == 2, "a wrong answer: no CNAME with its address");
                let load = Load { from: POD, queries: bench.walked_names(), ..Load::hits(bench, seat) };
                warm(bench, &load)?;
                cost_of_answers(seat, || load.run(bench))
            });
        }
    }
    Ok(())
}
