//! `nearpath check FILE...`: the errors of Corefiles, all in one run, or the plan; `-basecorefile` shows what a node would
//! make of its base Corefile. The same code as start-up, without I/O on the network and without touching the node.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use contract::corefile::Disk;

use super::cluster::ClusterFlags;
use super::node::NodeFlags;
use crate::options::{config_map, values};
use crate::plan;
use crate::source::{Base, Flawed, Source};

/// Flags of `check`.
#[derive(Args, Debug)]
pub struct CheckFlags {
    /// The Corefiles to read
    #[arg(value_name = "FILE", required_unless_present = "basecorefile")]
    files: Vec<PathBuf>,
    /// The port of server blocks whose keys name none
    #[arg(short = 'p', long = "dns.port", value_name = "PORT", default_value_t = 53)]
    port: u16,
    /// What a base Corefile is rendered with.
    #[command(flatten)]
    node: NodeFlags,
    /// Where the cluster is.
    #[command(flatten)]
    cluster: ClusterFlags,
}

impl CheckFlags {
    /// What is to be read, the base Corefile first.
    fn sources(&self) -> Vec<Source> {
        let base = self.node.basecorefile.clone().map(|path| {
            let values = values(self.port, &self.node, &self.cluster);
            Source::Base(Base { path, config_map: config_map(&self.node), values, written_to: None })
        });
        base.into_iter().chain(self.files.iter().cloned().map(Source::File)).collect()
    }
}

/// Checks every file; the exit code is 1 if any has an error.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub fn run(flags: &CheckFlags) -> anyhow::Result<ExitCode> {
    let sources = flags.sources();
    let mut failed = false;
    for source in &sources {
        if sources.len() > 1 {
            println!("{}:", source.path().display());
        }
        let text = match source.read(Flawed::Refuse) {
            Ok(text) => text,
            Err(error) => {
                println!("{error:#}");
                failed = true;
                continue;
            }
        };
        if matches!(source, Source::Base(_)) {
            text.warnings.iter().for_each(|warning| println!("warning: {warning}"));
            println!("{}", text.text.trim_end());
            println!();
        }
        let checked = plan::check(&text.name, &text.text, &Disk, flags.port);
        print!("{}", checked.report);
        match &checked.plan {
            Some(plan) => print!("{plan}"),
            None => failed = true,
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
