//! What the objects of the cluster say that ExternalDNS should publish into private zones: filled by a watch, read by whoever
//! serves such a zone. Nothing here says that the zone shows it: that only its resolver knows.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::clock::Moment;
use crate::limits;
use crate::wire::{Name, RecordType};

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

/// What has changed since somebody last looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// These names, each once.
    Names(Vec<Name>),
    /// More than is remembered: any name may have.
    Any,
}

/// Everything that is to be published, object by object. A writer and a few readers, none of them on the hit path.
#[derive(Debug)]
pub struct Published {
    state: Mutex<State>,
    /// Counts changes.
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    objects: HashMap<Arc<Object>, Box<[Publication]>>,
    by_name: HashMap<Name, Vec<Arc<Object>>>,
    /// Publications of all objects together.
    count: usize,
    /// The latest changes with their versions, ascending.
    changes: VecDeque<(u64, Name)>,
    /// What was published and is no more, and since when.
    withdrawn: HashMap<Name, (Withdrawn, Moment)>,
    /// The same, the oldest first; some are withdrawn no more.
    withdrawals: VecDeque<Name>,
    /// Kinds that are not listed yet.
    unlisted: Vec<Kind>,
}

/// Which types of a name were withdrawn; `None` among them: any may have been.
type Withdrawn = Vec<Option<RecordType>>;

impl Published {
    /// Nothing yet: these kinds are to be listed.
    pub fn new(kinds: &[Kind]) -> Self {
        let state = State { unlisted: kinds.to_vec(), ..State::default() };
        Self { state: Mutex::new(state), version: watch::Sender::new(0) }
    }

    /// An object says this now; nothing any more if it is empty. False if there was no room for all of it.
    pub fn set(&self, object: Object, publications: Vec<Publication>, now: Moment) -> bool {
        let mut state = self.state();
        let (changed, whole) = state.set(object, publications, now);
        self.told(&mut state, changed);
        whole
    }

    /// All objects of a kind, at once: those that are not among them are gone. False if there was no room for all of them.
    pub fn replace(&self, kind: Kind, objects: Vec<(Object, Vec<Publication>)>, now: Moment) -> bool {
        let mut state = self.state();
        let there: HashSet<&Object> = objects.iter().map(|(object, _)| object).collect();
        let gone = state.objects.keys().filter(|object| object.kind == kind && !there.contains(object.as_ref()));
        let gone: Vec<Object> = gone.map(|object| Object::clone(object)).collect();
        let (mut changed, mut whole) = (Vec::new(), true);
        for (object, publications) in gone.into_iter().map(|object| (object, Vec::new())).chain(objects) {
            let (names, fits) = state.set(object, publications, now);
            changed.extend(names);
            whole &= fits;
        }
        state.unlisted.retain(|one| *one != kind);
        self.told(&mut state, changed);
        whole
    }

    /// What is published under this very name, and by whom.
    pub fn at(&self, name: &Name) -> Vec<(Arc<Object>, Publication)> {
        self.state().at(name)
    }

    /// What is published for a question of this name: under it, or under the next wildcard above it (RFC 4592).
    pub fn covering(&self, name: &Name) -> Vec<(Arc<Object>, Publication)> {
        let state = self.state();
        std::iter::once(name.clone())
            .chain(wildcards(name))
            .map(|name| state.at(&name))
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    /// True if records of that type were published under the name, or under a wildcard above it, and were withdrawn on purpose: a
    /// short while ago, and nobody publishes them now.
    pub fn was_withdrawn(&self, name: &Name, rtype: RecordType, now: Moment) -> bool {
        let state = self.state();
        let is_of = |one: Option<RecordType>| one.is_none_or(|one| one == rtype || one == RecordType::CNAME);
        for name in std::iter::once(name.clone()).chain(wildcards(name)) {
            if state.at(&name).iter().any(|(_, publication)| is_of(publication.rtype)) {
                return false;
            }
            if let Some((types, since)) = state.withdrawn.get(&name) {
                return now.since(*since) < limits::WITHDRAWN_FOR && types.iter().any(|one| is_of(*one));
            }
        }
        false
    }

    /// Which names have changed since that version, and the version of now.
    pub fn changes_since(&self, version: u64) -> (u64, Changes) {
        let state = self.state();
        let now = *self.version.borrow();
        let oldest = state.changes.front().map_or(now + 1, |(version, _)| *version);
        if version < now && version + 1 < oldest {
            return (now, Changes::Any);
        }
        let later = state.changes.iter().filter(|(at, _)| *at > version);
        let names: BTreeSet<Name> = later.map(|(_, name)| name.clone()).collect();
        (now, Changes::Names(names.into_iter().collect()))
    }

    /// Tells when something changes: the number of changes so far.
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// True once everything that is watched was listed.
    pub fn is_listed(&self) -> bool {
        self.state().unlisted.is_empty()
    }

    /// How many names objects publish, each as often as it is published.
    pub fn count(&self) -> usize {
        self.state().count
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self, state: &mut State, changed: Vec<Name>) {
        let mut version = *self.version.borrow();
        for name in changed {
            version += 1;
            state.changes.push_back((version, name));
        }
        let excess = state.changes.len().saturating_sub(limits::PUBLISHED_CHANGES_MAX);
        state.changes.drain(..excess);
        self.version.send_if_modified(|now| std::mem::replace(now, version) != version);
    }
}

impl State {
    /// Which names are others now, and whether there was room.
    fn set(&mut self, object: Object, mut publications: Vec<Publication>, now: Moment) -> (Vec<Name>, bool) {
        let object = Arc::new(object);
        let before = self.objects.remove(&object).unwrap_or_default();
        self.count -= before.len();
        let room = limits::PUBLISHED_NAMES_MAX - self.count;
        let whole = publications.len() <= room;
        publications.truncate(room);
        self.count += publications.len();
        let of = |all: &[Publication], name: &Name| -> Vec<Publication> {
            all.iter().filter(|one| one.name == *name).cloned().collect()
        };
        let names: BTreeSet<Name> = before.iter().chain(&publications).map(|one| one.name.clone()).collect();
        let mut changed = Vec::new();
        for name in names {
            let (old, new) = (of(&before, &name), of(&publications, &name));
            if old == new {
                continue;
            }
            let holders = self.by_name.entry(name.clone()).or_default();
            holders.retain(|holder| *holder != object);
            holders.extend((!new.is_empty()).then(|| Arc::clone(&object)));
            if holders.is_empty() {
                self.by_name.remove(&name);
            }
            let gone = old.iter().map(|one| one.rtype).filter(|rtype| !new.iter().any(|one| one.rtype == *rtype));
            let gone: Withdrawn = gone.collect();
            if gone.is_empty() {
                self.withdrawn.remove(&name);
            } else {
                self.withdraw(name.clone(), gone, now);
            }
            changed.push(name);
        }
        if !publications.is_empty() {
            self.objects.insert(object, publications.into());
        }
        (changed, whole)
    }

    fn withdraw(&mut self, name: Name, types: Withdrawn, now: Moment) {
        self.withdrawals.push_back(name.clone());
        self.withdrawn.insert(name, (types, now));
        while self.withdrawals.len() > limits::WITHDRAWN_MAX {
            let oldest = self.withdrawals.pop_front();
            oldest.and_then(|name| self.withdrawn.remove(&name));
        }
    }

    fn at(&self, name: &Name) -> Vec<(Arc<Object>, Publication)> {
        let holders = self.by_name.get(name).into_iter().flatten();
        let of = |holder: &Arc<Object>| {
            let publications = self.objects.get(holder).into_iter().flat_map(|all| all.iter());
            publications
                .filter(|one| one.name == *name)
                .map(|one| (Arc::clone(holder), one.clone()))
                .collect::<Vec<_>>()
        };
        holders.flat_map(of).collect()
    }
}

/// The wildcards that cover a name, the nearest first.
fn wildcards(name: &Name) -> impl Iterator<Item = Name> {
    let above = std::iter::successors(name.parent(), Name::parent);
    above.filter_map(|parent| Name::join(b"\x01*", &parent))
}
