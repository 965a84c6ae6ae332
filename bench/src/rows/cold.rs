//! Cold AutoPath: how long a pod waits for a name that nobody asked for before, with the upstream 20 ms away.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::autopath::{POD, TABLE};
use super::{Column, Row};
use crate::authority::SERVICES;
use crate::bench::Bench;
use crate::goals::{Figure, Goal, Reach};
use crate::message::Client;
use crate::peers::Shape;
use crate::record::{Record, Values};
use crate::relay::Relay;
use crate::seat::{Seat, Wish, take_all};
use crate::spread::quantile;

/// The way to the upstream and back.
const ROUND_TRIP: Duration = Duration::from_millis(20);
/// A look-up that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(4);
/// Numbers that one measurement may use: no name is asked for twice.
const NUMBERS: usize = 40;
/// Round trips that may be told as one fewer because they are not quite whole; the rest is the server's own time.
const SLACK: f64 = 0.3;

pub(super) const ROW: Row = Row {
    name: "cold",
    title: "Cold AutoPath, upstream 20 ms away",
    about: "A pod's first question for a name, in round trips to the upstream (time divided by 20 ms; median of the names of \
            a round). Outside: a name below a top-level label that is new too. Known: the third name below that label, of \
            which the second one has taught the proofs. Service: a service of the pod's own namespace.",
    columns: &[
        Column { key: "outside", head: "outside", decimals: 2 },
        Column { key: "known", head: "known", decimals: 2 },
        Column { key: "service", head: "service", decimals: 2 },
    ],
    compared: None,
    goals: &[
        Goal {
            says: "cold AutoPath, outside name, round trips",
            figure: Figure::Value { column: "outside", of: "nearpath" },
            reach: Reach::AtMost(2.0 + SLACK),
        },
        Goal {
            says: "cold AutoPath, proofs known, round trips",
            figure: Figure::Value { column: "known", of: "nearpath" },
            reach: Reach::AtMost(1.0 + SLACK),
        },
        Goal {
            says: "cold AutoPath, own service, round trips",
            figure: Figure::Value { column: "service", of: "nearpath" },
            reach: Reach::AtMost(1.0 + SLACK),
        },
    ],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> Result<()> {
    let relay = Relay::start(bench.directory(), &bench.cores.load, bench.authority.port, ROUND_TRIP / 2)?;
    let shape = Shape::AutoPath { pods: TABLE.to_owned(), cut: None };
    let wishes = bench.cast(|peer| peer.talents.autopath).into_iter().map(|found| {
        let wish = Wish::plain(bench, &found).shaped(shape.clone());
        Wish { upstream: relay.port, ..wish }
    });
    let mut seats = take_all(bench, record, wishes);
    let per_round = bench.options.pick(20, 10);
    let mut next = 0;
    record.note(format!(
        "{per_round} names of each kind in a round; a tenth above a whole number of round trips is the relay's and the \
         server's own time, and up to {SLACK} above it counts as reached."
    ));
    record.interleave(bench, &mut seats, |seat, _| {
        next += 1;
        // Connections that idled out are opened again before the clock runs.
        lookups(seat, next * NUMBERS, 3)?;
        lookups(seat, next * NUMBERS + 3, per_round)
    });
    Ok(())
}

fn lookups(seat: &Seat, first: usize, count: usize) -> Result<Values> {
    let mut client = Client::new(POD.parse()?, seat.setup.port, PATIENCE)?;
    let mut trips = |name: String| -> Result<f64> {
        let begun = Instant::now();
        let reply = client.ask(&format!("{name}.shop.svc.cluster.local"))?.expect_noerror()?;
        anyhow::ensure!(reply.answers > 0, "a wrong answer: {name} without records");
        Ok(begun.elapsed().as_secs_f64() / ROUND_TRIP.as_secs_f64())
    };
    let (mut outside, mut known, mut service) = (Vec::new(), Vec::new(), Vec::new());
    for number in first..first + count {
        outside.push(trips(format!("www.top{number}"))?);
        trips(format!("ftp.top{number}"))?; // a label that is asked for twice is worth a proof
        std::thread::sleep(ROUND_TRIP * 2); // which is fetched beside the questions
        known.push(trips(format!("mail.top{number}"))?);
        service.push(trips(format!("svc{}", number % SERVICES + 1))?);
    }
    let median = |figures: &mut Vec<f64>| quantile(figures, 0.5).context("no names");
    Ok(Values::from([
        ("outside", median(&mut outside)?),
        ("known", median(&mut known)?),
        ("service", median(&mut service)?),
    ]))
}
