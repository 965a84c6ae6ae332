//! What the objects of the cluster say that ExternalDNS should publish into private zones: filled by a watch, read by whoever
//! serves such a zone. Nothing here says that the zone shows it: that only its resolver knows.
//!
//! ```text
//!   a watch --set, replace--> Published: Store of what objects say --at, covering------> whoever serves the zone
//!                                        Withdrawn: what they said --was_withdrawn-----'
//!                                        the latest changes -------changes_since-------'
//! ```

mod held;
mod store;
mod withdrawn;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::clock::Moment;
use crate::limits;
use crate::wire::{Name, RecordType};

use store::{Change, Store};
use withdrawn::Withdrawn;

/// What is to be watched for a private zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wanted {
    /// Only names in these zones are kept.
    pub zones: Vec<Name>,
    /// Objects of this namespace alone; `None`: of all.
    pub namespace: Option<String>,
    /// `DNSEndpoint` objects.
    pub endpoints: bool,
    /// Services with a hostname annotation.
    pub services: bool,
    /// Ingresses.
    pub ingresses: bool,
}

/// A kind of object that publishes names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the Kubernetes API's names
pub enum Kind {
    DnsEndpoint,
    Service,
    Ingress,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DnsEndpoint => "DNSEndpoint",
            Self::Service => "Service",
            Self::Ingress => "Ingress",
        })
    }
}

/// An object of the cluster: `Service shop/web`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Records of one type that an object wants a name to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The name; `*` may be its first label.
    pub name: Name,
    /// Their type; `None` if the object does not say what the name will have (a Service whose addresses are no load balancer's).
    pub rtype: Option<RecordType>,
    /// What they hold, as ExternalDNS has it: an address, a host name, a text. Empty if it is not known.
    pub targets: Box<[Box<str>]>,
    /// The TTL that is asked for, seconds.
    pub ttl: Option<u32>,
    /// True if nothing but the targets decides what the zone shows: no set identifier (weighted and other policies), and no
    /// provider's own properties that may put other records in their place.
    pub is_plain: bool,
}

/// Objects of a list that are taken in before readers have their turn.
const REPLACED_AT_ONCE: usize = 256;

/// What has changed since somebody last looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// These names, each once.
    Names(Vec<Name>),
    /// More than is remembered: any name may have.
    Any,
}

/// The latest changes that are remembered one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    /// The version of now.
    pub version: u64,
    /// Names with the moment of their latest change, each once, in no order.
    pub names: Vec<(Name, Moment)>,
    /// Changes up to this moment may be missing; `None`: there were no others.
    pub whole_since: Option<Moment>,
}

/// Everything that is to be published, object by object. A writer and a few readers, none of them on the hit path.
#[derive(Debug)]
pub struct Published {
    state: Mutex<State>,
    /// The number of changes. Told without the lock, which readers take while they look at it.
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    store: Store,
    /// Counts changes.
    version: u64,
    /// The latest of them, one for each version up to that of now.
    changes: VecDeque<(Name, Moment)>,
    /// When the last change was made that is not among them any more.
    dropped: Option<Moment>,
    withdrawn: Withdrawn,
    /// Kinds that are not listed yet.
    unlisted: Vec<Kind>,
}

impl Published {
    /// Nothing yet: these kinds are to be listed.
    pub fn new(kinds: &[Kind]) -> Self {
        let state = State { unlisted: kinds.to_vec(), ..State::default() };
        Self { state: Mutex::new(state), version: watch::Sender::new(0) }
    }

    /// An object says this now; nothing any more if it is empty. False if there was no room for all of it: then its first ones
    /// are kept.
    pub fn set(&self, object: Object, publications: Vec<Publication>, now: Moment) -> bool {
        let mut state = self.state();
        let mut changed = BTreeSet::new();
        let whole = state.set(&object, &publications, now, &mut changed);
        let version = state.note(changed, now);
        drop(state);
        self.tell(version, false);
        whole
    }

    /// All objects of a kind: those that are not among them are gone. Of an object that is there twice the last word counts.
    /// False if there was no room for all of them. Readers have their turn in between: a long list takes a while.
    pub fn replace(&self, kind: Kind, objects: Vec<(Object, Vec<Publication>)>, now: Moment) -> bool {
        let last: HashMap<Object, usize> = objects.iter().map(|(object, _)| object.clone()).zip(0..).collect();
        let gone = self.state().store.others(kind, last.keys());
        let gone = gone.into_iter().map(|object| (object, Vec::new()));
        let there = objects.into_iter().enumerate().filter(|(number, (object, _))| last.get(object) == Some(number));
        let mut words = gone.chain(there.map(|(_, word)| word));
        let mut whole = true;
        loop {
            let portion: Vec<_> = words.by_ref().take(REPLACED_AT_ONCE).collect();
            if portion.is_empty() {
                break;
            }
            let (mut state, mut changed) = (self.state(), BTreeSet::new());
            for (object, publications) in portion {
                whole &= state.set(&object, &publications, now, &mut changed);
            }
            let version = state.note(changed, now);
            drop(state);
            self.tell(version, false);
        }
        let mut state = self.state();
        let unlisted = state.unlisted.len();
        state.unlisted.retain(|one| *one != kind);
        let (is_news, version) = (state.unlisted.len() < unlisted, state.version);
        drop(state);
        self.tell(version, is_news);
        whole
    }

    /// What is published under this very name, and by whom; in the order of the objects.
    pub fn at(&self, name: &Name) -> Vec<(Arc<Object>, Publication)> {
        self.state().store.at(name)
    }

    /// What is published for a question of this name: under it, or under the next wildcard above it, unless names that are
    /// published show that it exists without records, or another one between the two does (RFC 4592 2.2.2, 3.3.1).
    pub fn covering(&self, name: &Name) -> Vec<(Arc<Object>, Publication)> {
        let state = self.state();
        for source in state.sources(name) {
            let found = state.store.at(&source);
            if !found.is_empty() {
                let is_hidden = source != *name && state.is_hidden(name, &source);
                return if is_hidden { Vec::new() } else { found };
            }
        }
        Vec::new()
    }

    /// True if records of that type were published under the name, or under a wildcard above it, and were withdrawn on purpose: a
    /// short while ago, and nobody publishes them now.
    pub fn was_withdrawn(&self, name: &Name, rtype: RecordType, now: Moment) -> bool {
        let state = self.state();
        let mut was = false;
        for source in state.sources(name) {
            let types = state.store.types(&source);
            if types.iter().any(|one| is_of(*one, rtype)) {
                return false;
            }
            was |= state.withdrawn.was(&source, rtype, now);
            if !types.is_empty() {
                break; // what stands above it says nothing of this name
            }
        }
        was
    }

    /// Which names have changed since that version, and the version of now.
    pub fn changes_since(&self, version: u64) -> (u64, Changes) {
        let state = self.state();
        let now = state.version;
        let missed = usize::try_from(now.saturating_sub(version)).unwrap_or(usize::MAX);
        let Some(known) = state.changes.len().checked_sub(missed) else {
            return (now, Changes::Any);
        };
        let names: BTreeSet<&Name> = state.changes.range(known..).map(|(name, _)| name).collect();
        (now, Changes::Names(names.into_iter().cloned().collect()))
    }

    /// What has changed of late, for whoever takes over from somebody that is gone.
    pub fn recent(&self) -> Recent {
        let state = self.state();
        let latest: HashMap<&Name, Moment> = state.changes.iter().map(|(name, at)| (name, *at)).collect();
        let names = latest.into_iter().map(|(name, at)| (name.clone(), at)).collect();
        Recent { version: state.version, names, whole_since: state.dropped }
    }

    /// Tells when something changes: the number of changes so far. Tells the same number again once a kind was listed.
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// True once everything that is watched was listed.
    pub fn is_listed(&self) -> bool {
        self.state().unlisted.is_empty()
    }

    /// Every name that is published, or was withdrawn as far as that is remembered, each once. Looks at everything.
    pub fn names(&self) -> Vec<Name> {
        let state = self.state();
        let names: HashSet<&[u8]> = state.store.names().chain(state.withdrawn.names()).collect();
        names.into_iter().filter_map(Name::from_wire).collect()
    }

    /// How many names objects publish, each as often as it is published.
    pub fn count(&self) -> usize {
        self.state().store.count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of a version, unless a later one was told of already.
    fn tell(&self, version: u64, is_news: bool) {
        self.version.send_if_modified(|known| {
            let is_later = version > *known;
            *known = version.max(*known);
            is_later || is_news
        });
    }
}

impl State {
    /// Takes one object in, and notes whose names are others now. False if there was no room.
    fn set(
        &mut self,
        object: &Object,
        publications: &[Publication],
        now: Moment,
        changed: &mut BTreeSet<Name>,
    ) -> bool {
        let Change { names, gone, is_whole } = self.store.set(object, publications);
        // what is said again was not taken away, even if there is no room for it
        publications.iter().for_each(|one| self.withdrawn.forget(&one.name, one.rtype));
        gone.into_iter().for_each(|(name, rtype)| self.withdrawn.note(name, rtype, now));
        changed.extend(names);
        is_whole
    }

    /// These names are others now. The version that this makes.
    fn note(&mut self, changed: BTreeSet<Name>, now: Moment) -> u64 {
        self.version += changed.len() as u64;
        self.changes.extend(changed.into_iter().map(|name| (name, now)));
        let excess = self.changes.len().saturating_sub(limits::PUBLISHED_CHANGES_MAX);
        self.dropped = self.changes.drain(..excess).next_back().map(|(_, at)| at).or(self.dropped);
        self.changes.shrink_to(limits::PUBLISHED_CHANGES_MAX);
        self.version
    }

    /// Where the records for a question may stand: under the name, then under the wildcards above it, up to the next name that
    /// is published itself.
    fn sources(&self, name: &Name) -> impl Iterator<Item = Name> {
        let exists = |above: &Name| !self.store.types(above).is_empty();
        let above =
            std::iter::successors(name.parent(), move |above| (!exists(above)).then(|| above.parent()).flatten());
        std::iter::once(name.clone()).chain(above.filter_map(|above| Name::join(b"\x01*", &above)))
    }

    /// Whether a name that is published proves that this one exists without records, or one between it and the wildcard does.
    fn is_hidden(&self, name: &Name, wildcard: &Name) -> bool {
        let between = std::iter::successors(Some(name.clone()), Name::parent);
        let topmost = between.take_while(|one| one.label_count() >= wildcard.label_count()).last();
        topmost.is_some_and(|topmost| self.store.any_below(&topmost))
    }
}

/// Whether records of a published type answer a question of this one: a CNAME does for all, and one that is not known may.
fn is_of(published: Option<RecordType>, asked: RecordType) -> bool {
    published.is_none_or(|published| published == asked || published == RecordType::CNAME)
}

#[cfg(test)]
mod tests;
