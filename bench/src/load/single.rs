//! One question outstanding: ask, wait for the answer, ask the next.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::message::Client;
use crate::record::Values;
use crate::seat::Seat;
use crate::spread::quantile;

/// Names that are asked for in turn.
const NAMES: usize = 100;
/// A question that is not answered after this is lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks for `seconds`: `median` and `p99` in µs.
pub(crate) fn run(seat: &Seat, seconds: f64) -> Result<Values> {
    let mut client = Client::new(Ipv4Addr::LOCALHOST, seat.setup.port, PATIENCE)?;
    let names: Vec<_> = (1..=NAMES).map(|number| format!("host{number}.example")).collect();
    for name in &names {
        client.ask(name)?.expect_noerror()?;
    }
    let mut times = Vec::new();
    let begun = Instant::now();
    for name in names.iter().cycle() {
        let asked = Instant::now();
        let reply = client.ask(name)?;
        times.push(asked.elapsed().as_secs_f64() * 1e6);
        reply.expect_noerror()?;
        if begun.elapsed().as_secs_f64() > seconds {
            break;
        }
    }
    let mut at = |share| quantile(&mut times, share).context("no answers");
    Ok(Values::from([("median", at(0.5)?), ("p99", at(0.99)?)]))
}
