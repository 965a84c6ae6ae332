//! Thirty rules of `rewrite` and `template`: what they cost names that they do not concern.

use super::{Column, Row};
use crate::bench::{Bench, write_queries};
use crate::goals::{Figure, Goal, Reach};
use crate::load::cost_of_answers;
use crate::load::dnsperf::{Load, probe, warm};
use crate::peers::Shape;
use crate::record::{Record, Values};
use crate::seat::{Wish, take_all};

/// Names that no server here answers within a second.
const NAMES_PER_SECOND: f64 = 120_000.0;
/// Clients of misses, each with one question outstanding.
const CLIENTS: usize = 100;
/// Letters in a row, on which an engine that backtracks would try 2 to the power of their number of ways for a pattern of the rules.
const LETTERS: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

pub(super) const ROW: Row = Row {
    name: "rules",
    title: "Thirty rules that concern other names",
    about: "Nearpath with 30 lines of rewrite and template, beside the same without: hits as in the first row, of names out of the rules' \
            reach; and names asked once, which each pattern is tried on, one of them exponential in an engine that backtracks. \
            CPU time of the server by answered question.",
    columns: &[
        Column { key: "hit", head: "hit, all, µs", decimals: 2 },
        Column { key: "hit_user", head: "hit, user, µs", decimals: 2 },
        Column { key: "miss", head: "miss, all, µs", decimals: 1 },
    ],
    compared: None,
    goals: &[
        Goal {
            says: "cached hit out of the rules' reach, all CPU, with rules to without",
            figure: Figure::Ratio { column: "hit", of: "nearpath, 30 rules", to: "nearpath" },
            reach: Reach::AtMost(1.02),
        },
        Goal {
            says: "miss that a pattern is tried on, all CPU, with rules to without",
            figure: Figure::Ratio { column: "miss", of: "nearpath, 30 rules", to: "nearpath" },
            reach: Reach::AtMost(1.5),
        },
    ],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> anyhow::Result<()> {
    let found = bench.cast(|peer| peer.name == "nearpath");
    let Some(found) = found.first() else { return Ok(()) };
    let plain = Wish::plain(bench, found);
    let ruled = plain.clone().shaped(Shape::Ruled).called(format!("{}, 30 rules", plain.label));
    let mut seats = take_all(bench, record, [plain, ruled]);
    let queries = bench.directory().join("tried");
    let names = (bench.seconds() * NAMES_PER_SECOND) as usize;
    let mut lists = 0;
    for round in 1..=bench.options.rounds() {
        for seat in &mut seats {
            record.measure(round, &seat.label(), || {
                seat.revive(bench)?;
                probe(seat, "127.0.0.1", "host1.example")?;
                let load = Load::hits(bench, seat);
                warm(bench, &load)?;
                let values = cost_of_answers(seat, || load.run(bench))?;
                Ok(Values::from([("hit", values["all"]), ("hit_user", values["user"])]))
            });
        }
        for seat in &mut seats {
            record.measure(round, &seat.label(), || {
                lists += 1;
                write_queries(&queries, &format!("{LETTERS}{lists}n"), names, ".example")?;
                let load = Load {
                    queries: queries.clone(),
                    clients: CLIENTS,
                    outstanding: CLIENTS,
                    runs: Some(1),
                    ..Load::hits(bench, seat)
                };
                let values = cost_of_answers(seat, || load.run(bench))?;
                Ok(Values::from([("miss", values["all"])]))
            });
        }
    }
    Ok(())
}
