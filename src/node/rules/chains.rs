//! What is wanted as chains of iptables: ours hold the rules, and each is entered by one jump from the kernel's.
//!
//! They are written whole, a table at a time. With a failsafe each chain begins with a rule that leaves it after a date;
//! whoever renews the failsafe writes them with a later one.

use std::net::{IpAddr, SocketAddr};

use super::Wanted;
use super::look::Drops;
use super::wanted::Family;

/// What the chains of iptables are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Nothing is tracked, or with a failsafe what a socket takes, and the rest goes to the central servers.
    All {
        /// `-m socket` is known.
        socket: bool,
    },
    /// A host that drops what it does not know lets our questions and answers through, where it does; the rest is done by nftables.
    Accept(Drops),
}

/// A chain of ours, and the one of the kernel that it is entered from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// The table.
    pub(super) table: &'static str,
    /// The kernel's chain.
    pub(super) from: &'static str,
    /// Ours.
    pub(super) name: String,
    /// Its rules, without `-A NAME`.
    pub(super) rules: Vec<String>,
}

/// The kernel's chains with the middle of the name of ours: 28 characters in all, 15 of them the interface's.
const CHAINS: [(&str, &str, &str); 7] = [
    ("raw", "PREROUTING", "PRE"),
    ("raw", "OUTPUT", "OUT"),
    ("nat", "PREROUTING", "DST"),
    ("nat", "POSTROUTING", "SRC"),
    ("filter", "INPUT", "IN"),
    ("filter", "OUTPUT", "OUT"),
    ("filter", "FORWARD", "FWD"),
];

/// Table, the kernel's chain and ours, for all that an instance of this name may ever have made.
pub(super) fn all(name: &str) -> impl Iterator<Item = (&'static str, &'static str, String)> {
    CHAINS.iter().map(move |&(table, from, middle)| (table, from, format!("NEARPATH-{middle}-{name}")))
}

/// The end of a jump's comment in a table that was not there before.
pub(super) const MADE: &str = ", table made with it";

/// The words that make (`-I`), look for (`-C`) or remove (`-D`) a jump from one of the kernel's chains to ours.
pub(super) fn jump(verb: &str, from: &str, to: &str, made: bool) -> Vec<String> {
    let comment = format!("nearpath: DNS of this node{}", if made { MADE } else { "" });
    [verb, from, "-m", "comment", "--comment", &comment, "-j", to].map(str::to_owned).into()
}

/// The chains of one family that are wanted, those without a rule left out. `until` is when the failsafe ends.
pub(super) fn chains(name: &str, wanted: &Wanted, family: Family, extent: Extent, until: Option<&str>) -> Vec<Chain> {
    let named = all(name).map(|(table, from, name)| {
        let rules = wanted.own.iter().filter(|ip| family.has(ip)).flat_map(|&ip| {
            let address = Address { ip, family, wanted };
            match (extent, table, from) {
                (Extent::Accept(Drops { forwarded: false, .. }), "filter", "FORWARD") => Vec::new(),
                (_, "filter", "FORWARD") => address.sent_on(),
                (Extent::Accept(Drops { local: false, .. }), ..) => Vec::new(),
                (_, "filter", "INPUT") => address.accepted_in(),
                (_, "filter", _) => address.accepted_out(),
                (Extent::Accept(_), ..) => Vec::new(),
                (Extent::All { socket: true }, ..) if wanted.failsafe.is_some() => address.failsafe(table, from),
                (Extent::All { .. }, ..) => address.untracked(table, from),
            }
        });
        let rules = rules.collect();
        Chain { table, from, name, rules }
    });
    let mut chains: Vec<_> = named.filter(|chain| !chain.rules.is_empty()).collect();
    if let Some(until) = until {
        for chain in &mut chains {
            chain.rules.insert(0, format!("-m time --datestart {until} -j RETURN"));
        }
    }
    chains
}

/// The chains as `iptables-restore --noflush` reads them: those named are emptied and filled at once, the others stay.
pub(super) fn text(chains: &[Chain]) -> String {
    let mut text = String::new();
    for table in ["raw", "nat", "filter"] {
        let own: Vec<_> = chains.iter().filter(|chain| chain.table == table).collect();
        if own.is_empty() {
            continue;
        }
        text += &format!("*{table}\n");
        own.iter().for_each(|chain| text += &format!(":{} - [0:0]\n", chain.name));
        for chain in own {
            chain.rules.iter().for_each(|rule| text += &format!("-A {} {rule}\n", chain.name));
        }
        text += "COMMIT\n";
    }
    text
}

/// The central servers that our rules send questions to, as `iptables-save` shows them.
pub(super) fn central_of(lines: &[String]) -> Vec<SocketAddr> {
    let sent_on = lines.iter().filter(|line| !line.contains("-m socket"));
    sent_on.filter_map(|line| line.split_once("--to-destination ")?.1.split(' ').next()?.parse().ok()).collect()
}

/// The rules for one address that pods ask.
struct Address<'a> {
    ip: IpAddr,
    family: Family,
    wanted: &'a Wanted,
}

impl Address<'_> {
    /// Questions to us, by one protocol.
    fn to(&self, protocol: &str) -> String {
        format!("-d {} -p {protocol} --dport {}", self.ip, self.wanted.port)
    }

    /// Answers of ours, by one protocol.
    fn from(&self, protocol: &str) -> String {
        format!("-s {} -p {protocol} --sport {}", self.ip, self.wanted.port)
    }

    fn accepted_in(&self) -> Vec<String> {
        ["tcp", "udp"].map(|protocol| format!("{} -j ACCEPT", self.to(protocol))).into()
    }

    fn accepted_out(&self) -> Vec<String> {
        ["tcp", "udp"].map(|protocol| format!("{} -j ACCEPT", self.from(protocol))).into()
    }

    /// What the failsafe sends on to a central server, of pods and of the host, and the answers to it: an entry of connection
    /// tracking is known by the address that was asked, in both directions.
    fn sent_on(&self) -> Vec<String> {
        let rule = |protocol: &&str| format!("-p {protocol} {} -j ACCEPT", self.as_it_was());
        self.wanted.failsafe.as_ref().map(|_| ["tcp", "udp"].iter().map(rule).collect()).unwrap_or_default()
    }

    /// A question to us that somebody has translated.
    fn as_it_was(&self) -> String {
        format!("-m conntrack --ctstate DNAT --ctorigdst {} --ctorigdstport {}", self.ip, self.wanted.port)
    }

    /// The rules that node-cache has.
    fn untracked(&self, table: &str, from: &str) -> Vec<String> {
        let questions = ["tcp", "udp"].map(|protocol| format!("{} -j CT --notrack", self.to(protocol)));
        match (table, from) {
            ("raw", "PREROUTING") => questions.into(),
            ("raw", "OUTPUT") => {
                let answers = ["tcp", "udp"].map(|protocol| format!("{} -j CT --notrack", self.from(protocol)));
                questions.into_iter().chain(answers).chain(self.health()).collect()
            }
            _ => Vec::new(),
        }
    }

    fn health(&self) -> [String; 2] {
        let (ip, port) = (self.ip, self.wanted.health_port);
        [
            format!("-d {ip} -p tcp --dport {port} -j CT --notrack"),
            format!("-s {ip} -p tcp --sport {port} -j CT --notrack"),
        ]
    }

    fn failsafe(&self, table: &str, from: &str) -> Vec<String> {
        match (table, from) {
            ("raw", "PREROUTING") => self.taken(),
            ("raw", "OUTPUT") => self.sent(),
            ("nat", "PREROUTING") => self.translated(),
            _ => self.hidden(),
        }
    }

    /// A question that comes: a socket takes it untracked. A host's own is turned round by the detour if none does.
    fn taken(&self) -> Vec<String> {
        let mut rules = Vec::new();
        if let Some(hop) = self.detour() {
            rules.push(format!("-i lo {} -m socket -j ACCEPT", self.to("udp")));
            for protocol in ["tcp", "udp"] {
                rules.push(format!("-i lo {} -j TEE --gateway {hop}", self.to(protocol)));
                rules.push(format!("-i lo {} -j DROP", self.to(protocol)));
            }
        }
        rules.push(format!("{} -m socket -j CT --notrack", self.to("udp")));
        rules
    }

    /// What leaves this host.
    fn sent(&self) -> Vec<String> {
        let mut rules = vec![format!("{} -j CT --notrack", self.from("udp"))];
        if self.detour().is_some() {
            rules.extend(["tcp", "udp"].map(|protocol| format!("{} -j CT --notrack", self.to(protocol))));
        } else if self.stands_in() {
            rules.push(format!("{} -j CT --notrack", self.to("udp")));
        }
        rules.extend(self.health());
        rules
    }

    /// TCP that a socket takes goes where it goes anyhow, so that no Service proxy takes it; the rest to a central server.
    fn translated(&self) -> Vec<String> {
        let to = |ip: IpAddr, port: u16| SocketAddr::new(ip, port);
        let mut rules =
            vec![format!("{} -m socket -j DNAT --to-destination {}", self.to("tcp"), to(self.ip, self.wanted.port))];
        if !self.stands_in() {
            return rules;
        }
        let servers: Vec<_> = self.wanted.central().filter(|server| self.family.has(&server.ip())).collect();
        for protocol in ["tcp", "udp"] {
            for (index, server) in servers.iter().enumerate() {
                // each takes its share of what those before it have left
                let left = servers.len() - index;
                let share = match left {
                    1 => String::new(),
                    _ => format!(" -m statistic --mode random --probability {:.8}", 1.0 / left as f64),
                };
                rules.push(format!("{}{share} -j DNAT --to-destination {server}", self.to(protocol)));
            }
        }
        rules
    }

    /// A host's own question has our address for its source too; its answer is to come back here.
    fn hidden(&self) -> Vec<String> {
        let rule = |protocol: &&str| format!("-s {} -p {protocol} {} -j MASQUERADE", self.ip, self.as_it_was());
        self.detour().map(|_| ["tcp", "udp"].iter().map(rule).collect()).unwrap_or_default()
    }

    fn stands_in(&self) -> bool {
        let servers = self.wanted.central().any(|server| self.family.has(&server.ip()));
        servers && !self.wanted.of_services.contains(&self.ip)
    }

    fn detour(&self) -> Option<IpAddr> {
        let detour = self.wanted.host.as_ref()?;
        match self.family {
            Family::V4 => Some(detour.address.into()),
            Family::V6 => detour.address6.map(Into::into),
        }
    }
}
