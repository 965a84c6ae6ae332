//! What iptables has, asked for so that no more is read than is looked at: a Service proxy's rules are many thousands, and a
//! program that saves a table on top of nftables reads those of all tables.

use super::RulesError;
use super::chains;
use super::command;
use super::iptables::{Iptables, Kind, TABLES};
use super::wanted::Family;

/// The tables that may have chains of ours, as `iptables-save` writes them; `None`: there is no such table.
pub(super) type Tables = [(&'static str, Option<String>); 3];

/// No tables.
pub(super) const NONE: Tables = [(TABLES[0], None), (TABLES[1], None), (TABLES[2], None)];

/// Whether a host drops what it does not know, by a policy or by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drops {
    /// What comes in or goes out.
    pub(super) local: bool,
    /// What is sent on.
    pub(super) forwarded: bool,
}

impl Drops {
    /// True if it drops anything.
    pub(super) fn any(self) -> bool {
        self.local || self.forwarded
    }

    /// As the lines of the table `filter` say. A rule in a chain that is none of the kernel's may be met by all.
    pub(super) fn of(filter: &str) -> Self {
        let mut drops = Self { local: false, forwarded: false };
        for line in filter.lines() {
            let mut words = line.split(' ');
            let chain = match (words.next(), words.next(), words.next()) {
                (Some("-A"), Some(chain), _) if [" -j DROP", " -j REJECT"].iter().any(|end| line.contains(end)) => {
                    chain
                }
                (Some(base), Some("DROP"), _) => base.trim_start_matches(':'),
                _ => continue,
            };
            drops.local |= chain != "FORWARD";
            drops.forwarded |= !matches!(chain, "INPUT" | "OUTPUT");
        }
        drops
    }
}

impl Iptables {
    /// All tables, by one process that reads all rules of the family. Nothing is made by looking.
    pub(super) fn saved(&self) -> Result<Tables, RulesError> {
        if self.kind == Kind::Legacy && self.legacy_tables().is_empty() {
            return Ok(NONE);
        }
        let program = self.program("-save");
        let all = command::run(&program, &[], "")?.done(&program)?;
        let body = |table: &str| {
            let rest = all.split(&format!("*{table}\n")).nth(1)?;
            rest.split("COMMIT").next().map(str::to_owned)
        };
        Ok(TABLES.map(|table| (table, body(table))))
    }

    /// One whole table, by one process that reads no other one.
    pub(super) fn listed(&self, table: &str) -> Result<Option<String>, RulesError> {
        self.list(table, &["-S".to_owned()])
    }

    /// What is ours, chain by chain, with the chains of the kernel that lead to it.
    pub(super) fn ours(&self, name: &str) -> Result<Tables, RulesError> {
        let mut tables = NONE;
        for (table, text) in &mut tables {
            *text = self.ours_in(table, name)?;
        }
        Ok(tables)
    }

    /// The same, of one table.
    pub(super) fn ours_in(&self, table: &str, name: &str) -> Result<Option<String>, RulesError> {
        let mut all = None;
        for (_, from, own) in chains::all(name).filter(|(of, ..)| *of == table) {
            if let Some(rules) = self.chain(table, &own)? {
                let entered = self.chain(table, from)?.unwrap_or_default();
                *all.get_or_insert_with(String::new) += &format!("{rules}{entered}");
            }
        }
        Ok(all)
    }

    /// One chain; `None` if it is not there.
    pub(super) fn chain(&self, table: &str, chain: &str) -> Result<Option<String>, RulesError> {
        self.list(table, &["-S".to_owned(), chain.to_owned()])
    }

    /// The output of `-S` in the words of `iptables-save`. A table of the older kind that is not there would come by being asked
    /// for, so it is not.
    fn list(&self, table: &str, words: &[String]) -> Result<Option<String>, RulesError> {
        if self.kind == Kind::Legacy && !self.legacy_tables().lines().any(|there| there == table) {
            return Ok(None);
        }
        let said = match self.call(table, words)?.done(&self.program("")) {
            Err(error) if error.is_absence() => return Ok(None),
            said => said?,
        };
        let line = |line: &str| match line.split_once(' ') {
            Some(("-P", base)) => format!(":{base} [0:0]\n"),
            Some(("-N", own)) => format!(":{own} - [0:0]\n"),
            _ => format!("{line}\n"),
        };
        Ok(Some(said.lines().map(line).collect()))
    }

    /// The tables that the older kind has in this network.
    fn legacy_tables(&self) -> String {
        let file = if self.family == Family::V4 { "ip_tables_names" } else { "ip6_tables_names" };
        std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default()
    }
}

/// The lines that are ours, in a form that does not change by itself: chains, rules, jumps, without counters and dates.
pub(super) fn lines(tables: &[(&'static str, Option<String>)], name: &str) -> Vec<String> {
    let own: Vec<_> = chains::all(name).map(|(_, _, own)| own).collect();
    let ours = |line: &&str| {
        let mut words = line.split_whitespace();
        words.any(|word| own.iter().any(|own| word.trim_start_matches(':') == own))
    };
    let undated = |line: &str| {
        let date = line.split_once("--datestart ").and_then(|(_, rest)| rest.split(' ').next());
        let line = date.map_or(line.to_owned(), |date| line.replace(date, "DATE"));
        // a chain's line ends with its counters; in a rule's a bracket is an address of IPv6
        let end = line.find(" [").filter(|_| line.starts_with(':')).unwrap_or(line.len());
        line[..end].to_owned()
    };
    let mut all = Vec::new();
    for (table, text) in tables {
        let lines = text.iter().flat_map(|text| text.lines());
        all.extend(lines.filter(ours).map(|line| format!("{table} {}", undated(line))));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_counts_where_it_can_be_met() {
        let of = |filter: &str| (Drops::of(filter).local, Drops::of(filter).forwarded);
        assert_eq!(of(":INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n-A INPUT -j ACCEPT\n"), (false, false));
        assert_eq!(of(":FORWARD DROP [0:0]\n"), (false, true));
        assert_eq!(of(":OUTPUT DROP [0:0]\n"), (true, false));
        assert_eq!(of("-A FORWARD -i eth0 -j REJECT --reject-with icmp-port-unreachable\n"), (false, true));
        assert_eq!(of("-A INPUT -j DROP\n"), (true, false));
        assert_eq!(of("-A KUBE-FIREWALL -j DROP\n"), (true, true));
        assert_eq!(of(":DROP - [0:0]\n"), (false, false), "a chain may have any name");
    }
}
