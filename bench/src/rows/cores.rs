//! Two cores against one: whether a second thread costs the first one anything.

use super::{COST, Row};
use crate::bench::Bench;
use crate::goals::{Figure, Goal, Reach};
use crate::load::cost_of_answers;
use crate::load::dnsperf::{Load, warm};
use crate::record::Record;
use crate::seat::{Wish, take_all};

/// Clients: enough that the kernel spreads them evenly over the threads' sockets.
const CLIENTS: usize = 32;

pub(super) const ROW: Row = Row {
    name: "cores",
    title: "Two cores against one",
    about: "Cached hits with one thread on core 0, and with two threads on cores 0 and 1. The load is on core 1 each time, so \
            the rate says nothing; two threads that do not get in each other's way cost the same CPU by answer.",
    columns: COST,
    compared: None,
    goals: &[Goal {
        says: "two cores, all CPU, to one core",
        figure: Figure::Ratio { column: "all", of: "nearpath, 2 threads", to: "nearpath, 1 thread" },
        reach: Reach::AtMost(1.1),
    }],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> anyhow::Result<()> {
    let mut wishes = Vec::new();
    for found in bench.cast(|peer| matches!(peer.name, "nearpath" | "unbound")) {
        let plain = Wish::plain(bench, &found);
        let one = plain.clone().called(format!("{}, 1 thread", found.peer.name));
        let two = Wish { threads: 2, ..plain }.called(format!("{}, 2 threads", found.peer.name));
        wishes.extend([one, two]);
    }
    let mut seats = take_all(bench, record, wishes);
    record.interleave(bench, &mut seats, |seat, _| {
        let load = Load { clients: CLIENTS, ..Load::hits(bench, seat) };
        warm(bench, &load)?;
        cost_of_answers(seat, || load.run(bench))
    });
    Ok(())
}
