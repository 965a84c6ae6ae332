//! Names that have changed, as far as that is certain, and what a watch begins with that takes over from another one.

use std::collections::{HashSet, VecDeque};

use contract::limits::{PURSUIT_OUTAGE_MAX, PURSUIT_WITHIN};
use contract::wire::Name;
use contract::{Moment, Published, Recent};

/// A name that is to be looked into.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) name: Name,
    /// False: it is pursued only if memory knows it, as it may be as it was, or the zone may show it long since.
    pub(super) is_certain: bool,
    /// False: somebody before us has counted it.
    pub(super) is_counted: bool,
}

impl Changed {
    /// It changed just now.
    pub(super) fn now(name: Name) -> Self {
        Self { name, is_certain: true, is_counted: true }
    }

    /// Too much has changed for that to be known.
    pub(super) fn perhaps(name: Name) -> Self {
        Self { name, is_certain: false, is_counted: true }
    }
}

/// What has changed since a moment, or so shortly before it that it may be pursued still, longer where the zone's resolver was
/// away; and the version up to which that goes.
pub(super) fn before_and_since(published: &Published, since: Moment) -> (u64, VecDeque<Changed>) {
    let Recent { version, names, whole_since } = published.recent();
    let is_whole = whole_since.is_none_or(|at| since.since(at) >= PURSUIT_WITHIN);
    let mut changed: VecDeque<Changed> = names
        .into_iter()
        .filter(|(_, at)| since.since(*at) < PURSUIT_OUTAGE_MAX)
        .map(|(name, at)| Changed { name, is_certain: since.since(at) < PURSUIT_WITHIN, is_counted: at >= since })
        .collect();
    if !is_whole {
        let told: HashSet<Name> = changed.iter().map(|changed| changed.name.clone()).collect();
        let others = published.names().into_iter().filter(|name| !told.contains(name));
        changed.extend(others.map(Changed::perhaps));
    }
    (version, changed)
}
