//! What ExternalDNS is told to publish: a watch for each kind of object that is wanted, into one [`Published`].
//!
//! ```text
//!   Reflector --Word--> Publisher: DNSEndpoint, Service, Ingress --publish--> Draft --Publication--> contract::Published
//!                                  (what an object asks for)                  (names of the zones, within bounds)
//! ```
//!
//! What an object asks for is read as ExternalDNS 0.20 reads it. No selector exists for annotations: every Service, or Ingress,
//! of the namespaces comes, and most of it is skipped while it is decoded.

mod counts;
mod draft;
mod endpoint;
mod ingress;
mod meta;
mod service;

use std::sync::{Arc, Weak};

use contract::metrics::Metrics;
use contract::wire::Name;
use contract::{Clock, Kind, Object, Published, Wanted};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};

use crate::api::{Api, Transport};
use crate::cluster::{WORDS_MAX, lasting};
use crate::reflector::{Reflector, Subject, Word};
use crate::settings::Settings;
use crate::trouble::{Outage, Trouble};
use crate::words::Watched;

use counts::{Counts, Shown};
use draft::Draft;
use endpoint::DnsEndpoint;
use ingress::Ingress;
use meta::Meta;
use service::Service;

/// Objects of a list that are read before others have their turn.
const READ_AT_ONCE: usize = 256;

/// A kind of object that publishes names.
trait Publishes: Watched {
    const KIND: Kind;
    /// Its API group and version, as a path.
    const API: &'static str;
    /// The name of its collections.
    const RESOURCE: &'static str;
    /// What RBAC calls it.
    const RIGHT: &'static str;
    /// What helps where there is no such collection.
    const WITHOUT: &'static str;

    fn meta(&self) -> &Meta;

    /// Puts down what it asks for.
    fn publish(&self, draft: &mut Draft<'_>);
}

/// Starts the watches; they end with what they return.
pub(crate) fn watch(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
    runtime: &Handle,
    wanted: &Wanted,
) -> Arc<Published> {
    let all =
        [(Kind::DnsEndpoint, wanted.endpoints), (Kind::Service, wanted.services), (Kind::Ingress, wanted.ingresses)];
    let kinds: Vec<Kind> = all.into_iter().filter_map(|(kind, is_wanted)| is_wanted.then_some(kind)).collect();
    let published = Arc::new(Published::new(&kinds));
    let parts = Parts {
        out: Arc::downgrade(&published),
        zones: wanted.zones.as_slice().into(),
        namespace: wanted.namespace.as_deref().map(Arc::from),
        clock: Arc::clone(clock),
        shown: Arc::new(Shown::new(metrics)),
        metrics: Arc::clone(metrics),
    };
    for kind in kinds {
        match kind {
            Kind::DnsEndpoint => start::<DnsEndpoint>(settings, &parts, runtime),
            Kind::Service => start::<Service>(settings, &parts, runtime),
            Kind::Ingress => start::<Ingress>(settings, &parts, runtime),
        }
    }
    published
}

fn start<T: Publishes>(settings: &Settings, parts: &Parts, runtime: &Handle) {
    let (settings, parts, out) = (settings.clone(), parts.clone(), Weak::clone(&parts.out));
    let work = move || follow::<T>(Api::new(&settings), parts.clone());
    runtime.spawn(lasting(T::RESOURCE, work, move || out.strong_count() > 0));
}

/// Asks and hears, until nobody holds what is published.
async fn follow<T: Publishes>(api: impl Transport, parts: Parts) {
    let (words, heard) = mpsc::channel(WORDS_MAX);
    let reflector = Reflector::new(api, parts.subject::<T>(), Arc::new(Notify::new()));
    tokio::select! {
        () = Publisher::<T>::new(parts).run(heard) => {}
        () = reflector.run(words) => {}
    }
}

/// What the watches of one [`Wanted`] have in common.
#[derive(Clone)]
struct Parts {
    out: Weak<Published>,
    zones: Arc<[Name]>,
    namespace: Option<Arc<str>>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    shown: Arc<Shown>,
}

impl Parts {
    fn subject<T: Publishes>(&self) -> Subject {
        let path = match &self.namespace {
            Some(namespace) => format!("{}/namespaces/{namespace}/{}", T::API, T::RESOURCE),
            None => format!("{}/{}", T::API, T::RESOURCE),
        };
        Subject { path, selector: String::new(), is_optional: true }
    }

    /// Where is looked, for a person.
    fn place(&self) -> String {
        self.namespace.as_ref().map_or("all namespaces".to_owned(), |namespace| format!("namespace {namespace}"))
    }
}

/// Hears of one kind of object.
struct Publisher<T> {
    parts: Parts,
    counts: Counts,
    outage: Outage,
    is_listed: bool,
    kind: std::marker::PhantomData<fn() -> T>,
}

impl<T: Publishes> Publisher<T> {
    fn new(parts: Parts) -> Self {
        let counts = Counts::new(&parts.metrics, T::RESOURCE);
        Self { parts, counts, outage: Outage::default(), is_listed: false, kind: std::marker::PhantomData }
    }

    /// Goes on until nobody holds what is published.
    async fn run(mut self, mut words: mpsc::Receiver<Word<T>>) {
        let Some(mut versions) = self.parts.out.upgrade().map(|out| out.versions()) else { return };
        let unheld = async move { while versions.changed().await.is_ok() {} };
        tokio::pin!(unheld);
        loop {
            tokio::select! {
                () = &mut unheld => return,
                word = words.recv() => match (word, self.parts.out.upgrade()) {
                    (Some(Word::List { items, .. }), Some(out)) => self.take_in(items, out).await,
                    (Some(word), Some(out)) => self.hear(word, &out),
                    _ => return,
                },
                lasted = self.outage.over() => {
                    let (place, lasted) = (self.parts.place(), lasted.as_secs());
                    tracing::info!("kubernetes: {} of {place}: in step again after {lasted} s", T::RESOURCE);
                }
            }
        }
    }

    fn hear(&mut self, word: Word<T>, out: &Published) {
        self.outage.heard();
        let now = self.parts.clock.now();
        match word {
            // a list is taken in by itself
            Word::Alive | Word::Opened | Word::List { .. } => return,
            Word::Trouble(trouble) => return self.complain(&trouble),
            Word::Changed(object) => {
                self.counts.changed.increment();
                let (object, publications) = self.read(&object);
                let is_whole = out.set(object.clone(), publications, now);
                self.counts.whole(is_whole, || object.to_string());
            }
            Word::Deleted(object) => {
                self.counts.deleted.increment();
                out.set(object_of(&object), Vec::new(), now);
            }
        }
        self.parts.shown.show(out);
    }

    /// Takes in a list, which may be long: neither the other work of this thread nor those who look at what is published wait
    /// for the whole of it.
    async fn take_in(&mut self, items: Vec<T>, out: Arc<Published>) {
        self.outage.heard();
        self.counts.lists.increment();
        let now = self.parts.clock.now();
        let mut objects = Vec::new();
        for (number, object) in items.into_iter().enumerate() {
            // each is given up as soon as it is read; most publish nothing here
            let (object, publications) = self.read(&object);
            if !publications.is_empty() {
                objects.push((object, publications));
            }
            if number % READ_AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
        let shown = Arc::clone(&self.parts.shown);
        let taken = tokio::task::spawn_blocking(move || {
            let is_whole = out.replace(T::KIND, objects, now);
            shown.show(&out);
            is_whole
        });
        let is_whole = taken.await.expect("what is published takes every list");
        self.counts.whole(is_whole, || format!("the list of {}", T::RESOURCE));
        self.is_listed = true;
    }

    fn read(&mut self, object: &T) -> (contract::Object, Vec<contract::Publication>) {
        let mut draft = Draft::new(&self.parts.zones);
        object.publish(&mut draft);
        let name = object_of(object);
        let (publications, skipped) = draft.finish();
        self.counts.skipped(skipped, &name);
        (name, publications)
    }

    fn complain(&mut self, trouble: &Trouble) {
        trouble.count(&self.parts.metrics, T::RESOURCE);
        if !self.outage.troubled(trouble) {
            return;
        }
        let place = self.parts.place();
        let advice = match trouble {
            Trouble::Status { status: 404, .. } => T::WITHOUT.to_owned(),
            Trouble::Denied { status: 403, .. } => {
                format!("; the right to list and watch {} in {place} is missing", T::RIGHT)
            }
            _ => trouble.advice().to_owned(),
        };
        let meanwhile = match self.is_listed {
            true => "what is known of them goes on being used",
            false => "until they are listed nothing is known of them, and all else goes on",
        };
        tracing::warn!("kubernetes: {} of {place}: {trouble}{advice}; {meanwhile}", T::RESOURCE);
    }
}

fn object_of<T: Publishes>(object: &T) -> Object {
    let Meta { namespace, name, .. } = object.meta();
    Object { kind: T::KIND, namespace: namespace.as_str().into(), name: name.as_str().into() }
}

/// Makes a type that has a `metadata` a watched one.
macro_rules! watched {
    ($kind:ty) => {
        impl crate::words::Watched for $kind {
            fn key(&self) -> &str {
                &self.metadata.uid
            }

            fn version(&self) -> &str {
                &self.metadata.version.0
            }
        }
    };
}
use watched;

#[cfg(test)]
mod memory;
#[cfg(test)]
mod tests;
