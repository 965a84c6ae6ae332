//! The rules of the node and the kernel's failsafe.
//!
//! ```text
//!   Wanted --> Rules::apply --> nft: a table per family, replaced in one transaction
//!                           '-> iptables: chains of ours, each filled at once and entered by one jump
//! ```
//!
//! With a failsafe a question goes to our socket while one is open, and else the kernel itself sends it to a central
//! server. What makes it do so ends by itself unless [`Rules::renew`] is called: nobody has to clean up.
//!
//! All calls run other programs and wait for them, each for at most [`contract::limits::RULES_COMMAND_WITHIN`]; they belong
//! on a thread of their own.

mod chained;
mod chains;
mod command;
mod date;
mod error;
mod iptables;
mod look;
mod nft;
mod phrases;
mod table;
#[cfg(test)]
mod tests;
mod told;
mod wanted;
mod whole;
mod without;
mod writer;

use std::net::SocketAddr;
use std::time::SystemTime;

use serde_json::Value;

pub use error::RulesError;
pub use iptables::Kind;
pub use told::{Element, Told};
pub use wanted::{Detour, Failsafe, Wanted};
pub use without::Without;

use chains::Extent;
use iptables::{all_iptables, by_use};
use wanted::Family;

/// What the rules are made by, found by trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Tables of nftables; the failsafe is whole.
    Nft,
    /// Chains of iptables with `-m socket`.
    Iptables {
        /// True if the failsafe ends by itself (`-m time`).
        expires: bool,
    },
    /// Chains of iptables without it: the rules of node-cache, no failsafe.
    IptablesPlain,
    /// Neither is there, or we may not.
    Nothing,
}

/// The rules of one instance's name in this network.
#[derive(Debug)]
pub struct Rules {
    name: String,
    means: Means,
    kind: Option<Kind>,
    refusals: Vec<RulesError>,
    written: Option<Written>,
    without: Option<Without>,
    /// True if nothing is left of an instance that found other means.
    swept: bool,
}

/// What was made, and how the kernel shows it.
#[derive(Debug, PartialEq)]
struct Written {
    wanted: Wanted,
    seen: Seen,
}

/// What the kernel has of ours, in the form that is compared.
#[derive(Debug, PartialEq)]
struct Seen {
    tables: Vec<Vec<Value>>,
    lines: Vec<Vec<String>>,
}

impl Rules {
    /// Tries in the kernel what can be done here, and leaves nothing behind. `name` is the interface's.
    pub fn find(name: &str) -> Self {
        let mut rules = Self::untried(name);
        let whole = table::whole(&table_name("trial"), &Wanted::sample(), &[]);
        match nft::check(&whole) {
            Ok(()) => rules.means = Means::Nft,
            Err(error) => {
                rules.refusals.push(error);
                rules.find_iptables(by_use(iptables::kinds()));
            }
        }
        rules
    }

    /// The same, with nothing but one kind of iptables.
    pub fn find_by(name: &str, kind: Kind) -> Self {
        let mut rules = Self::untried(name);
        rules.find_iptables(vec![kind]);
        rules
    }

    fn untried(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            means: Means::Nothing,
            kind: None,
            refusals: Vec::new(),
            written: None,
            without: None,
            swept: false,
        }
    }

    /// The best that one of these kinds can do.
    fn find_iptables(&mut self, kinds: Vec<Kind>) {
        let sample = Wanted::sample();
        let until = date::in_iptables(SystemTime::now(), std::time::Duration::from_secs(60));
        let extents = [
            (Means::Iptables { expires: true }, true, Some(until.as_str())),
            (Means::Iptables { expires: false }, true, None),
            (Means::IptablesPlain, false, None),
        ];
        for (means, socket, until) in extents {
            for &kind in &kinds {
                match iptables::accepts(kind, &sample, Extent::All { socket }, until) {
                    Ok(()) => {
                        (self.means, self.kind) = (means, Some(kind));
                        return;
                    }
                    Err(error) => self.refusals.push(error),
                }
            }
        }
    }

    /// What the rules are made by.
    pub fn means(&self) -> Means {
        self.means
    }

    /// Why nothing better than [`Rules::means`] was found, in the words of the programs that were tried.
    pub fn refusals(&self) -> &[RulesError] {
        &self.refusals
    }

    /// True if there is no point in [`Rules::find`] again: something was found, and nothing better failed for a reason that passes,
    /// such as the load of the moment.
    pub fn settled(&self) -> bool {
        self.means != Means::Nothing && !self.refusals.iter().any(RulesError::passes)
    }

    /// What the kernel refused when [`Rules::apply`] put the rest in place; `None` if all is there.
    pub fn without(&self) -> Option<&Without> {
        self.without.as_ref()
    }

    /// Makes the rules what is wanted, whatever was there of ours. No packet sees them missing, and foreign ones are not
    /// touched. Twice is once. What the kernel cannot do is left out; [`Rules::without`] says so.
    ///
    /// # Errors
    /// If nothing of it can be done, or a program does not do what it could.
    pub fn apply(&mut self, wanted: &Wanted) -> Result<(), RulesError> {
        (self.written, self.without) = (None, None);
        let seen = match self.means {
            Means::Nft => self.apply_nft(wanted)?,
            Means::Iptables { .. } | Means::IptablesPlain => self.apply_iptables(wanted)?,
            Means::Nothing => return Err(RulesError::Nothing),
        };
        self.written = Some(Written { wanted: wanted.clone(), seen });
        Ok(())
    }

    /// True if the kernel has what [`Rules::apply`] made, and that is what is wanted now. Starts six processes at most, and two
    /// where the rules are made by iptables.
    pub fn holds(&self, wanted: &Wanted) -> Result<bool, RulesError> {
        match &self.written {
            Some(written) if written.wanted == *wanted => Ok(self.seen()? == written.seen),
            _ => Ok(false),
        }
    }

    /// Begins the time of the failsafe anew; nothing else is touched. An error if the rules have gone.
    pub fn renew(&mut self, wanted: &Wanted) -> Result<(), RulesError> {
        if wanted.failsafe.is_none() {
            return Ok(());
        }
        match self.means {
            Means::Nft => {
                let mut made = wanted.clone();
                made.own.retain(|ip| !self.without.iter().any(|without| without.own.contains(ip)));
                nft::commit(&table::renewal(&table_name(&self.name), &made))
            }
            Means::Iptables { expires: true } => self.fill_chains(wanted),
            Means::Iptables { expires: false } | Means::IptablesPlain | Means::Nothing => Ok(()),
        }
    }

    /// The central servers that the kernel sends questions to by rules of this name, whoever made them; each once.
    pub fn armed(&self) -> Result<Vec<SocketAddr>, RulesError> {
        let mut servers = Vec::new();
        for family in Family::BOTH {
            let table = nft::table(&table_name(&self.name), family)?;
            servers.extend(table.iter().flat_map(table::central_of));
        }
        for tables in all_iptables() {
            let nat = [("nat", tables.ours_in("nat", &self.name)?)];
            servers.extend(chains::central_of(&look::lines(&nat, &self.name)));
        }
        servers.sort_unstable();
        servers.dedup();
        Ok(servers)
    }

    /// Removes all of this name; true if there was something.
    pub fn remove(&mut self) -> Result<bool, RulesError> {
        self.written = None;
        Self::remove_all(&self.name)
    }

    /// Removes all of a name, whatever it was made by; true if there was something. Foreign rules are not touched. A table
    /// of iptables that came with ours goes too if it is empty then, but for those of `iptables-legacy`: nobody can remove
    /// them but the end of the network or of the kernel's module.
    pub fn remove_all(name: &str) -> Result<bool, RulesError> {
        let mut found = false;
        let mut first_error = None;
        let mut note = |removed: Result<bool, RulesError>| match removed {
            Ok(some) => found |= some,
            Err(error) => first_error = first_error.take().or(Some(error)),
        };
        note(remove_tables(name));
        for tables in all_iptables() {
            note(tables.remove(name));
        }
        first_error.map_or(Ok(found), Err)
    }

    fn seen(&self) -> Result<Seen, RulesError> {
        match self.means {
            Means::Nft => self.seen_by_nft(),
            Means::Iptables { .. } | Means::IptablesPlain => self.seen_by_iptables(),
            Means::Nothing => Err(RulesError::Nothing),
        }
    }
}

/// The name of our table for an interface's name.
fn table_name(name: &str) -> String {
    format!("nearpath-{name}")
}

fn remove_tables(name: &str) -> Result<bool, RulesError> {
    let name = table_name(name);
    let present = nft::present(&name, Family::BOTH)?;
    if !present.is_empty() {
        nft::commit(&table::none(&name, &present))?;
    }
    Ok(!present.is_empty())
}
