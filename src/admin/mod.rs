//! HTTP for operators: `/health`, `/ready`, `/metrics`, `/debug/pprof/`, each where its directive says.

mod exposition;
mod overloaded;
mod pending;
mod places;
mod process;
mod profiles;
mod server;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use contract::Plugin;

use crate::assembly::Register;
use crate::listening::Meters;
use crate::plan::Plan;
use crate::serve::zones::Shared;

pub use pending::Pending;
use pending::Waiting;
pub(crate) use places::Places;
pub use server::{Admin, BindError, Ports};
pub(crate) use server::{bind, bind_at_last};

/// What may be asked at one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// `GET /health`.
    pub health: bool,
    /// `GET /ready`.
    pub ready: bool,
    /// `GET /metrics`.
    pub metrics: bool,
    /// `GET /debug/pprof/`.
    pub profiles: bool,
}

/// The addresses that a plan wants, and what is told there; metrics at `metrics` too.
pub fn pages(plan: &Plan, metrics: Option<SocketAddr>) -> BTreeMap<SocketAddr, Pages> {
    let mut pages: BTreeMap<SocketAddr, Pages> = BTreeMap::new();
    pages.extend(metrics.map(|address| (address, Pages { metrics: true, ..Pages::default() })));
    for settings in plan.blocks.iter().map(|block| &block.settings) {
        if let Some(health) = &settings.health {
            pages.entry(health.address).or_default().health = true;
        }
        if let Some(ready) = &settings.ready {
            pages.entry(ready.address).or_default().ready = true;
        }
        if let Some(prometheus) = &settings.prometheus {
            pages.entry(prometheus.address).or_default().metrics = true;
        }
        if let Some(pprof) = &settings.pprof {
            pages.entry(pprof.address).or_default().profiles = true;
        }
    }
    pages
}

/// The plugins whose readiness is told.
#[derive(Default)]
struct Watched {
    plugins: Vec<Arc<dyn Plugin>>,
    ready_once: Vec<AtomicBool>,
    continuously: bool,
}

impl Watched {
    /// The names of those that are not ready.
    fn pending(&self) -> Vec<&'static str> {
        let is_pending = |(plugin, ready_once): &(&Arc<dyn Plugin>, &AtomicBool)| {
            let was_ready = !self.continuously && ready_once.load(Ordering::Relaxed);
            let ready = was_ready || plugin.is_ready();
            ready_once.store(ready, Ordering::Relaxed);
            !ready
        };
        self.plugins.iter().zip(&self.ready_once).filter(is_pending).map(|(plugin, _)| plugin.name()).collect()
    }
}

/// What the pages tell of.
pub struct State {
    shared: Arc<Shared>,
    register: Arc<Register>,
    meters: Meters,
    watched: arc_swap::ArcSwap<Watched>,
    serving: AtomicBool,
    leaving: AtomicBool,
    waiting: Arc<Waiting>,
    /// Why the daemon is not well, if it is not.
    unwell: Mutex<Option<String>>,
}

impl State {
    /// Nothing serves yet.
    pub fn new(shared: Arc<Shared>, register: Arc<Register>, meters: Meters) -> Self {
        let watched = arc_swap::ArcSwap::from_pointee(Watched::default());
        let (serving, leaving) = (AtomicBool::new(false), AtomicBool::new(false));
        let (waiting, unwell) = (Arc::default(), Mutex::default());
        Self { shared, register, meters, watched, serving, leaving, waiting, unwell }
    }

    /// Every socket is open and served by these plugins. `continuously`: each is asked anew whenever somebody wants to know;
    /// otherwise only until it was ready once.
    pub fn serving(&self, plugins: Vec<Arc<dyn Plugin>>, continuously: bool) {
        let ready_once = plugins.iter().map(|_| AtomicBool::new(false)).collect();
        self.watched.store(Arc::new(Watched { plugins, ready_once, continuously }));
        self.serving.store(true, Ordering::Release);
    }

    /// The daemon is on its way out: not ready, but healthy and still answering.
    pub fn leaving(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Not ready until what is returned is dropped: by the part itself, once it does what it is for. `/ready` tells its name.
    pub fn pending(&self, name: &'static str) -> Pending {
        Waiting::begin(&self.waiting, name)
    }

    /// Says why the daemon is not well, or that it is well again. `/health` tells it.
    pub fn unwell(&self, reason: Option<String>) {
        *self.unwell.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// What all listeners share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The blocks' counts.
    pub(crate) fn register(&self) -> &Register {
        &self.register
    }

    /// The sockets' counts.
    pub(crate) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// The plugins that serve.
    pub(crate) fn plugins(&self) -> Vec<Arc<dyn Plugin>> {
        self.watched.load().plugins.clone()
    }

    /// Why the daemon is not healthy, if it is not.
    pub(crate) fn complaint(&self) -> Option<String> {
        self.unwell.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who is not ready yet.
    pub(crate) fn not_ready(&self) -> Vec<&'static str> {
        if self.leaving.load(Ordering::Acquire) {
            return vec!["leaving"];
        }
        if !self.serving.load(Ordering::Acquire) {
            return vec!["sockets"];
        }
        let mut names = self.waiting.names();
        names.extend(self.watched.load().pending());
        names
    }

    fn metrics(&self) -> String {
        exposition::text(&self.shared, &self.register, &self.meters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ready while it is told so.
    #[derive(Debug, Default)]
    struct Moody(AtomicBool);

    impl Plugin for Moody {
        fn name(&self) -> &'static str {
            "moody"
        }

        fn is_ready(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn once_ready_a_plugin_is_asked_no_more_unless_it_is_watched_continuously() {
        for (continuously, later) in [(false, vec![]), (true, vec!["moody"])] {
            let plugin = Arc::new(Moody::default());
            let plugins: Vec<Arc<dyn Plugin>> = vec![Arc::clone(&plugin) as _];
            let watched = Watched { plugins, ready_once: vec![AtomicBool::new(false)], continuously };
            assert_eq!(watched.pending(), ["moody"]);
            plugin.0.store(true, Ordering::Relaxed);
            assert!(watched.pending().is_empty());
            plugin.0.store(false, Ordering::Relaxed);
            assert_eq!(watched.pending(), later);
        }
    }
}
