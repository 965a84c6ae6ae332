//! Flags of the node's side: those of node-cache under their names and with their defaults, then ours.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};

use crate::node::{Leaving, NodePlan};

/// The longest name of an interface (IFNAMSIZ without its end).
const INTERFACE_NAME_MAX: usize = 15;

/// Flags of the node's side.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Node (the address that pods ask, rules, files; as node-cache has them)")]
pub struct NodeFlags {
    /// The addresses that pods ask, IPv4 and IPv6; without one, nothing of the node is touched
    #[arg(long, value_name = "IP,...", value_parser = addresses, env = "NEARPATH_LOCALIP")]
    pub localip: Option<Addresses>,
    /// Set up the interface with these addresses
    #[arg(long, value_name = "BOOL", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", env = "NEARPATH_SETUPINTERFACE")]
    pub setupinterface: bool,
    /// Its name; rules and lease bear it too
    #[arg(long, value_name = "NAME", value_parser = interface_name, default_value = "nodelocaldns", env = "NEARPATH_INTERFACENAME")]
    pub interfacename: String,
    /// Set up the rules, by nftables or iptables
    #[arg(long, value_name = "BOOL", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", env = "NEARPATH_SETUPIPTABLES")]
    pub setupiptables: bool,
    /// Accepted and without use, as in node-cache
    #[arg(long, value_name = "BOOL", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", hide = true, env = "NEARPATH_SETUPEBTABLES")]
    pub setupebtables: bool,
    /// How often interface and rules are looked at: seconds, or a duration such as 30s or 1m
    #[arg(long, value_name = "TIME", value_parser = sync_interval, default_value = "60", env = "NEARPATH_SYNCINTERVAL")]
    pub syncinterval: Duration,
    /// Where metrics are told beside the directive `prometheus`, on a node
    #[arg(long, value_name = "IP:PORT", value_parser = listen_address, default_value = "0.0.0.0:9353", env = "NEARPATH_METRICS_LISTEN_ADDRESS")]
    pub metrics_listen_address: SocketAddr,
    /// What stands for __PROMETHEUS__ENDPOINT__ in the base Corefile
    #[arg(long, value_name = "[IP]:PORT", default_value = ":9253", env = "NEARPATH_PROMETHEUS_LISTEN_ADDRESS")]
    pub prometheus_listen_address: String,
    /// The port of the directive `health`, whose probes are not tracked
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), default_value_t = 8080, env = "NEARPATH_HEALTH_PORT")]
    pub health_port: u16,
    /// The Corefile with placeholders, rendered and served if it is there
    #[arg(
        long,
        value_name = "FILE",
        env = "NEARPATH_BASECOREFILE",
        help = "The Corefile with placeholders, rendered and served on a node if it is there [default: /etc/coredns/Corefile.base]"
    )]
    pub basecorefile: Option<PathBuf>,
    /// Where the rendered Corefile is written if -conf names no file
    #[arg(long, value_name = "FILE", default_value = "/etc/Corefile", env = "NEARPATH_COREFILE")]
    pub corefile: PathBuf,
    /// The mounted ConfigMap kube-dns
    #[arg(
        long,
        value_name = "DIR",
        env = "NEARPATH_KUBEDNSCM",
        help = "The mounted ConfigMap kube-dns (stubDomains, upstreamNameservers) [default: /etc/kube-dns if it is there]"
    )]
    pub kubednscm: Option<PathBuf>,
    /// Leave interface and rules as they are when the last instance ends, also with -teardown or -failsafe 0
    #[arg(long, value_name = "BOOL", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", env = "NEARPATH_SKIPTEARDOWN")]
    pub skipteardown: bool,
    /// Accepted and without use: what a base Corefile is rendered from is taken over at once when it changes
    #[arg(long, value_name = "BOOL", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", env = "NEARPATH_RELOADWITHSIGNAL")]
    pub reloadwithsignal: bool,
    /// What node-cache does not have.
    #[command(flatten)]
    pub failsafe: FailsafeFlags,
}

/// Flags of the kernel's failsafe.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Failsafe (what becomes of questions while no daemon is there)")]
pub struct FailsafeFlags {
    /// How long the kernel sends questions to the central servers after the last daemon has gone: 24h, 90m, 45s; 0: never, and the rules go with the last daemon as node-cache's do
    #[arg(long, value_name = "TIME", value_parser = seconds_or_duration, default_value = "24h", env = "NEARPATH_FAILSAFE")]
    pub failsafe: Duration,
    /// Do so for processes in the host's own network too
    #[arg(long, value_name = "BOOL", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", env = "NEARPATH_FAILSAFE_HOST")]
    pub failsafe_host: bool,
    /// The central servers that questions are sent to, in place of those that are found: no address of a Service
    #[arg(long, value_name = "IP[:PORT],...", value_parser = servers, env = "NEARPATH_FAILSAFE_TO")]
    pub failsafe_to: Option<Servers>,
    /// Remove interface, addresses and rules when the last instance ends by a signal
    #[arg(long, value_name = "BOOL", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", env = "NEARPATH_TEARDOWN")]
    pub teardown: bool,
    /// For tests: `hang.debug.nearpath. CH TXT` stops the thread that takes it
    #[arg(long, hide = true, env = "NEARPATH_DEBUG_HOOKS")]
    pub debug_hooks: bool,
}

/// Addresses, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(pub Vec<IpAddr>);

/// Servers, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servers(pub Vec<SocketAddr>);

impl NodeFlags {
    /// A line for each flag that was given and has no use.
    pub fn without_use(&self) -> impl Iterator<Item = &'static str> {
        let ebtables = self.setupebtables.then_some("-setupebtables has no use: no rules of ebtables are needed");
        let signal = self.reloadwithsignal.then_some(
            "-reloadwithsignal has no use: what a base Corefile is rendered from is taken over at once when it changes",
        );
        ebtables.into_iter().chain(signal)
    }

    /// What is to be set up; `None` without a local address. `services` are the addresses of Services that are known.
    pub fn plan(&self, port: u16, services: &BTreeSet<IpAddr>) -> Option<NodePlan> {
        let own = self.localip.as_ref()?.0.clone();
        let failsafe = Some(self.failsafe.failsafe).filter(|lasts| !lasts.is_zero());
        let tears_down = (self.failsafe.teardown || failsafe.is_none()) && !self.skipteardown;
        Some(NodePlan {
            own,
            services: services.clone(),
            port,
            health_port: self.health_port,
            name: self.interfacename.clone(),
            interface: self.setupinterface,
            rules: self.setupiptables,
            sync_every: self.syncinterval,
            failsafe,
            host_processes: self.failsafe.failsafe_host,
            central: self.failsafe.failsafe_to.clone().map(|servers| servers.0).unwrap_or_default(),
            leaving: if tears_down { Leaving::TearDown } else { Leaving::Stay },
        })
    }
}

fn addresses(text: &str) -> Result<Addresses, String> {
    let list = each(text, |word| word.parse().map_err(|_| format!("`{word}` is no IP address")))?;
    let bad = list.iter().find(|ip: &&IpAddr| ip.is_unspecified() || ip.is_multicast() || is_v6_link_local(ip));
    match bad {
        Some(ip) => Err(format!("{ip} cannot be asked by pods; an address such as 169.254.20.10 or fd00::53")),
        None => Ok(Addresses(list)),
    }
}

/// Such an address means nothing without its link.
fn is_v6_link_local(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

fn servers(text: &str) -> Result<Servers, String> {
    let server = |word: &str| {
        let with_port = word.parse::<SocketAddr>().ok();
        let plain = word.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53));
        with_port
            .or(plain)
            .ok_or_else(|| format!("`{word}` is no server such as 10.2.0.2, 10.2.0.2:53 or [fd02::2]:53"))
    };
    each(text, server).map(Servers)
}

/// The words between commas, each once; at least one.
fn each<T: PartialEq>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let mut list = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let item = parse(word)?;
        if !list.contains(&item) {
            list.push(item);
        }
    }
    if list.is_empty() { Err("at least one address is needed".to_owned()) } else { Ok(list) }
}

/// A truth value as Go's flags take it.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("true or false, written with `=`".to_owned()),
    }
}

/// Seconds, or numbers with a unit as Go writes durations.
fn seconds_or_duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    let wrong = || format!("`{text}` is no time such as 60, 30s, 5m or 24h");
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u32 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let one = match &rest[digits..unit] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3_600),
            _ => return Err(wrong()),
        };
        sum = one.checked_mul(number).and_then(|part| sum.checked_add(part)).ok_or_else(wrong)?;
        rest = &rest[unit..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(sum) }
}

/// At least a second. node-cache takes its number for seconds whatever unit Go needs to read it, so `30ns` is 30 s there.
fn sync_interval(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix("ns").filter(|number| number.parse::<u32>().is_ok()).unwrap_or(text);
    let interval = seconds_or_duration(seconds)?;
    if interval < Duration::from_secs(1) { Err("at least 1 s".to_owned()) } else { Ok(interval) }
}

/// An address and a port; without an address, all of them.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let whole = match text.strip_prefix("localhost") {
        Some(port) => format!("127.0.0.1{port}"),
        None if text.starts_with(':') => format!("0.0.0.0{text}"),
        None => text.to_owned(),
    };
    whole.parse().map_err(|_| format!("`{text}` is no address with a port such as 0.0.0.0:9353"))
}

pub(super) fn interface_name(text: &str) -> Result<String, String> {
    let fits = (1..=INTERFACE_NAME_MAX).contains(&text.len()) && text != "." && text != "..";
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    match fits && plain {
        true => Ok(text.to_owned()),
        false => Err(format!("1 to {INTERFACE_NAME_MAX} letters, digits, `-`, `_` or `.`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_pods_can_ask() {
        let list = |text: &str| addresses(text).map(|list| list.0.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(list("169.254.20.10,10.96.0.10").unwrap(), ["169.254.20.10", "10.96.0.10"]);
        assert_eq!(list("169.254.20.10, fd00::53,,169.254.20.10").unwrap(), ["169.254.20.10", "fd00::53"]);
        for wrong in ["", ",", "169.254.20", "0.0.0.0", "::", "fe80::1", "224.0.0.1", "a"] {
            assert!(list(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_seconds_or_have_units() {
        let millis = |text: &str| seconds_or_duration(text).map(|time| time.as_millis());
        for (text, expected) in
            [("60", 60_000), ("0", 0), ("60s", 60_000), ("1m30s", 90_000), ("24h", 86_400_000), ("250ms", 250)]
        {
            assert_eq!(millis(text), Ok(expected), "{text}");
        }
        for wrong in ["", "s", "1x", "-1", "1 s", "99999999999", "1s1"] {
            assert!(millis(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_sync_interval_is_read_as_node_cache_reads_it() {
        for (text, seconds) in [("60", 60), ("30ns", 30), ("1m", 60), ("1s", 1)] {
            assert_eq!(sync_interval(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert!(sync_interval("0").is_err() && sync_interval("250ms").is_err());
    }

    #[test]
    fn servers_have_a_port_or_get_one() {
        let list = |text: &str| servers(text).map(|list| list.0.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(list("10.2.0.2,[fd02::2]:5353,fd02::3").unwrap(), ["10.2.0.2:53", "[fd02::2]:5353", "[fd02::3]:53"]);
        assert!(list("kube-dns").is_err());
    }

    #[test]
    fn names_of_interfaces_fit_the_kernel() {
        assert!(interface_name("nodelocaldns").is_ok());
        for wrong in ["", "..", "a b", "a/b", "sixteen-letters-"] {
            assert!(interface_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_without_a_host_listen_everywhere() {
        assert_eq!(listen_address(":9353").unwrap().to_string(), "0.0.0.0:9353");
        assert_eq!(listen_address("localhost:9353").unwrap().to_string(), "127.0.0.1:9353");
        assert!(listen_address("9353").is_err());
    }
}
