//! Start-up: from exec to the first answer.

use super::{Column, Compared, Row};
use crate::bench::Bench;
use crate::record::{Record, Values};
use crate::seat::{Seat, Wish};

pub(super) const ROW: Row = Row {
    name: "startup",
    title: "Start-up",
    about: "From the start of the process to its first right answer, which it forwards; asked again each half millisecond.",
    columns: &[Column { key: "first", head: "first answer, ms", decimals: 1 }],
    compared: Some(Compared { column: "first", to: "nearpath" }),
    goals: &[],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> anyhow::Result<()> {
    for round in 1..=bench.options.rounds() {
        for found in bench.cast(|peer| peer.talents.forwards) {
            record.measure(round, found.peer.name, || {
                let seat = Seat::take(bench, Wish::plain(bench, &found))?;
                Ok(Values::from([("first", seat.first_answer.as_secs_f64() * 1e3)]))
            });
        }
    }
    Ok(())
}
