//! The command line: what may be said, and who acts on it. One file per subcommand.

pub mod check;
pub mod cluster;
pub mod demo;
pub mod node;
pub mod serve;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use serve::ServeFlags;

/// What was said on the command line.
#[derive(Debug, Parser)]
#[command(
    name = "nearpath",
    version,
    about = "A DNS daemon for every node of a Kubernetes cluster",
    long_about = "A DNS daemon for every node of a Kubernetes cluster: it walks the search path for the pod that asks \
                  (AutoPath), answers from memory, and forwards the rest over TCP.\n\nWithout a subcommand it serves \
                  the Corefile given by -conf. Flags may be written with one dash or two.",
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read Corefiles and print their errors, or what they would do
    Check(check::CheckFlags),
    /// Watch a pod's eight questions become two, on this machine alone
    Demo(demo::DemoFlags),
}

/// Parses the command line and runs what it says.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    let line = match Line::try_parse_from(arguments.into_iter().map(two_dashes)) {
        Ok(line) => line,
        Err(error) => {
            let code = if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
            error.print()?;
            return Ok(code);
        }
    };
    match line.command {
        None => serve::run(&line.serve),
        Some(Command::Check(flags)) => check::run(&flags),
        Some(Command::Demo(flags)) => demo::run(&flags),
    }
}

/// `-conf` as `--conf`: flags of the programs that this one replaces have one dash.
fn two_dashes(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text) if is_long_with_one_dash(text) => format!("-{text}").into(),
        _ => argument,
    }
}

fn is_long_with_one_dash(text: &str) -> bool {
    let Some(name) = text.strip_prefix('-') else { return false };
    let name = name.split('=').next().unwrap_or_default();
    name.len() > 1 && name.starts_with(|first: char| first.is_ascii_alphabetic())
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
    fn one_dash_or_two() {
        let parse = |arguments: &[&str]| {
            Line::try_parse_from(arguments.iter().map(|argument| two_dashes(argument.into()))).map(|line| line.serve)
        };
        for arguments in [
            ["nearpath", "-conf", "x", "-p", "5300"],
            ["nearpath", "--conf", "x", "--dns.port", "5300"],
            ["nearpath", "-conf=x", "-dns.port=5300", "-threads=2", "-quiet"],
        ] {
            let flags = parse(&arguments).unwrap();
            assert_eq!((flags.conf.to_str(), flags.port), (Some("x"), 5300), "{arguments:?}");
        }
        let flags = parse(&["nearpath", "-statedir", "/var/lib/nearpath"]).unwrap();
        let options = crate::daemon::Options::from_flags(&flags);
        assert_eq!(options.state_dir.as_deref(), Some("/var/lib/nearpath".as_ref()));
        assert!(parse(&["nearpath", "-p", "x"]).is_err());
        assert!(parse(&["nearpath", "-confg", "x"]).is_err());
    }

    #[test]
    fn every_flag_says_what_it_does() {
        for command in std::iter::once(&Line::command()).chain(Line::command().get_subcommands()) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} of {}", argument.get_id(), command.get_name());
            }
        }
    }
}
