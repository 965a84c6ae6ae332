//! The binary `nearpath`: parse, run, map the error to an exit code; nothing else.

use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "the last word of a process that cannot go on")]
fn main() -> ExitCode {
    match nearpath::cli::run(std::env::args_os()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("nearpath: {error:#}");
            ExitCode::FAILURE
        }
    }
}
