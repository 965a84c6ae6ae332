//! Loads: dnsperf where it can, generators of ours where it cannot. All run on the load's core.

pub(crate) mod burst;
pub(crate) mod dnsperf;
pub(crate) mod pods;
pub(crate) mod single;
pub(crate) mod stream;

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::proc::CpuTime;
use crate::record::Values;
use crate::seat::Seat;

/// Answers below which CPU time, told in ticks of 10 ms, says nothing.
const ANSWERS_MIN: u64 = 500;

/// What a server took for each answer while `load` ran: `user`, `system`, `all` in µs, `rate` in answers per second, and
/// `per_cpu_second` in answers per second of CPU.
pub(crate) fn cost_of_answers(seat: &Seat, load: impl FnOnce() -> Result<u64>) -> Result<Values> {
    let (before, begun) = (CpuTime::of(seat.child.id())?, Instant::now());
    let answers = load()?;
    let (spent, lasted) = (CpuTime::of(seat.child.id())? - before, begun.elapsed().as_secs_f64());
    ensure!(answers >= ANSWERS_MIN, "only {answers} answers");
    ensure!(spent.all() > 0.0, "no CPU time seen");
    Ok(per_answer(spent, answers as f64, lasted))
}

fn per_answer(spent: CpuTime, answers: f64, lasted: f64) -> Values {
    let micros = |seconds: f64| seconds * 1e6 / answers;
    Values::from([
        ("user", micros(spent.user)),
        ("system", micros(spent.system)),
        ("all", micros(spent.all())),
        ("rate", answers / lasted),
        ("per_cpu_second", answers / spent.all()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_is_told_by_answer() {
        let values = per_answer(CpuTime { user: 1.0, system: 3.0 }, 1_000_000.0, 8.0);
        assert_eq!(
            values,
            Values::from([
                ("user", 1.0),
                ("system", 3.0),
                ("all", 4.0),
                ("rate", 125_000.0),
                ("per_cpu_second", 250_000.0)
            ])
        );
    }
}
