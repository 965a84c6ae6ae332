//! One `template` as it was checked, and whether a question is its.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::wire::{Class, Ede, Name, Rcode, RecordType};
use contract::{LabelBook, Pattern, Query};
use records::Record;

use crate::language::{Data, Program};

/// One `template`.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) class: Class,
    pub(crate) rtype: RecordType,
    /// Each with its text as labels of metrics have it.
    pub(crate) zones: Vec<(Name, String)>,
    /// The first that fits counts; none: every name fits.
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) records: Vec<Source>,
    pub(crate) rcode: Rcode,
    pub(crate) ede: Option<Ede>,
    /// Names in these zones go on where no pattern fits.
    pub(crate) fallthrough: Vec<Name>,
}

/// Where a record comes from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) section: crate::Section,
    pub(crate) program: Arc<Program>,
    /// The record, if it is always the same.
    pub(crate) constant: Option<Record>,
}

/// What a rule says to a question in its zones, of its class and type.
pub(crate) enum Match<'q> {
    Yes(Box<Data<'q>>),
    /// No pattern fits, and other rules may.
    GoOn,
    /// No pattern fits, and nobody else is to be asked.
    No,
}

impl Rule {
    /// The longest of its zones that holds the question, if it is for its class and type; without a look at patterns.
    pub(crate) fn zone(&self, query: &Query) -> Option<&(Name, String)> {
        let is_class = [self.class, query.class].contains(&Class::ANY) || self.class == query.class;
        let is_type = [self.rtype, query.rtype].contains(&RecordType::ANY) || self.rtype == query.rtype;
        if !is_class || !is_type {
            return None;
        }
        let around = self.zones.iter().filter(|(zone, _)| zone.encloses(&query.name));
        around.max_by_key(|(zone, _)| zone.as_wire().len())
    }

    /// What its patterns say of the name, which is in this zone of it.
    pub(crate) fn judge<'q>(
        &'q self,
        zone: &'q str,
        name: &'q str,
        query: &'q Query,
        labels: &'q LabelBook,
    ) -> Match<'q> {
        let fits = |pattern: &'q Pattern| Some((pattern.as_str(), captured(pattern, name)?));
        let everything = || (".*", (vec![name.to_owned()], BTreeMap::from([("0".to_owned(), name.to_owned())])));
        let found = match self.patterns.as_slice() {
            [] => Some(everything()),
            patterns => patterns.iter().find_map(fits),
        };
        let Some((regex, (matches, groups))) = found else {
            let goes_on = self.fallthrough.iter().any(|zone| zone.encloses(&query.name));
            return if goes_on { Match::GoOn } else { Match::No };
        };
        let class = if query.class == Class::ANY { self.class } else { query.class };
        let rtype = if query.rtype == RecordType::ANY { self.rtype } else { query.rtype };
        Match::Yes(Box::new(Data { zone, name, regex, matches, groups, class, rtype, query, labels }))
    }

    /// True if its replies may depend on more than the question.
    pub(crate) fn is_personal(&self) -> bool {
        self.records.iter().any(|source| source.program.is_personal)
    }
}

/// What a pattern finds in a name: the whole and its groups in order, and the same by number and by name.
fn captured(pattern: &Pattern, name: &str) -> Option<(Vec<String>, BTreeMap<String, String>)> {
    let found = pattern.captures(name.as_bytes())?;
    let octets = found.iter().map(|part| part.map_or(&[][..], |part| part.as_bytes()));
    let matches: Vec<String> = octets.map(|octets| String::from_utf8_lossy(octets).into_owned()).collect();
    let numbered = matches.iter().enumerate().map(|(index, text)| (index.to_string(), text.clone()));
    let mut groups: BTreeMap<String, String> = numbered.collect();
    for (group, text) in pattern.groups().zip(&matches) {
        if let Some(group) = group {
            groups.insert(group.to_owned(), text.clone());
        }
    }
    Some((matches, groups))
}
