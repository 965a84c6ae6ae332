//! Memory: what a server holds that nobody asks, and what names cost it.

use std::time::Duration;

use anyhow::Result;

use super::{Column, Row};
use crate::bench::{Bench, write_queries};
use crate::goals::{Figure, Goal, Reach};
use crate::load::dnsperf::{Load, warm};
use crate::message::Client;
use crate::proc::Memory;
use crate::record::{Record, Values};
use crate::seat::{Seat, Wish};

/// Names of the small fill.
const SOME: usize = 10_000;
/// Names of the large fill, and of a quick run's.
const MANY: (usize, usize) = (1_000_000, 100_000);
/// Before memory is read a server may tidy up for this long.
const SETTLE: Duration = Duration::from_millis(2_200);
/// Names that are asked for again to see whether they are still in memory.
const SAMPLE: usize = 500;
/// The TTL of all names at the authority, seconds: a lower one in a reply tells that it was memorised before.
const TTL: u32 = 3_600;
/// Octets of a megabyte.
const MB: f64 = 1e6;

pub(super) const ROW: Row = Row {
    name: "memory",
    title: "Memory",
    about: "Resident memory (VmRSS; Pss is as good as the same here) before anybody asks, with 10,000 names in memory, and \
            with 1,000,000 in caches that are large enough. Octets per name: what the large fill added to an idle server, \
            by the names that it still had.",
    columns: &[
        Column { key: "idle", head: "idle, MB", decimals: 1 },
        Column { key: "some", head: "10,000 names, MB", decimals: 1 },
        Column { key: "many", head: "1,000,000 names, MB", decimals: 1 },
        Column { key: "many_pss", head: "the same, Pss, MB", decimals: 1 },
        Column { key: "kept", head: "of these kept, %", decimals: 0 },
        Column { key: "per_name", head: "octets per name", decimals: 0 },
    ],
    compared: None,
    goals: &[
        Goal {
            says: "memory idle, MB",
            figure: Figure::Value { column: "idle", of: "nearpath" },
            reach: Reach::AtMost(12.0),
        },
        Goal {
            says: "memory with 10,000 names, MB",
            figure: Figure::Value { column: "some", of: "nearpath" },
            reach: Reach::AtMost(20.0),
        },
        Goal {
            says: "memory, octets per cached A record",
            figure: Figure::Value { column: "per_name", of: "nearpath" },
            reach: Reach::AtMost(400.0),
        },
    ],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> Result<()> {
    let many = bench.options.pick(MANY.0, MANY.1);
    if many != MANY.0 {
        record.note("A quick run, one round unless told otherwise: 100,000 names in the place of 1,000,000.");
    }
    record.note("A name is kept if its TTL has gone down when it is asked for again (500 of them, evenly spread).");
    let queries = bench.directory().join("memory");
    write_queries(&queries, "m", many, ".example")?;
    let few = bench.directory().join("memory-few");
    write_queries(&few, "m", SOME, ".example")?;
    let caches = ["knot-resolver", "dnsdist"];
    for found in bench.cast(|peer| caches.contains(&peer.name)) {
        record.note(found.peer.but);
    }
    for round in 1..=bench.options.rounds_of_slow_rows() {
        for found in bench.cast(|peer| peer.talents.forwards) {
            record.measure(round, found.peer.name, || {
                let mut values = Values::new();
                let seat = Seat::take(bench, Wish::plain(bench, &found))?;
                let idle = settled(&seat)?;
                values.insert("idle", idle.resident / MB);
                warm(bench, &Load { queries: few.clone(), ..Load::hits(bench, &seat) })?;
                values.insert("some", settled(&seat)?.resident / MB);
                drop(seat);
                let seat = Seat::take(bench, Wish { names: many, ..Wish::plain(bench, &found) })?;
                warm(bench, &Load { queries: queries.clone(), ..Load::hits(bench, &seat) })?;
                let full = settled(&seat)?;
                let kept = share_kept(&seat, many)?;
                values.insert("many", full.resident / MB);
                values.insert("many_pss", full.proportional / MB);
                values.insert("kept", kept * 100.0);
                values.insert("per_name", (full.resident - idle.resident) / (kept * many as f64));
                Ok(values)
            });
        }
    }
    Ok(())
}

fn settled(seat: &Seat) -> Result<Memory> {
    std::thread::sleep(SETTLE);
    Memory::of(seat.child.id())
}

/// The share of the names that were memorised before.
fn share_kept(seat: &Seat, names: usize) -> Result<f64> {
    let mut client = Client::new([127, 0, 0, 1].into(), seat.setup.port, Duration::from_secs(4))?;
    let mut kept = 0;
    for number in 0..SAMPLE {
        let reply = client.ask(&format!("m{}.example", number * (names / SAMPLE) + 1))?.expect_noerror()?;
        kept += usize::from(reply.ttl.is_some_and(|ttl| ttl < TTL));
    }
    anyhow::ensure!(kept > 0, "no name was kept");
    Ok(kept as f64 / SAMPLE as f64)
}
