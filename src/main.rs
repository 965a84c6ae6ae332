//! The binary `nearpath`: parse, run, map the error to an exit code; nothing else.

use std::process::ExitCode;

/// How long the last lines of the log may take.
const LOG_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);

#[expect(clippy::print_stderr, reason = "the last word of a process that cannot go on")]
fn main() -> ExitCode {
    let ended = nearpath::cli::run(std::env::args_os());
    nearpath::logging::flush(LOG_WITHIN);
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("nearpath: {error:#}");
            ExitCode::FAILURE
        }
    }
}
