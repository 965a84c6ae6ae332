//! The commands of iptables, of whichever kind is there: our chains made and removed.

use super::chains::{self, Chain, Extent};
use super::command::{self, Said};
use super::look::Tables;
use super::wanted::Family;
use super::{RulesError, Wanted};

/// How long iptables waits for others who change the rules, seconds; less than a command may take.
const LOCK_SECONDS: &str = "3";
/// Copies of one jump that are removed.
const COPIES_MAX: usize = 16;
/// The tables that have chains of ours.
pub(super) const TABLES: [&str; 3] = ["raw", "nat", "filter"];

/// A kind of iptables: both keep rules of their own in the kernel, and both apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On top of nftables.
    Nft,
    /// The older one.
    Legacy,
    /// Whichever the bare name is.
    Unnamed,
}

/// The commands of one kind for one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Iptables {
    pub(super) kind: Kind,
    pub(super) family: Family,
}

/// The kinds that are installed; the bare name only where no kind is told apart by its name.
pub(super) fn kinds() -> Vec<Kind> {
    let is_there = |kind: &Kind| Iptables { kind: *kind, family: Family::V4 }.is_installed();
    let told: Vec<_> = [Kind::Nft, Kind::Legacy].into_iter().filter(is_there).collect();
    match told.is_empty() {
        true => [Kind::Unnamed].into_iter().filter(is_there).collect(),
        false => told,
    }
}

impl Iptables {
    /// True if there are commands for it.
    pub(super) fn is_installed(&self) -> bool {
        command::find(&self.program("")).is_some()
    }

    pub(super) fn program(&self, what: &str) -> String {
        let family = if self.family == Family::V4 { "iptables" } else { "ip6tables" };
        let kind = match self.kind {
            Kind::Nft => "-nft",
            Kind::Legacy => "-legacy",
            Kind::Unnamed => "",
        };
        format!("{family}{kind}{what}")
    }

    pub(super) fn call(&self, table: &str, words: &[String]) -> Result<Said, RulesError> {
        let mut all = vec!["-w", LOCK_SECONDS, "-t", table];
        all.extend(words.iter().map(String::as_str));
        command::run(&self.program(""), &all, "")
    }

    /// Makes our chains what is wanted, a table at a time, and enters them. What was ours and is not wanted goes. `there` is what
    /// was there, as far as it was looked at.
    pub(super) fn apply(&self, name: &str, chains: &[Chain], there: &Tables) -> Result<(), RulesError> {
        let unwanted = |own: &str, table: &str| !chains.iter().any(|chain| chain.name == own && chain.table == table);
        let mut made = Vec::new();
        for &(table, ref saved) in there {
            let goes: Vec<_> = chains::all(name).filter(|(of, _, own)| *of == table && unwanted(own, table)).collect();
            self.remove_chains(table, &goes, saved.as_deref().unwrap_or_default())?;
            // a jump that somebody removed is made again as it was, if another one still says so
            let with_us = saved.as_ref().is_none_or(|saved| came_with(saved, name));
            made.extend(with_us.then_some(table));
        }
        if chains.is_empty() {
            return Ok(());
        }
        self.restore(&chains::text(chains))?;
        chains.iter().try_for_each(|chain| self.enter(chain, made.contains(&chain.table)))
    }

    /// Fills chains without touching others.
    pub(super) fn restore(&self, text: &str) -> Result<(), RulesError> {
        let program = self.program("-restore");
        command::run(&program, &["-w", LOCK_SECONDS, "--noflush"], text)?.done(&program).map(drop)
    }

    /// One jump, at the head. `made` is said of a table that came with us, so that it can go with us.
    fn enter(&self, chain: &Chain, made: bool) -> Result<(), RulesError> {
        for made in [false, true] {
            if self.call(chain.table, &chains::jump("-C", chain.from, &chain.name, made))?.status.success() {
                return Ok(());
            }
        }
        let jump = chains::jump("-I", chain.from, &chain.name, made);
        self.call(chain.table, &jump)?.done(&self.program("")).map(drop)
    }

    /// Removes all that is ours; true if there was something. A table that came with us goes with us if it is empty.
    pub(super) fn remove(&self, name: &str) -> Result<bool, RulesError> {
        let mut found = false;
        for (table, saved) in self.ours(name)? {
            let Some(saved) = saved else { continue };
            let all: Vec<_> = chains::all(name).filter(|(of, ..)| *of == table).collect();
            let with_us = self.remove_chains(table, &all, &saved)?;
            found |= with_us.is_some();
            if with_us == Some(true) {
                self.tidy(table)?;
            }
        }
        Ok(found)
    }

    /// Removes jumps and chains; `None` if there were none, else whether the table had come with us.
    fn remove_chains(
        &self,
        table: &str,
        goes: &[(&'static str, &'static str, String)],
        saved: &str,
    ) -> Result<Option<bool>, RulesError> {
        let mut with_us = None;
        for (_, from, own) in goes {
            if !saved.lines().any(|line| line.starts_with(&format!(":{own} "))) {
                continue;
            }
            let marked = saved.lines().any(|line| is_marked(line, own));
            with_us = Some(with_us == Some(true) || marked);
            self.leave(table, from, own)?;
            for verb in ["-F", "-X"] {
                self.call(table, &[verb.to_owned(), own.clone()])?.done(&self.program(""))?;
            }
        }
        Ok(with_us)
    }

    /// Removes all jumps to a chain; somebody may have copied one.
    fn leave(&self, table: &str, from: &str, own: &str) -> Result<(), RulesError> {
        for made in [false, true] {
            for _ in 0..COPIES_MAX {
                if !self.call(table, &chains::jump("-D", from, own, made))?.status.success() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Removes a table that is empty: first the kernel's chains in it, if they have the policy that they are made with,
    /// then, by `nft`, the table. The older kind cannot: its tables go with the network or the kernel's module.
    pub(super) fn tidy(&self, table: &str) -> Result<(), RulesError> {
        let Some(saved) = self.listed(table)? else { return Ok(()) };
        let is_base = |line: &str| line.starts_with(':') && line.contains(" ACCEPT ");
        if self.kind == Kind::Legacy || !saved.trim().lines().all(is_base) {
            return Ok(());
        }
        for chain in saved.lines().filter_map(|line| line.strip_prefix(':')?.split(' ').next()) {
            self.call(table, &["-X".to_owned(), chain.to_owned()])?;
        }
        let family = if self.family == Family::V4 { "ip" } else { "ip6" };
        let Ok(listed) = command::run("nft", &["list", "table", family, table], "") else { return Ok(()) };
        // "table ip raw {" and "}" alone
        if listed.status.success() && listed.output.trim().lines().count() == 2 {
            command::run("nft", &["delete", "table", family, table], "")?.done("nft")?;
        }
        Ok(())
    }
}

/// True if a table was not there before rules of this name were.
fn came_with(saved: &str, name: &str) -> bool {
    chains::all(name).any(|(_, _, own)| saved.lines().any(|line| is_marked(line, &own)))
}

/// True for a jump to a chain of ours that says that the table came with it.
fn is_marked(line: &str, own: &str) -> bool {
    line.ends_with(&format!(" -j {own}")) && line.contains(chains::MADE)
}

/// Tries in the kernel whether rules of this extent can be made; leaves nothing behind.
pub(super) fn accepts(kind: Kind, wanted: &Wanted, extent: Extent, until: Option<&str>) -> Result<(), RulesError> {
    const TRIAL: &str = "trial";
    let tables = Iptables { kind, family: Family::V4 };
    let chains = chains::chains(TRIAL, wanted, Family::V4, extent, until);
    let mut absent = Vec::new();
    for (table, saved) in tables.saved()? {
        absent.extend(saved.is_none().then_some(table));
    }
    let made = tables.restore(&chains::text(&chains));
    tables.remove(TRIAL)?;
    absent.into_iter().try_for_each(|table| tables.tidy(table))?;
    made
}
