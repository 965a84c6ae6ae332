//! Misses: names that nobody asked for before, forwarded over TCP.

use super::{Column, Compared, Row};
use crate::bench::{Bench, write_queries};
use crate::goals::{Figure, Goal, Reach};
use crate::load::cost_of_answers;
use crate::load::dnsperf::{Load, probe};
use crate::record::{Record, Values};
use crate::seat::{Wish, take_all};

/// Clients, each with one question outstanding, and the columns for them.
const CLIENTS: [(usize, &str, &str); 3] =
    [(1, "clients_1", "rate_1"), (100, "clients_100", "rate_100"), (1_000, "clients_1000", "rate_1000")];
/// Names that no server here answers within a second.
const NAMES_PER_SECOND: f64 = 120_000.0;

pub(super) const ROW: Row = Row {
    name: "miss",
    title: "Misses through a TCP upstream",
    about: "Names that are asked for once each, by 1, 100 and 1,000 clients with one question outstanding each, forwarded \
            over TCP to a knotd beside the load. Answers per second of the server's CPU time: more is better.",
    columns: &[
        Column { key: "clients_1", head: "1 client, answers per CPU second", decimals: 0 },
        Column { key: "clients_100", head: "100 clients", decimals: 0 },
        Column { key: "clients_1000", head: "1,000 clients", decimals: 0 },
        Column { key: "rate_1", head: "1 client, answers/s", decimals: 0 },
        Column { key: "rate_100", head: "100 clients", decimals: 0 },
        Column { key: "rate_1000", head: "1,000 clients", decimals: 0 },
    ],
    compared: Some(Compared { column: "clients_100", to: "nearpath" }),
    goals: &[Goal {
        says: "misses per CPU second, nearpath to the best peer",
        figure: Figure::ToBest { column: "clients_100", of: "nearpath", not: &[], higher: true },
        reach: Reach::Above(1.0),
    }],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> anyhow::Result<()> {
    let found = bench.cast(|peer| peer.talents.forwards_over_tcp);
    let mut seats = take_all(bench, record, found.iter().map(|found| Wish::plain(bench, found)));
    let queries = bench.directory().join("misses");
    let names = (bench.seconds() * NAMES_PER_SECOND) as usize;
    let mut lists = 0;
    for round in 1..=bench.options.rounds() {
        for (clients, cost, rate) in CLIENTS {
            for seat in &mut seats {
                record.measure(round, &seat.label(), || {
                    seat.revive(bench)?;
                    lists += 1;
                    write_queries(&queries, &format!("l{lists}n"), names, ".example")?;
                    probe(seat, "127.0.0.1", "host1.example")?;
                    let load = Load {
                        queries: queries.clone(),
                        clients,
                        outstanding: clients,
                        runs: Some(1),
                        ..Load::hits(bench, seat)
                    };
                    let values = cost_of_answers(seat, || load.run(bench))
                        .map_err(|error| error.context(format!("{clients} clients")))?;
                    Ok(Values::from([(cost, values["per_cpu_second"]), (rate, values["rate"])]))
                });
            }
        }
    }
    Ok(())
}
