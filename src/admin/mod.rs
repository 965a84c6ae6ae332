//! HTTP for operators: `/health`, `/ready`, `/metrics`, each where its directive says.

mod exposition;
mod server;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use contract::Plugin;

use crate::assembly::Register;
use crate::listening::Meters;
use crate::plan::Plan;
use crate::serve::zones::Shared;

pub use server::{Admin, BindError};

/// What may be asked at one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// `GET /health`.
    pub health: bool,
    /// `GET /ready`.
    pub ready: bool,
    /// `GET /metrics`.
    pub metrics: bool,
}

/// The addresses that a plan wants, and what is told there.
pub fn pages(plan: &Plan) -> BTreeMap<SocketAddr, Pages> {
    let mut pages: BTreeMap<SocketAddr, Pages> = BTreeMap::new();
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
    }
    pages
}

/// What the pages tell of.
pub struct State {
    shared: Arc<Shared>,
    register: Arc<Register>,
    meters: Meters,
    plugins: arc_swap::ArcSwap<Vec<Arc<dyn Plugin>>>,
    serving: AtomicBool,
    leaving: AtomicBool,
}

impl State {
    /// Nothing serves yet.
    pub fn new(shared: Arc<Shared>, register: Arc<Register>, meters: Meters) -> Self {
        let plugins = arc_swap::ArcSwap::from_pointee(Vec::new());
        Self { shared, register, meters, plugins, serving: AtomicBool::new(false), leaving: AtomicBool::new(false) }
    }

    /// Every socket is open and served by these plugins.
    pub fn serving(&self, plugins: Vec<Arc<dyn Plugin>>) {
        self.plugins.store(Arc::new(plugins));
        self.serving.store(true, Ordering::Release);
    }

    /// The daemon is on its way out: unhealthy and not ready, still answering.
    pub fn leaving(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    fn is_healthy(&self) -> bool {
        !self.leaving.load(Ordering::Acquire)
    }

    /// Who is not ready yet.
    fn pending(&self) -> Vec<&'static str> {
        if self.leaving.load(Ordering::Acquire) {
            return vec!["leaving"];
        }
        if !self.serving.load(Ordering::Acquire) {
            return vec!["sockets"];
        }
        let plugins = self.plugins.load();
        plugins.iter().filter(|plugin| !plugin.is_ready()).map(|plugin| plugin.name()).collect()
    }

    fn metrics(&self) -> String {
        exposition::text(&self.shared, &self.register, &self.meters)
    }
}
