//! Nearpath beside other servers, in one run: arguments, and the order of things.
//!
//! ```text
//!   Options --> Bench (cores, directory, authority, peers found) --> each Row: Seats started, rounds interleaved
//!                                                                        |
//!   RESULTS.md, results.json, results.svg <-- report <-- Results <-- Record (all samples, also void ones)
//! ```

mod authority;
mod bench;
mod certificate;
mod child;
mod cluster;
mod echo;
mod goals;
mod load;
mod machine;
mod message;
mod onlook;
mod options;
mod peers;
mod ports;
mod proc;
mod record;
mod relay;
mod report;
mod rows;
mod seat;
mod spread;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;

use crate::bench::Bench;
use crate::options::{Line, Options, Part};

fn main() -> ExitCode {
    let line = Line::parse();
    let outcome = match line.part {
        None => run(line.options),
        Some(Part::Pinned(pinned)) => child::become_pinned(&pinned),
        Some(Part::Echo(flags)) => echo::serve(&flags),
        Some(Part::Relay(flags)) => relay::serve(&flags),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("nearpath-bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Measures row after row. What is measured so far is written after each, so that a run cut short is not lost.
fn run(options: Options) -> Result<()> {
    if options.list {
        list_rows();
        return Ok(());
    }
    let chosen = rows::chosen(&options)?;
    let bench = Bench::set_up(options)?;
    let out = bench.options.out_directory();
    let mut results = report::Results::begun(&bench);
    for row in chosen {
        say(&format!("== {}: {}", row.name, row.title));
        let mut record = record::Record::of(row);
        if let Err(error) = (row.measure)(&bench, &mut record) {
            record.note(format!("This row could not be measured: {error:#}."));
        }
        say(&report::markdown::row(&record));
        results.rows.push(record);
        report::write(&results, &out).with_context(|| format!("writing to {}", out.display()))?;
    }
    say(&format!("== written: {}", out.display()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what was asked for")]
fn list_rows() {
    for row in rows::ROWS {
        println!("{:<9} {}", row.name, row.title);
    }
}

/// A line to whoever watches.
#[expect(clippy::print_stderr, reason = "the program's progress, for a person")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}
