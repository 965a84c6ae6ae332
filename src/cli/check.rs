//! `nearpath check FILE...`: the errors of Corefiles, all in one run, or the plan. The same code as start-up, without I/O on
//! the network.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::plan;

/// Flags of `check`.
#[derive(Args, Debug)]
pub struct CheckFlags {
    /// The Corefiles to read
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The port of server blocks whose keys name none
    #[arg(short = 'p', long = "dns.port", value_name = "PORT", default_value_t = 53)]
    port: u16,
}

/// Checks every file; the exit code is 1 if any has an error.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub fn run(flags: &CheckFlags) -> anyhow::Result<ExitCode> {
    let mut failed = false;
    for file in &flags.files {
        if flags.files.len() > 1 {
            println!("{}:", file.display());
        }
        let checked = match plan::check_file(file, flags.port) {
            Ok(checked) => checked,
            Err(error) => {
                println!("{error:#}");
                failed = true;
                continue;
            }
        };
        print!("{}", checked.report);
        match &checked.plan {
            Some(plan) => print!("{plan}"),
            None => failed = true,
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
