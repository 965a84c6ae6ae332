//! The rules made by iptables, where nftables cannot be used.

use std::time::SystemTime;

use super::chains::{self, Extent};
use super::iptables::{Iptables, all_iptables};
use super::wanted::Family;
use super::without::piecewise;
use super::{Means, Rules, RulesError, Seen, Wanted, date, look, remove_tables};

impl Rules {
    /// Makes the chains; what is refused is left out.
    pub(super) fn apply_iptables(&mut self, wanted: &Wanted) -> Result<Seen, RulesError> {
        if !self.swept {
            // an earlier instance may have found other means
            remove_tables(&self.name)?;
            for tables in all_iptables().filter(|tables| Some(tables.kind) != self.kind) {
                tables.remove(&self.name)?;
            }
            self.swept = true;
        }
        self.fill_chains(wanted)?;
        self.seen_by_iptables()
    }

    /// The chains of each family that has commands; what is refused is left out.
    pub(super) fn fill_chains(&mut self, wanted: &Wanted) -> Result<(), RulesError> {
        let kind = self.kind.expect("iptables was found by its kind");
        let lasts = wanted.failsafe.as_ref().map(|failsafe| failsafe.lasts);
        let until = match self.means {
            Means::Iptables { expires: true } => lasts.map(|lasts| date::in_iptables(SystemTime::now(), lasts)),
            _ => None,
        };
        let extent = Extent::All { socket: matches!(self.means, Means::Iptables { .. }) };
        let (_, without) = piecewise(wanted, |family, part| {
            let tables = Iptables { kind, family };
            if !tables.is_installed() {
                return Ok(());
            }
            let chains = chains::chains(&self.name, part, family, extent, until.as_deref());
            tables.apply(&self.name, &chains, &tables.saved()?)
        })?;
        self.without = without;
        Ok(())
    }

    /// One process for each family.
    pub(super) fn seen_by_iptables(&self) -> Result<Seen, RulesError> {
        let kind = self.kind.expect("iptables was found by its kind");
        let both = Family::BOTH.map(|family| Iptables { kind, family });
        let there = both.iter().filter(|tables| tables.is_installed());
        let lines = there.map(|tables| Ok(look::lines(&tables.saved()?, &self.name)));
        Ok(Seen { tables: Vec::new(), lines: lines.collect::<Result<_, _>>()? })
    }
}
