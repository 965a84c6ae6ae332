//! `nearpath -conf FILE`: serve.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args};

use super::cluster::ClusterFlags;
use super::node::{NodeFlags, boolean, listen_address};
use crate::daemon::{self, Options};

/// Flags of the daemon; those that CoreDNS and node-cache have keep their names.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Serving")]
pub struct ServeFlags {
    /// The Corefile to serve, or where a rendered base Corefile is written
    #[arg(
        long,
        value_name = "FILE",
        help = "The Corefile to serve; if a base Corefile is served, where its rendered text is written [default: Corefile, on a node what -corefile says]",
        env = "NEARPATH_CONF"
    )]
    pub conf: Option<PathBuf>,
    /// The port of server blocks whose keys name none
    #[arg(short = 'p', long = "dns.port", value_name = "PORT", default_value_t = 53, value_parser = clap::value_parser!(u16).range(1..), env = "NEARPATH_DNS_PORT")]
    pub port: u16,
    /// Threads that take datagrams, each with a socket of its own per address; 0: one per core, at most 8
    #[arg(long, value_name = "N", default_value_t = 0, env = "NEARPATH_THREADS")]
    pub threads: usize,
    /// Bound of the answer store of the whole process, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=65_536), env = "NEARPATH_CACHE_MIB")]
    pub cache_mib: u64,
    /// This node's name in the cluster, and what NSID, hostname.bind and id.server say; $NODE_NAME unless set, else the host's name
    #[arg(long, value_name = "NAME", value_parser = node_name, env = "NEARPATH_NODE_NAME")]
    pub node_name: Option<String>,
    /// Where to write the process id
    #[arg(long, value_name = "FILE", env = "NEARPATH_PIDFILE")]
    pub pidfile: Option<PathBuf>,
    /// A folder for what should be known after a restart (hot answers, autopath's NXDOMAIN cuts that were turned off), and for the socket by which explain, top and watch ask
    #[arg(long, value_name = "DIR", env = "NEARPATH_STATEDIR")]
    pub statedir: Option<PathBuf>,
    /// Where the status page is shown
    #[arg(
        long,
        value_name = "IP:PORT",
        value_parser = status_address,
        env = "NEARPATH_STATUS_LISTEN_ADDRESS",
        help = "Where the status page is shown; whoever reaches it sees what pods ask for; empty: nowhere [default: 127.0.0.1:9254 on a node, else nowhere]"
    )]
    pub status_listen_address: Option<Status>,
    /// Tell clients of themselves in class CHAOS: whoami.nearpath and NAME.explain.nearpath
    #[arg(long, value_name = "BOOL", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", env = "NEARPATH_DIG_EXPLAIN")]
    pub dig_explain: bool,
    /// Log warnings and errors only
    #[arg(long, value_name = "BOOL", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", env = "NEARPATH_QUIET")]
    pub quiet: bool,
    /// How lines of the log look: text as CoreDNS writes it, or one JSON object per event
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, env = "NEARPATH_LOG_FORMAT")]
    pub log_format: crate::logging::Format,
    /// List the directives that are served, and leave
    #[arg(long, value_name = "BOOL", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub plugins: bool,
    /// What is set up on the node.
    #[command(flatten)]
    pub node: NodeFlags,
    /// Where the cluster is.
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Where the status page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

impl Status {
    /// Where a node shows it unless told otherwise: to itself alone.
    pub const ON_A_NODE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9254);

    /// Its address, if it has one.
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::At(address) => Some(address),
        }
    }
}

fn status_address(text: &str) -> Result<Status, String> {
    if text.is_empty() { Ok(Status::Off) } else { listen_address(text).map(Status::At) }
}

/// A name that fits into NSID beside a whole reply.
fn node_name(text: &str) -> Result<String, String> {
    match text.len() {
        1..=255 => Ok(text.to_owned()),
        length => Err(format!("{length} octets; 1 to 255 fit into a reply")),
    }
}

/// Serves until a signal ends it.
pub fn run(flags: &ServeFlags) -> anyhow::Result<ExitCode> {
    if flags.plugins {
        return list_plugins();
    }
    crate::logging::start(if flags.quiet { "warn" } else { "info" }, flags.log_format);
    flags.node.without_use().for_each(|line| tracing::info!("{line}"));
    daemon::run(&Options::from_flags(flags))?;
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn list_plugins() -> anyhow::Result<ExitCode> {
    for row in crate::wiring::DIRECTIVES {
        println!("{}", row.name);
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        serve: ServeFlags,
    }

    #[test]
    fn a_node_shows_its_status_page_to_itself_and_a_plain_server_to_nobody() {
        let shown = |flags: &[&str]| {
            let line = Line::try_parse_from(["nearpath"].iter().chain(flags)).unwrap();
            Options::from_flags(&line.serve).status_address.map(|address| address.to_string())
        };
        let node = "--localip=169.254.20.10";
        assert_eq!(shown(&[]), None);
        assert_eq!(shown(&[node]).as_deref(), Some("127.0.0.1:9254"));
        assert_eq!(shown(&[node, "--status-listen-address="]), None);
        assert_eq!(shown(&["--status-listen-address", ":8000"]).as_deref(), Some("0.0.0.0:8000"));
    }

    #[test]
    fn the_status_page_has_an_address_or_none() {
        let address = |text: &str| status_address(text).map(|status| status.address().map(|at| at.to_string()));
        assert_eq!(address(""), Ok(None));
        assert_eq!(address("localhost:80"), Ok(Some("127.0.0.1:80".to_owned())));
        assert_eq!(address("[::1]:9254"), Ok(Some("[::1]:9254".to_owned())));
        assert_eq!(address(":9254"), Ok(Some("0.0.0.0:9254".to_owned())));
        assert!(address("9254").is_err() && address("off").is_err());
    }
}
