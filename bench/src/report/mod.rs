//! What is written of a run: a table for people, all samples for programs, a picture.

pub(crate) mod chart;
mod json;
pub(crate) mod markdown;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::bench::Bench;
use crate::machine::Machine;
use crate::record::Record;

/// A run, as far as it has come.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    /// Of one measurement.
    pub(crate) seconds: f64,
    pub(crate) quick: bool,
    pub(crate) versions: BTreeMap<&'static str, String>,
    pub(crate) rows: Vec<Record>,
}

impl Results {
    /// Nothing measured yet.
    pub(crate) fn begun(bench: &Bench) -> Self {
        Self {
            machine: Machine::this(),
            rounds: bench.options.rounds(),
            seconds: bench.seconds(),
            quick: bench.options.quick,
            versions: bench.versions.clone(),
            rows: Vec::new(),
        }
    }
}

/// Writes RESULTS.md, results.json and results.svg.
pub(crate) fn write(results: &Results, out: &Path) -> Result<()> {
    std::fs::create_dir_all(out)?;
    std::fs::write(out.join("RESULTS.md"), markdown::page(results))?;
    std::fs::write(out.join("results.json"), json::text(results)?)?;
    std::fs::write(out.join("results.svg"), chart::draw(results).context("drawing the chart")?)?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::record::tests::record_with;
    use crate::rows::ROWS;

    /// Two rounds of the row of cached hits: three servers, one of them once void.
    pub(crate) fn results() -> Results {
        let row = &ROWS[0];
        let mut samples = Vec::new();
        for (round, factor) in [(1, 1.0), (2, 1.2)] {
            for (server, user, system) in [("nearpath", 0.5, 1.9), ("unbound", 1.5, 2.5), ("echo", 0.1, 2.0)] {
                samples.push((round, server, "user", user * factor));
                samples.push((round, server, "system", system * factor));
                samples.push((round, server, "all", (user + system) * factor));
            }
        }
        samples.push((2, "unbound", "rate", f64::NAN));
        let machine = Machine {
            date: "2026-11-21".into(),
            processor: "a processor".into(),
            cores: 2,
            memory: 8.0,
            kernel: "6.18".into(),
        };
        let versions = BTreeMap::from([("unbound", "Version 1.17.1".to_owned())]);
        let rows = vec![record_with(row, &samples)];
        Results { machine, rounds: 2, seconds: 5.0, quick: true, versions, rows }
    }

    #[test]
    fn all_three_files_are_written() {
        let out = std::env::temp_dir().join(format!("nearpath-bench-report-{}", std::process::id()));
        write(&results(), &out).unwrap();
        let sizes = ["RESULTS.md", "results.json", "results.svg"].map(|name| out.join(name).metadata().unwrap().len());
        std::fs::remove_dir_all(&out).unwrap();
        assert!(sizes.iter().all(|size| *size > 200), "{sizes:?}");
    }
}
