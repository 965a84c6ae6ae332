//! What is said to a query, and when nothing is.

use std::net::IpAddr;
use std::time::Duration;

use contract::limits;
use contract::told;
use contract::wire::{Composer, Flags, Name, Rcode, RecordType, Section};
use contract::{Answer, Query, Reply, Source};

use crate::table::Table;
use crate::{Hosts, NAME, reverse};

impl Hosts {
    /// The reply; `None` if the next plugin is to answer.
    pub(crate) fn answer(&self, query: &Query) -> Option<Reply> {
        let file = self.file.table();
        let tables = [&**file, &self.inline];
        if query.rtype == RecordType::PTR {
            // in every zone, and an unknown address goes on with or without `fallthrough`
            let address = reverse::address(&query.name)?;
            let names = joined(tables.map(|table| table.names(address)));
            return (!names.is_empty()).then(|| self.records(query, &names, Composer::rdata_name));
        }
        if !is_in(&self.zones, &query.name) {
            return None;
        }
        let goes_on = is_in(&self.settings.fallthrough, &query.name);
        let addresses: Vec<IpAddr> = match query.rtype {
            RecordType::A => joined(tables.map(|table| table.v4(&query.name))).into_iter().map(IpAddr::V4).collect(),
            RecordType::AAAA => joined(tables.map(|table| table.v6(&query.name))).into_iter().map(IpAddr::V6).collect(),
            _ if self.settings.fallthrough_unsupported && goes_on => return None,
            _ => Vec::new(),
        };
        if addresses.is_empty() && !is_known(tables, &query.name) {
            return if goes_on { None } else { Some(self.unknown(query)) };
        }
        Some(self.records(query, &addresses, |to, address| match address {
            IpAddr::V4(ip) => to.octets(&ip.octets()),
            IpAddr::V6(ip) => to.octets(&ip.octets()),
        }))
    }

    /// Where what is said of a name stands, for people.
    pub(crate) fn origin(&self, query: &Query) -> String {
        let (file, path) = (self.file.table(), self.file.path().display());
        let of_address = |table: &Table| reverse::address(&query.name).and_then(|ip| table.names(ip).first().cloned());
        let line = |table: &Table| match query.rtype {
            RecordType::PTR => of_address(table).and_then(|name| table.line(&name)),
            _ => table.line(&query.name),
        };
        match (line(&file), line(&self.inline)) {
            (Some(line), None) => format!("listed in {path} line {line}"),
            (Some(line), Some(_)) => format!("listed in {path} line {line}, and in the Corefile"),
            (None, Some(_)) => "listed in the Corefile".to_owned(),
            (None, None) => "not listed, and no fallthrough".to_owned(),
        }
    }

    /// A record of the type asked for with each RDATA, as many as fit. None is NODATA, and there is no SOA to give it.
    fn records<T>(&self, query: &Query, items: &[T], rdata: impl Fn(&mut Composer, &T)) -> Reply {
        let mut composer = Composer::new(&query.name, query.rtype, query.class);
        composer.flags(Flags::AA);
        for item in items {
            let ttl = self.settings.ttl;
            if composer.record(Section::Answer, &query.name, query.rtype, ttl, |to| rdata(to, item)).is_err() {
                break;
            }
        }
        self.reply(Answer::composed(composer.finish(), Rcode::NOERROR))
    }

    /// A hosts file has no SOA, and NXDOMAIN without one is no proof: SERVFAIL, as CoreDNS says.
    fn unknown(&self, query: &Query) -> Reply {
        let answer = Answer::empty(&query.name, query.rtype, query.class, Rcode::SERVFAIL);
        let mut reply = self.reply(answer.with_ede(told::NOT_LISTED.plain()));
        reply.lifetime = reply.lifetime.map(|lifetime| lifetime.min(limits::SERVFAIL_MAX));
        reply
    }

    /// Memorised for no longer than until the next look at the file.
    fn reply(&self, answer: Answer) -> Reply {
        let ttl = Duration::from_secs(self.settings.ttl.into());
        let lifetime = self.settings.reload.map_or(ttl, |reload| reload.min(ttl));
        Reply { lifetime: Some(lifetime), ..Reply::fresh(answer, Source::Plugin(NAME)) }
    }
}

/// Whether the name has an address of either family.
fn is_known(tables: [&Table; 2], name: &Name) -> bool {
    tables.iter().any(|table| !table.v4(name).is_empty() || !table.v6(name).is_empty())
}

fn is_in(zones: &[Name], name: &Name) -> bool {
    zones.iter().any(|zone| zone.encloses(name))
}

/// The items of the file and then those of the Corefile, each once, bounded.
fn joined<T: Clone + PartialEq>([file, inline]: [&[T]; 2]) -> Vec<T> {
    let mut all = file.to_vec();
    for item in inline {
        if all.len() < limits::HOSTS_RECORDS_MAX && !all.contains(item) {
            all.push(item.clone());
        }
    }
    all
}
