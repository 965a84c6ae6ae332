//! A burst of 500 datagrams on one socket, as an application sends it that looks up many names at once.

use super::{Column, Row};
use crate::bench::Bench;
use crate::goals::{Figure, Goal, Reach};
use crate::load::burst::{DATAGRAMS, lost};
use crate::load::dnsperf::{Load, warm};
use crate::record::{Record, Values};
use crate::seat::{Wish, take_all};

pub(super) const ROW: Row = Row {
    name: "burst",
    title: "Burst of 500 datagrams on one socket",
    about: "500 questions whose answers are in memory, sent at once from one socket: how many are not answered. Running: \
            the server has its core to itself. Held: another process has the core while the burst comes (the server is \
            stopped for that moment), so that all must find room in the receive buffer that the server took.",
    columns: &[
        Column { key: "running", head: "lost, running", decimals: 0 },
        Column { key: "held", head: "lost, held", decimals: 0 },
    ],
    compared: None,
    goals: &[
        Goal {
            says: "burst of 500, questions lost, running",
            figure: Figure::Value { column: "running", of: "nearpath" },
            reach: Reach::AtMost(0.0),
        },
        Goal {
            says: "burst of 500, questions lost, held",
            figure: Figure::Value { column: "held", of: "nearpath" },
            reach: Reach::AtMost(0.0),
        },
    ],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> anyhow::Result<()> {
    let found = bench.cast(|_| true);
    let mut seats = take_all(bench, record, found.iter().map(|found| Wish::plain(bench, found)));
    record.note(format!("Of {DATAGRAMS}. The kernel's bound here (net.core.rmem_max) is {} octets.", kernel_bound()));
    record.interleave(bench, &mut seats, |seat, _| {
        warm(bench, &Load::hits(bench, seat))?;
        Ok(Values::from([("running", lost(seat, false)?), ("held", lost(seat, true)?)]))
    });
    Ok(())
}

fn kernel_bound() -> String {
    let text = std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap_or_default();
    text.trim().parse().map_or_else(|_| "unknown".to_owned(), |octets: f64| crate::spread::grouped(octets, 0))
}
