//! The command line, and what follows from it: how many rounds, how long, where results go.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Measures nearpath beside other servers on this machine, on loopback alone.
#[derive(Debug, Parser)]
#[command(
    name = "bench/run",
    bin_name = "bench/run",
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    after_help = "Each row is measured in rounds; in a round every server has its turn before the next round begins, and \
                  ratios are taken within a round. What each row means stands in bench/README.md.\n\n\
                  bench/run --quick                     # all rows without a cluster, short: about ten minutes\n\
                  bench/run                             # all rows, 5 rounds: writes bench/RESULTS.md\n\
                  bench/run --only hit,dot --rounds 3   # two rows, into a temporary directory"
)]
pub(crate) struct Line {
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// What this program also is, in a process of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// Pins itself to cores, ties its life to its parent's, and becomes another program
    #[command(hide = true)]
    Pinned(PinnedFlags),
    /// Sends each datagram back as a reply: the least that a DNS server over UDP can cost
    #[command(hide = true)]
    Echo(EchoFlags),
    /// Passes questions on to a server, late, and counts them
    #[command(hide = true)]
    Relay(RelayFlags),
}

#[derive(Debug, Args)]
pub(crate) struct PinnedFlags {
    /// Cores, separated by commas
    #[arg(long, value_delimiter = ',', required = true)]
    pub(crate) cores: Vec<usize>,
    /// The process that must be alive
    #[arg(long)]
    pub(crate) parent: i32,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct EchoFlags {
    /// The port on 127.0.0.1
    #[arg(long)]
    pub(crate) port: u16,
}

#[derive(Debug, Args)]
pub(crate) struct RelayFlags {
    /// The port on 127.0.0.1, UDP and TCP
    #[arg(long)]
    pub(crate) port: u16,
    /// The server's port on 127.0.0.1
    #[arg(long)]
    pub(crate) to: u16,
    /// Milliseconds that each way takes
    #[arg(long, default_value_t = 0)]
    pub(crate) each_way_ms: u64,
}

/// What a run measures and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Fewer rounds, shorter measurements and smaller caches; writes into a temporary directory unless --out is given
    #[arg(long)]
    pub(crate) quick: bool,
    /// These rows only; writes into a temporary directory unless --out is given
    #[arg(long, value_name = "ROW,...", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Rounds of each row [default: 5; with --quick 3]; rows that take minutes, memory and proofs, have a fifth of them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: Option<u32>,
    /// Seconds of one measurement [default: 5; with --quick 1.5]
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// A server's program: coredns=PATH, node-cache=PATH, or another one than that on PATH, unbound=PATH
    #[arg(long = "peer", value_name = "NAME=PATH", value_parser = named_path)]
    pub(crate) programs: Vec<(String, PathBuf)>,
    /// Leave servers out
    #[arg(long, value_name = "PEER,...", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Where RESULTS.md, results.json and results.svg are written [default: bench/]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The nearpath that is measured [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) nearpath: Option<PathBuf>,
    /// List the rows, and leave
    #[arg(long)]
    pub(crate) list: bool,
}

impl Options {
    /// Rounds of each row.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.map_or(if self.quick { 3 } else { 5 }, |rounds| rounds as usize)
    }

    /// Rounds of rows that take minutes each and count what hardly varies, octets and questions: a fifth of the others.
    pub(crate) fn rounds_of_slow_rows(&self) -> usize {
        self.rounds().div_ceil(5)
    }

    /// Seconds of one measurement.
    pub(crate) fn seconds(&self) -> f64 {
        self.seconds.unwrap_or(if self.quick { 1.5 } else { 5.0 }).clamp(0.2, 600.0)
    }

    /// `full`, or `short` with `--quick`.
    pub(crate) fn pick<T>(&self, full: T, short: T) -> T {
        if self.quick { short } else { full }
    }

    /// Where results go. Only a whole, full run writes to `bench/` by itself.
    pub(crate) fn out_directory(&self) -> PathBuf {
        let partial = self.quick || !self.only.is_empty();
        match &self.out {
            Some(out) => out.clone(),
            None if partial => std::env::temp_dir().join(format!("nearpath-bench-results-{}", std::process::id())),
            None => PathBuf::from(env!("CARGO_MANIFEST_DIR")),
        }
    }
}

/// `NAME=PATH`.
fn named_path(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("expected NAME=PATH")?;
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    if !path.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    Ok((name.to_owned(), path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_table_of_flags_is_sound() {
        Line::command().debug_assert();
    }

    #[test]
    fn a_quick_run_does_not_overwrite_the_results_of_full_ones() {
        let out = |arguments: &[&str]| Line::parse_from(arguments).options.out_directory();
        assert!(out(&["run", "--quick"]).starts_with(std::env::temp_dir()));
        assert!(out(&["run", "--only", "hit"]).starts_with(std::env::temp_dir()));
        assert_eq!(out(&["run", "--quick", "--out", "there"]), PathBuf::from("there"));
        assert!(out(&["run"]).ends_with("bench"));
    }

    #[test]
    fn quick_is_shorter_unless_told_otherwise() {
        let of = |arguments: &[&str]| Line::parse_from(arguments).options;
        assert_eq!((of(&["run"]).rounds(), of(&["run", "--quick"]).rounds()), (5, 3));
        assert_eq!(of(&["run", "--quick", "--rounds", "7"]).rounds(), 7);
        assert!(of(&["run", "--quick"]).seconds() < of(&["run"]).seconds());
    }

    #[test]
    fn slow_rows_have_a_fifth_of_the_rounds() {
        let of = |arguments: &[&str]| Line::parse_from(arguments).options.rounds_of_slow_rows();
        assert_eq!((of(&["run"]), of(&["run", "--quick"]), of(&["run", "--rounds", "25"])), (1, 1, 5));
    }

    #[test]
    fn a_program_of_a_peer_is_a_name_and_a_file() {
        assert!(named_path("coredns").is_err());
        assert!(named_path("coredns=/nonexistent").is_err());
        assert_eq!(named_path("coredns=Cargo.toml").unwrap().0, "coredns");
    }
}
