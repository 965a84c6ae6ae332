//! What was measured for a row: every sample of every round, void ones too.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Serialize, Serializer};

use crate::bench::Bench;
use crate::rows::Row;
use crate::say;
use crate::seat::Seat;
use crate::spread::Spread;

/// Figures by column.
pub(crate) type Values = BTreeMap<&'static str, f64>;

/// One measurement of one server.
#[derive(Debug, Serialize)]
pub(crate) struct Sample {
    /// From 1.
    pub(crate) round: usize,
    pub(crate) server: String,
    pub(crate) values: Values,
    /// Why it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) void: Option<String>,
}

/// All samples of a row.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    #[serde(serialize_with = "name_of")]
    pub(crate) row: &'static Row,
    pub(crate) samples: Vec<Sample>,
    /// What a reader must know to read the figures right.
    pub(crate) notes: Vec<String>,
}

fn name_of<S: Serializer>(row: &&'static Row, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(row.name)
}

impl Record {
    /// Nothing measured yet.
    pub(crate) fn of(row: &'static Row) -> Self {
        Self { row, samples: Vec::new(), notes: Vec::new() }
    }

    /// Adds a note, once.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// A server that could not be measured at all.
    pub(crate) fn void(&mut self, server: &str, reason: &anyhow::Error) {
        say(&format!("{server}: {reason:#}"));
        let void = Some(format!("{reason:#}"));
        self.samples.push(Sample { round: 1, server: server.to_owned(), values: Values::new(), void });
    }

    /// Measures, and once more if that was void.
    pub(crate) fn measure(&mut self, round: usize, server: &str, mut attempt: impl FnMut() -> Result<Values>) {
        let outcome = attempt().or_else(|error| {
            say(&format!("round {round}: {server}: void, once more: {error:#}"));
            attempt()
        });
        let (values, void) = match outcome {
            Ok(values) => (values, None),
            Err(error) => (Values::new(), Some(format!("{error:#}"))),
        };
        let shown: Vec<_> = values.iter().map(|(column, figure)| format!("{column} {figure:.3}")).collect();
        say(&format!("round {round}: {server}: {}{}", shown.join("  "), void.as_deref().unwrap_or_default()));
        self.samples.push(Sample { round, server: server.to_owned(), values, void });
    }

    /// Each round, each server in its turn.
    pub(crate) fn interleave(
        &mut self,
        bench: &Bench,
        seats: &mut [Seat],
        mut measure: impl FnMut(&mut Seat, usize) -> Result<Values>,
    ) {
        for round in 1..=bench.options.rounds() {
            for seat in &mut *seats {
                self.measure(round, &seat.label(), || {
                    seat.revive(bench)?;
                    measure(seat, round)
                });
            }
        }
    }

    /// Servers in the order in which they were first measured.
    pub(crate) fn servers(&self) -> Vec<&str> {
        let mut servers: Vec<&str> = Vec::new();
        for sample in &self.samples {
            if !servers.contains(&sample.server.as_str()) {
                servers.push(&sample.server);
            }
        }
        servers
    }

    /// A server's figures of one column, round by round.
    pub(crate) fn figures(&self, server: &str, column: &str) -> Vec<Option<f64>> {
        let rounds = self.samples.iter().map(|sample| sample.round).max().unwrap_or(0);
        let mut figures = vec![None; rounds];
        for sample in self.samples.iter().filter(|sample| sample.server == server) {
            if let Some(figure) = sample.values.get(column) {
                figures[sample.round - 1] = Some(*figure);
            }
        }
        figures
    }

    /// Their median and spread.
    pub(crate) fn spread(&self, server: &str, column: &str) -> Option<Spread> {
        Spread::of(self.figures(server, column).into_iter().flatten())
    }

    /// Measurements of a server that do not count.
    pub(crate) fn voids(&self, server: &str) -> Vec<&str> {
        let own = self.samples.iter().filter(|sample| sample.server == server);
        own.filter_map(|sample| sample.void.as_deref()).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record with these samples: round, server, column, figure; `NAN` is void.
    pub(crate) fn record_with(row: &'static Row, samples: &[(usize, &str, &'static str, f64)]) -> Record {
        let mut record = Record::of(row);
        for &(round, server, column, figure) in samples {
            let void = figure.is_nan().then(|| "a wrong answer".to_owned());
            let values = if figure.is_nan() { Values::new() } else { Values::from([(column, figure)]) };
            record.samples.push(Sample { round, server: server.to_owned(), values, void });
        }
        record
    }

    #[test]
    fn a_void_measurement_is_repeated_once_and_then_stays_void() {
        let mut record = Record::of(&crate::rows::ROWS[0]);
        let mut attempts = 0;
        record.measure(1, "a", || {
            attempts += 1;
            if attempts == 1 { anyhow::bail!("lost") } else { Ok(Values::from([("all", 2.0)])) }
        });
        record.measure(2, "a", || {
            attempts += 1;
            anyhow::bail!("lost {attempts}")
        });
        assert_eq!(attempts, 4);
        assert_eq!(record.figures("a", "all"), [Some(2.0), None]);
        assert_eq!(record.voids("a"), ["lost 4"]);
    }

    #[test]
    fn figures_stand_in_their_round() {
        let samples = [(1, "a", "all", 1.0), (1, "b", "all", 5.0), (2, "b", "all", 6.0), (2, "a", "all", f64::NAN)];
        let record = record_with(&crate::rows::ROWS[0], &samples);
        assert_eq!(record.servers(), ["a", "b"]);
        assert_eq!(record.figures("a", "all"), [Some(1.0), None]);
        assert_eq!(record.figures("b", "all"), [Some(5.0), Some(6.0)]);
        assert_eq!(record.spread("b", "all").unwrap().median, 5.5);
        assert_eq!(record.figures("c", "all"), [None, None]);
    }
}
