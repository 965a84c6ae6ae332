//! The rows: one figure each, how it is taken, and what is to be reached.

mod apiserver;
mod autopath;
mod burst;
mod cold;
mod cores;
mod dot;
mod hit;
mod index;
mod memory;
mod miss;
mod onlookers;
mod proofs;
mod published;
mod rules;
mod single;
mod startup;
mod stock;
mod tcp;

use anyhow::{Result, bail};

use crate::bench::Bench;
use crate::goals::Goal;
use crate::options::Options;
use crate::record::Record;

/// One figure.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What is done and counted, in a sentence or two.
    pub(crate) about: &'static str,
    pub(crate) columns: &'static [Column],
    /// What each server is compared by.
    pub(crate) compared: Option<Compared>,
    pub(crate) goals: &'static [Goal],
    pub(crate) measure: fn(&Bench, &mut Record) -> Result<()>,
}

/// A figure's name in samples, its heading, and how many decimals it has.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) key: &'static str,
    pub(crate) head: &'static str,
    pub(crate) decimals: usize,
}

/// The ratio of each server's figure to that of one of them.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) column: &'static str,
    pub(crate) to: &'static str,
}

/// All rows, in the order in which they are measured.
pub(crate) const ROWS: &[Row] = &[
    hit::ROW,
    stock::ROW,
    autopath::ROW,
    onlookers::ROW,
    rules::ROW,
    cold::ROW,
    miss::ROW,
    burst::ROW,
    single::ROW,
    memory::ROW,
    startup::ROW,
    cores::ROW,
    tcp::ROW,
    dot::ROW,
    proofs::ROW,
    apiserver::ROW,
    index::ROW,
    published::ROW,
];

/// Rows with a control plane, which a quick run has only if they are named.
const WITH_CLUSTER: &[&str] = &["apiserver", "index", "published"];

/// Columns of rows that count CPU per answer.
const COST: &[Column] = &[
    Column { key: "user", head: "user, µs", decimals: 2 },
    Column { key: "system", head: "system, µs", decimals: 2 },
    Column { key: "all", head: "all, µs", decimals: 2 },
    Column { key: "rate", head: "answers/s", decimals: 0 },
];

/// The rows that the command line asks for.
pub(crate) fn chosen(options: &Options) -> Result<Vec<&'static Row>> {
    if let Some(stranger) = options.only.iter().find(|name| !ROWS.iter().any(|row| row.name == *name)) {
        let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        bail!("{stranger} is no row; these are: {}", names.join(", "));
    }
    let wanted = |row: &&Row| match options.only.is_empty() {
        true => !(options.quick && WITH_CLUSTER.contains(&row.name)),
        false => options.only.iter().any(|name| name == row.name),
    };
    Ok(ROWS.iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goals::Figure;
    use crate::options::Line;
    use clap::Parser as _;

    #[test]
    fn every_goal_is_about_a_column_of_its_row() {
        for row in ROWS {
            let has = |column: &str| row.columns.iter().any(|own| own.key == column);
            for goal in row.goals {
                let (Figure::Value { column, .. } | Figure::Ratio { column, .. } | Figure::ToBest { column, .. }) =
                    goal.figure;
                assert!(has(column), "{}: {}", row.name, goal.says);
            }
            assert!(row.compared.as_ref().is_none_or(|compared| has(compared.column)), "{}", row.name);
        }
    }

    #[test]
    fn rows_are_chosen_by_name() {
        let of = |arguments: &[&str]| chosen(&Line::parse_from(arguments).options);
        assert_eq!(of(&["run"]).unwrap().len(), ROWS.len());
        assert_eq!(of(&["run", "--quick"]).unwrap().len(), ROWS.len() - WITH_CLUSTER.len());
        assert_eq!(of(&["run", "--quick", "--only", "index"]).unwrap().len(), 1);
        let names: Vec<_> = of(&["run", "--only", "dot,hit"]).unwrap().iter().map(|row| row.name).collect();
        assert_eq!(names, ["hit", "dot"]);
        assert!(of(&["run", "--only", "nothing"]).unwrap_err().to_string().contains("nothing is no row"));
    }
}
