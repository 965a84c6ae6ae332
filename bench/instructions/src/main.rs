//! Answers hits and nothing else, for callgrind: `nearpath-instructions KIND COUNT`. Only what happens inside
//! `House::answer_hits` is to be counted; `bench/instructions/run` does that.

use anyhow::{Context as _, bail};
use nearpath_instructions::{House, Kind};

fn main() -> anyhow::Result<()> {
    let usage = "usage: nearpath-instructions plain|edns|denial|search|stock|watched COUNT";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, count] = &arguments[..] else { bail!(usage) };
    let (_, kind) = Kind::ALL.into_iter().find(|(name, _)| name == kind).context(usage)?;
    let count: usize = count.parse().context(usage)?;
    let house = House::full(kind)?;
    let mut desk = house.desk();
    std::hint::black_box(house.answer_hits(&mut desk, count));
    Ok(())
}
