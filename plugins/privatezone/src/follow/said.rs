//! What objects say of a name, and whether its zone shows that.

use std::sync::Arc;

use contract::wire::{Name, RecordType};
use contract::{Moment, Object, Publication, Published};

use super::data::{Data, Records, View};

/// Types that ExternalDNS publishes.
const TYPES: [RecordType; 9] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::CNAME,
    RecordType::TXT,
    RecordType::MX,
    RecordType::SRV,
    RecordType::NS,
    RecordType::PTR,
    RecordType::NAPTR,
];

/// What objects say of one name at one moment.
#[derive(Debug)]
pub(super) struct Said {
    /// Of the name itself, or of the wildcard above it.
    publications: Vec<(Arc<Object>, Publication)>,
    /// Types that were taken away on purpose.
    withdrawn: Vec<RecordType>,
}

/// What a question for one type should show.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// One of these: where objects contradict each other, ExternalDNS picks one or joins them.
    OneOf(Vec<Records>),
    /// No records; true: the name is there all the same.
    Nothing(bool),
    /// Objects say nothing of that type; true: but the name is there.
    Anything(bool),
    /// More than the targets decides it.
    Unknown,
}

impl Said {
    /// Everything that is said of the name.
    pub(super) fn of(published: &Published, name: &Name, now: Moment) -> Self {
        let withdrawn = TYPES.into_iter().filter(|rtype| published.was_withdrawn(name, *rtype, now)).collect();
        Self { withdrawn, ..Self::published(published, name) }
    }

    /// Without what was taken away.
    pub(super) fn published(published: &Published, name: &Name) -> Self {
        Self { publications: published.covering(name), withdrawn: Vec::new() }
    }

    /// The objects that speak of it, each once.
    pub(super) fn objects(&self) -> Vec<&Object> {
        let mut objects: Vec<&Object> = self.publications.iter().map(|(object, _)| object.as_ref()).collect();
        objects.dedup();
        objects
    }

    /// What is published, object by object.
    pub(super) fn publications(&self) -> impl Iterator<Item = &Publication> {
        self.publications.iter().map(|(_, one)| one)
    }

    /// The types that a change may have touched: addresses always, as a name that comes or goes changes what all types say.
    pub(super) fn types(&self) -> Vec<RecordType> {
        let published = self.publications().filter_map(|one| one.rtype);
        let mut types = vec![RecordType::A, RecordType::AAAA];
        for rtype in published.chain(self.withdrawn.iter().copied()) {
            if !types.contains(&rtype) {
                types.push(rtype);
            }
        }
        types
    }

    /// The type under which objects publish what a question for this one should show; `None` if they publish no such records, or
    /// do not say which.
    pub(super) fn published_type(&self, rtype: RecordType) -> Option<RecordType> {
        let is_there = |rtype| self.publications().any(|one| one.rtype == Some(rtype));
        [RecordType::CNAME, rtype].into_iter().find(|rtype| is_there(*rtype))
    }

    /// What a question for that type should show.
    pub(super) fn expected(&self, rtype: RecordType) -> Expected {
        let was_withdrawn = self.withdrawn.contains(&rtype);
        let is_there = !self.publications.is_empty();
        let concerned: Vec<&Publication> = self
            .publications()
            .filter(|one| one.rtype.is_none_or(|one| one == rtype || one == RecordType::CNAME))
            .collect();
        if !concerned.is_empty() {
            let sets: Option<Vec<Records>> = concerned.into_iter().map(records).collect();
            return sets.map_or(Expected::Unknown, |sets| Expected::OneOf(with_union(sets)));
        }
        // a withdrawal that is no longer remembered may have been of any type
        match was_withdrawn || !is_there && self.withdrawn.is_empty() {
            true => Expected::Nothing(is_there),
            false => Expected::Anything(is_there),
        }
    }

    /// True if objects say what that type should show.
    pub(super) fn speaks_of(&self, rtype: RecordType) -> bool {
        matches!(self.expected(rtype), Expected::OneOf(_) | Expected::Nothing(_))
    }

    /// True if the zone shows what objects say, as far as that type goes.
    pub(super) fn agrees(&self, rtype: RecordType, view: &View) -> bool {
        match self.expected(rtype) {
            Expected::OneOf(sets) => sets.contains(&view.records),
            Expected::Nothing(is_there) => view.records.is_empty() && (view.exists || !is_there),
            Expected::Anything(is_there) => view.exists || !is_there,
            Expected::Unknown => false,
        }
    }
}

/// The records of a publication; `None` if something else decides what the zone shows.
pub(super) fn records(publication: &Publication) -> Option<Records> {
    let rtype = publication.rtype.filter(|_| publication.is_plain && !publication.targets.is_empty())?;
    publication.targets.iter().map(|target| Some((rtype, Data::of_target(rtype, target)?))).collect()
}

fn with_union(mut sets: Vec<Records>) -> Vec<Records> {
    if sets.len() > 1 {
        sets.push(sets.iter().flatten().cloned().collect());
    }
    sets
}
