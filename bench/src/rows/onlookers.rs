//! Cached hit while somebody looks on: what it costs to see queries as they are answered.

use super::{COST, Row};
use crate::bench::Bench;
use crate::goals::{Figure, Goal, Reach};
use crate::load::cost_of_answers;
use crate::load::dnsperf::{Load, probe, warm};
use crate::onlook::{Looking, ONLOOKERS};
use crate::peers::Shape;
use crate::record::Record;
use crate::seat::{Wish, take_all};

pub(super) const ROW: Row = Row {
    name: "onlookers",
    title: "Cached hit while somebody looks on",
    about: "As the first row: nearpath while nobody looks, beside the same with all who can look on at once: the most frequent names \
            and an overview asked for each second, a watcher, and dnstap with whole messages to a sink that takes them. CPU \
            time is that of all threads of the daemon, the one that shows queries among them.",
    columns: COST,
    compared: None,
    goals: &[Goal {
        says: "cached hit, all CPU, looked on to not",
        figure: Figure::Ratio { column: "all", of: "nearpath, looked on", to: "nearpath" },
        reach: Reach::AtMost(1.05),
    }],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> anyhow::Result<()> {
    let found = bench.cast(|peer| peer.name == "nearpath");
    let Some(found) = found.first() else { return Ok(()) };
    let plain = Wish::plain(bench, found);
    let looked_on = plain.clone().shaped(Shape::LookedOn).called(format!("{}, looked on", plain.label));
    let mut seats = take_all(bench, record, [plain, looked_on]);
    let names: Vec<_> = ONLOOKERS.iter().map(|onlooker| onlooker.name).collect();
    record.note(format!("Who looks on: {}.", names.join(", ")));
    let mut looking: Vec<Looking> = Vec::new();
    record.interleave(bench, &mut seats, |seat, _| {
        let is_looked_on = seat.wish.shape == Shape::LookedOn;
        if is_looked_on && looking.is_empty() {
            let begun = ONLOOKERS.iter().map(|one| one.begin(&seat.setup.directory, &bench.cores.load));
            looking = begun.collect::<anyhow::Result<_>>()?;
        }
        probe(seat, "127.0.0.1", "host1.example")?;
        let load = Load::hits(bench, seat);
        warm(bench, &load)?;
        let before: Vec<u64> = looking.iter().map(Looking::seen).collect();
        let cost = cost_of_answers(seat, || load.run(bench))?;
        if is_looked_on {
            looking.iter().zip(before).try_for_each(|(one, before)| one.has_seen_more_than(before))?;
        }
        Ok(cost)
    });
    Ok(())
}
