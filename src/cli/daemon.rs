//! What the subcommands have in common that ask a running daemon about itself: where it is, how they speak, how they end.

use std::future::Future;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::see::client::{AskError, Client};

/// The exit code where nobody can be asked, or the question makes no sense: the one of a wrong command line.
pub(super) const NO_ANSWER: u8 = 2;

/// Where daemons keep their state unless they are told otherwise.
pub(super) const STATE_DIR: &str = "/var/lib/nearpath";

/// Where the daemon is, and how its answer is printed.
#[derive(Args, Clone, Debug)]
pub struct DaemonFlags {
    /// The folder of the daemon's state, where its socket is
    #[arg(long, value_name = "DIR", default_value = STATE_DIR, env = "NEARPATH_STATEDIR")]
    pub statedir: PathBuf,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

impl DaemonFlags {
    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.statedir.join(crate::see::SOCKET)
    }

    /// Asks it.
    pub fn client(&self) -> Client {
        Client::at(&self.socket())
    }
}

/// Runs a command to its end, or until an interrupt ends it. That nobody reads on (`| head`) is an end like any other; that no
/// daemon answers, or that it refuses, is said.
///
/// # Errors
/// Whatever else went wrong.
pub(super) fn end_of(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = command => ended,
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
        }
    });
    ended.or_else(judged)
}

#[expect(clippy::print_stderr, reason = "why there is no answer")]
fn judged(error: anyhow::Error) -> anyhow::Result<ExitCode> {
    let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref().is_some_and(is_closed) {
        return Ok(ExitCode::SUCCESS);
    }
    if error.is::<AskError>() {
        eprintln!("nearpath: {error}");
        return Ok(ExitCode::from(NO_ANSWER));
    }
    Err(error)
}

/// Prints a line.
///
/// # Errors
/// Nobody reads on, or the system says something else.
pub(super) fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// A word of somebody else's as it may stand on a terminal: what would steer it, or turn the order of what is read, is written as
/// `\u{..}`.
pub(super) fn harmless(word: &str) -> String {
    let steers = |character: char| {
        character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    word.chars().fold(String::with_capacity(word.len()), |mut out, character| {
        if steers(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
        out
    })
}

/// A time as people read it: microseconds, milliseconds or seconds.
pub(super) fn short(seconds: f64) -> String {
    match seconds {
        seconds if seconds >= 10.0 => format!("{seconds:.0} s"),
        seconds if seconds >= 1.0 => format!("{seconds:.1} s"),
        seconds if seconds >= 0.001 => format!("{:.1} ms", 1e3 * seconds),
        seconds => format!("{:.0} us", 1e6 * seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_do_not_steer_a_terminal() {
        assert_eq!(harmless("www.example.com. ä\\009"), "www.example.com. ä\\009");
        assert_eq!(harmless("a\x1b[2Jb\r\n\u{9b}c"), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9b}c");
        assert_eq!(harmless("x\u{202e}y\u{200b}"), "x\\u{202e}y\\u{200b}");
    }

    #[test]
    fn times_are_short() {
        let times: Vec<_> = [0.0, 0.000_42, 0.0012, 1.25, 42.4].into_iter().map(short).collect();
        assert_eq!(times, ["0 us", "420 us", "1.2 ms", "1.2 s", "42 s"]);
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error() {
        assert!(judged(io::Error::from(io::ErrorKind::BrokenPipe).into()).is_ok());
        assert!(judged(io::Error::from(io::ErrorKind::StorageFull).into()).is_err());
    }
}
