//! One question outstanding: how long a pod waits for an answer that is in memory.

use super::{Column, Compared, Row};
use crate::bench::Bench;
use crate::goals::{Figure, Goal, Reach};
use crate::load::single;
use crate::record::Record;
use crate::seat::{Wish, take_all};

pub(super) const ROW: Row = Row {
    name: "single",
    title: "One question outstanding",
    about: "One client that asks, waits for the answer and asks again, over UDP, for names in memory. Wall time of each \
            answer, seen by the client; both sides sleep between.",
    columns: &[
        Column { key: "median", head: "median, µs", decimals: 1 },
        Column { key: "p99", head: "99th percentile, µs", decimals: 1 },
    ],
    compared: Some(Compared { column: "median", to: "nearpath" }),
    goals: &[Goal {
        says: "one question outstanding, time, nearpath to the echo",
        figure: Figure::Ratio { column: "median", of: "nearpath", to: "echo" },
        reach: Reach::AtMost(1.1),
    }],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> anyhow::Result<()> {
    let found = bench.cast(|_| true);
    let mut seats = take_all(bench, record, found.iter().map(|found| Wish::plain(bench, found)));
    record.note("Wall time: it depends on the machine's timers and on who else uses it.");
    record.interleave(bench, &mut seats, |seat, _| single::run(seat, bench.seconds()));
    Ok(())
}
