//! `nearpath doctor`: look for what is wrong with this node and its DNS, and say what mends it.
//!
//! ```text
//!   flags, /proc/PID/cmdline, Corefile, unix socket --> Patient --> CHECKS, together --> Finding each --> Report, exit code
//! ```
//!
//! Upstreams are asked by hickory-resolver: a second opinion that shares no code with the daemon's own.

mod ask;
mod checks;
mod http;
mod patient;
mod process;
mod report;
mod second;
mod system;
mod table;
mod upstreams;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use self::patient::Patient;
use super::daemon::DaemonFlags;

/// What one check may take.
const CHECK_WITHIN: Duration = Duration::from_secs(12);

/// Flags of `nearpath doctor`.
#[derive(Args, Clone, Debug)]
#[command(
    long_about = "Looks for what is wrong with this node and its DNS: a line for each check, the reason, and the command that \
                  mends it.\n\nWhat the daemon was told is read of the running one, and the flags below say otherwise.",
    after_help = "Exit code: 0 if all is well, 1 with warnings, 2 with failures."
)]
pub struct DoctorFlags {
    /// Where the daemon is.
    #[command(flatten)]
    pub daemon: DaemonFlags,
    /// The process of the daemon, where several serve in this network
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// The Corefile, in place of the running daemon's
    #[arg(long, value_name = "FILE")]
    pub conf: Option<PathBuf>,
    /// The addresses that pods ask, in place of the running daemon's
    #[arg(long, value_name = "IP,...")]
    pub localip: Option<String>,
    /// The interface that bears them, in place of the running daemon's
    #[arg(long, value_name = "NAME")]
    pub interfacename: Option<String>,
    /// The port that pods ask, in place of the running daemon's
    #[arg(short = 'p', long = "dns.port", value_name = "PORT")]
    pub port: Option<u16>,
    /// Look at the resolv.conf of the pod that this process belongs to
    #[arg(long, value_name = "PID")]
    pub pod_pid: Option<u32>,
    /// Look at this file as at a pod's resolv.conf
    #[arg(long, value_name = "FILE", conflicts_with = "pod_pid")]
    pub resolv_conf: Option<PathBuf>,
    /// A name whose addresses are asked for here and of the upstream, to be compared
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A name with a long TXT, for the check of large answers; the root's keys unless set
    #[arg(long, value_name = "NAME")]
    pub large_name: Option<String>,
}

/// Looks, tells, and says by the exit code how it is.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub fn run(flags: &DoctorFlags) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(async {
        let patient = Patient::examine(flags).await;
        table::run_all(&patient, CHECK_WITHIN).await
    });
    // a program that hangs is not waited for
    runtime.shutdown_background();
    match flags.daemon.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{report}"),
    }
    Ok(ExitCode::from(report.exit_code()))
}
