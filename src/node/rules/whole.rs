//! The rules made by nftables: the failsafe is whole, and a host's own filter by iptables is told to let it through.

use super::chains::{self, Extent};
use super::look::{self, Drops};
use super::wanted::Family;
use super::without::piecewise;
use super::{Rules, RulesError, Seen, Wanted, Without, all_iptables, nft, table, table_name};

impl Rules {
    /// Makes the tables; what is refused is left out.
    pub(super) fn apply_nft(&mut self, wanted: &Wanted) -> Result<Seen, RulesError> {
        let name = table_name(&self.name);
        let (made, without) = tables(&name, wanted)?;
        self.without = without;
        self.let_through(wanted)?;
        let seen = self.seen_by_nft()?;
        let there = seen.tables.iter().map(|table| nft::rules(table)).sum();
        match there == made {
            true => Ok(seen),
            false => Err(RulesError::Meddled { made, there }),
        }
    }

    /// An `accept` in our table ends nobody else's: where the host drops by iptables, it is told so in its own chains.
    fn let_through(&mut self, wanted: &Wanted) -> Result<(), RulesError> {
        for tables in all_iptables() {
            let mut there = look::NONE;
            if !self.swept {
                // an earlier instance may have found other means
                there = tables.ours(&self.name)?;
            }
            let filter = tables.listed("filter")?;
            let drops = Drops::of(filter.as_deref().unwrap_or_default());
            there.iter_mut().filter(|(table, _)| *table == "filter").for_each(|(_, text)| text.clone_from(&filter));
            let chains = match drops.any() {
                true => chains::chains(&self.name, wanted, tables.family, Extent::Accept(drops), None),
                false => Vec::new(),
            };
            tables.apply(&self.name, &chains, &there)?;
        }
        self.swept = true;
        Ok(())
    }

    /// Two processes of nft, and one for each table `filter` of iptables: how the host drops is part of what is seen, since it
    /// decides what is told there.
    pub(super) fn seen_by_nft(&self) -> Result<Seen, RulesError> {
        let name = table_name(&self.name);
        let tables = Family::BOTH.into_iter().map(|family| {
            let table = nft::table(&name, family)?;
            Ok(table.map(|table| nft::normal(&table, table::HAIRPIN)).unwrap_or_default())
        });
        let lines = all_iptables().map(|tables| {
            let filter = tables.listed("filter")?;
            let drops = Drops::of(filter.as_deref().unwrap_or_default());
            let mut lines = look::lines(&[("filter", filter)], &self.name);
            lines.push(format!("{drops:?}"));
            Ok(lines)
        });
        Ok(Seen { tables: tables.collect::<Result<_, _>>()?, lines: lines.collect::<Result<_, _>>()? })
    }
}

/// All in one transaction, or each family in its own if that is refused; how many rules were made.
fn tables(name: &str, wanted: &Wanted) -> Result<(usize, Option<Without>), RulesError> {
    let unasked = Family::BOTH.into_iter().filter(|family| wanted.of(*family).own.is_empty());
    let batch = table::whole(name, wanted, &nft::present(name, unasked)?);
    match nft::commit(&batch) {
        Err(RulesError::Refused { .. }) => {
            let (made, without) = piecewise(wanted, |family, part| one(name, family, part))?;
            Ok((made.iter().sum(), without))
        }
        made => made.map(|()| (nft::rules(nft::objects(&batch)), None)),
    }
}

/// The table of one family. If it is refused, one from before goes: it knows other servers.
fn one(name: &str, family: Family, part: &Wanted) -> Result<usize, RulesError> {
    let unasked = Some(family).filter(|_| part.own.is_empty());
    let batch = table::whole(name, part, &nft::present(name, unasked)?);
    if nft::objects(&batch).is_empty() {
        return Ok(0);
    }
    if let Err(refused) = nft::commit(&batch) {
        let before = nft::present(name, [family])?;
        if !before.is_empty() {
            nft::commit(&table::none(name, &before))?;
        }
        return Err(refused);
    }
    Ok(nft::rules(nft::objects(&batch)))
}
