//! Where the lines of `tracing` go: standard error, one line per event.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts logging for the process. `RUST_LOG` overrides the level.
pub fn start(quiet: bool) {
    let level = if quiet { "warn" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr);
    // a second start (tests in one process) keeps the first one's place
    let _ = lines.try_init();
}
