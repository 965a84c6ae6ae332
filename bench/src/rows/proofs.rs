//! Questions for proofs: what the central servers are asked so that AutoPath knows which names are not in the cluster.

use std::time::Duration;

use anyhow::Result;

use super::{Column, Row};
use crate::authority::{Authority, NAMESPACES};
use crate::bench::Bench;
use crate::goals::{Figure, Goal, Reach};
use crate::load::pods::Pods;
use crate::peers::{Shape, knows_the_cut};
use crate::record::{Record, Values};
use crate::relay::Relay;
use crate::seat::{Seat, Wish};

/// Denials of the cluster zone live so long, seconds, as CoreDNS's `kubernetes` plugin says.
const NEGATIVE_LIFE: u32 = 5;
/// A pod asks for each name so often: just after the denials have ended.
const PASS: Duration = Duration::from_millis(5_200);
/// What is counted: questions to the centre in this time.
const MINUTE: Duration = Duration::from_secs(60);

pub(super) const ROW: Row = Row {
    name: "proofs",
    title: "Questions to the centre for proofs",
    about: "Pods of 20 namespaces ask for 1,000 outside names (five top-level labels) over and over, each name every 5.2 s; \
            denials of the cluster zone live 5 s. Questions below the cluster zone that come to the centre within a minute: \
            the first one, and the one after it. With the cut (RFC 8020) one proof holds for all names below a top-level \
            label.",
    columns: &[
        Column { key: "first", head: "first minute", decimals: 0 },
        Column { key: "later", head: "later minute", decimals: 0 },
    ],
    compared: None,
    goals: &[
        Goal {
            says: "proofs, first minute, with the cut to without",
            figure: Figure::Ratio { column: "first", of: "cut", to: "no cut" },
            reach: Reach::AtMost(0.1),
        },
        Goal {
            says: "proofs, later minute, with the cut to without",
            figure: Figure::Ratio { column: "later", of: "cut", to: "no cut" },
            reach: Reach::AtMost(0.01),
        },
    ],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> Result<()> {
    let found = bench.cast(|peer| peer.name == "nearpath");
    let Some(found) = found.first() else { return Ok(()) };
    let centre = Authority::start(bench.directory(), &bench.cores.load, NEGATIVE_LIFE)?;
    let all = u8::try_from(NAMESPACES).expect("as many pods as addresses");
    let pods = Pods { namespaces: bench.options.pick(all, all / 2), names: bench.options.pick(1_000, 200), pass: PASS };
    let window = bench.options.pick(MINUTE, MINUTE / 4);
    if bench.options.quick {
        record.note("A quick run, one round unless told otherwise: 10 namespaces, 200 names and 15 s in the place of each minute, told as questions a minute. The first expansions weigh more in it.");
    }
    let cuts: &[(&str, Option<bool>)] = if knows_the_cut(&found.program, bench.directory())? {
        &[("no cut", Some(false)), ("cut", None)]
    } else {
        record.note("This build of nearpath has no `nxdomain_cut`: what is measured is without the cut.");
        &[("no cut", None)]
    };
    for round in 1..=bench.options.rounds_of_slow_rows() {
        for (label, cut) in cuts {
            record.measure(round, label, || {
                let mut relay = Relay::start(bench.directory(), &bench.cores.load, centre.port, Duration::ZERO)?;
                let wish = Wish::plain(bench, found).shaped(Shape::AutoPath { pods: pods.table(), cut: *cut });
                let seat = Seat::take(bench, Wish { upstream: relay.port, names: 50_000, ..wish })?;
                let mut minute = || -> Result<f64> {
                    let before = relay.questions()?.cluster;
                    pods.ask(seat.setup.port, window)?;
                    let came = (relay.questions()?.cluster - before) as f64;
                    Ok(came * MINUTE.as_secs_f64() / window.as_secs_f64())
                };
                Ok(Values::from([("first", minute()?), ("later", minute()?)]))
            });
        }
    }
    Ok(())
}
