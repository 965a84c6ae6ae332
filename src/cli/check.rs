//! `nearpath check FILE...`: the errors of Corefiles, all in one run, or the plan; `-basecorefile` shows what a node would
//! make of its base Corefile, `--from` what is in a manifest of another server, `--explain` what differs there and what could be
//! better. The same code as start-up, without I/O on the network and without touching the node.

mod explain;
mod from;
mod hints;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use contract::corefile::Disk;
use contract::wire::Name;

use super::cluster::ClusterFlags;
use super::node::NodeFlags;
use crate::options::{config_map, values};
use crate::plan;
use crate::source::{Base, Flawed, Source, Text};

/// Flags of `check`.
#[derive(Args, Debug)]
pub struct CheckFlags {
    /// The Corefiles to read; with --from, manifests with ConfigMaps
    #[arg(value_name = "FILE", required_unless_present = "basecorefile")]
    files: Vec<PathBuf>,
    /// Read the Corefiles in the ConfigMaps of another server's manifests: a file, or what `kubectl get -o yaml` prints
    #[arg(long, value_name = "SERVER", requires = "files")]
    from: Option<From>,
    /// Say also what differs from CoreDNS, and what could be better
    #[arg(long)]
    explain: bool,
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

/// Whose manifest it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum From {
    /// NodeLocal DNSCache: its Corefile has placeholders
    NodeCache,
    /// CoreDNS
    Coredns,
}

impl CheckFlags {
    /// What is to be read, the base Corefile first.
    fn sources(&self) -> Vec<Source> {
        let base = self.node.basecorefile.clone().map(|path| {
            let values = values(self.port, &self.node, &self.cluster);
            Source::Base(Base { path, config_map: config_map(&self.node), values, written_to: None })
        });
        let files = self.files.iter().filter(|_| self.from.is_none()).cloned().map(Source::File);
        base.into_iter().chain(files).collect()
    }

    /// Every Corefile that is to be checked, or why it cannot be had; and whether it was made of something else.
    fn texts(&self) -> Vec<(PathBuf, bool, anyhow::Result<Text>)> {
        let mut texts = Vec::new();
        for source in self.sources() {
            let is_rendered = matches!(source, Source::Base(_));
            texts.push((source.path().to_owned(), is_rendered, source.read(Flawed::Refuse)));
        }
        for path in self.files.iter().filter(|_| self.from.is_some()) {
            let values = (self.from == Some(From::NodeCache)).then(|| values(self.port, &self.node, &self.cluster));
            match from::read(path, values) {
                Ok(found) => texts.extend(found.into_iter().map(|text| (path.clone(), true, Ok(text)))),
                Err(error) => texts.push((path.clone(), true, Err(error))),
            }
        }
        texts
    }

    fn cluster_domain(&self) -> Name {
        let usual = || "cluster.local".parse().expect("a valid name");
        self.cluster.cluster_domain.clone().unwrap_or_else(usual)
    }
}

/// Checks every file; the exit code is 1 if any has an error.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub fn run(flags: &CheckFlags) -> anyhow::Result<ExitCode> {
    let texts = flags.texts();
    let (several, mut failed) = (texts.len() > 1, false);
    for (path, is_made, text) in texts {
        if several {
            println!("{}:", path.display());
        }
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                println!("{error:#}");
                failed = true;
                continue;
            }
        };
        if is_made {
            text.warnings.iter().for_each(|warning| println!("warning: {warning}"));
            println!("{}", text.text.trim_end());
            println!();
        }
        let mut checked = plan::check(&text.name, &text.text, &Disk, flags.port);
        if flags.explain {
            hints::look(&checked.tree, &flags.cluster_domain(), &mut checked.report);
        }
        print!("{}", checked.report);
        match &checked.plan {
            Some(plan) if flags.explain => print!("{}", explain::text(plan)),
            Some(plan) => print!("{plan}"),
            None => failed = true,
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
