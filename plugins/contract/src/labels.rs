//! Labels about a query (CoreDNS's metadata): told by whoever knows them, read by `log`, `template`, `rewrite` and `view`.
//!
//! Nothing is collected ahead: who wants a label asks for it, and a query that nobody wants one of pays nothing.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};

use crate::plugin::Plugin;
use crate::query::Client;
use crate::wire::Name;

/// Every label that somebody may know, as Corefiles write it behind a slash.
pub const LABELS: [&str; 4] = [CLIENT_NAMESPACE, CLIENT_POD, FORWARD_UPSTREAM, VIEW_NAME];

/// The namespace of the pod that asks, where `autopath` stands.
pub const CLIENT_NAMESPACE: &str = "kubernetes/client-namespace";
/// The name of the pod that asks, where `autopath` stands.
pub const CLIENT_POD: &str = "kubernetes/client-pod-name";
/// The upstream that answered this very question, where `forward` stands.
pub const FORWARD_UPSTREAM: &str = "forward/upstream";
/// The name of the block's `view`.
pub const VIEW_NAME: &str = "view/name";

/// A plugin that knows labels.
pub trait Labels: Send + Sync {
    /// The value of one of them for this query; `None` if there is none.
    fn label(&self, name: &str, about: &About<'_>) -> Option<String>;
}

/// What labels are told about.
#[derive(Clone, Copy, Debug)]
pub struct About<'q> {
    /// Who asks.
    pub client: &'q Client,
    /// QNAME in wire form, lower case.
    pub name: &'q [u8],
    /// The upstream that answered, once one has.
    pub upstream: Option<SocketAddr>,
}

/// Who knows labels in a server block. Empty where `metadata` does not stand.
#[derive(Debug, Default)]
pub struct LabelBook {
    view: Option<String>,
    /// For which names labels are told; for none if `metadata` does not stand there.
    zones: Option<Vec<Name>>,
    tellers: OnceLock<Vec<Weak<dyn Plugin>>>,
}

impl LabelBook {
    /// For a block with this view, and with `metadata` for these zones, if it stands there.
    pub fn new(view: Option<String>, zones: Option<Vec<Name>>) -> Self {
        Self { view, zones, tellers: OnceLock::new() }
    }

    /// The name of the block's view, as metrics have it; empty without one.
    pub fn view(&self) -> &str {
        self.view.as_deref().unwrap_or_default()
    }

    /// The plugins of the block, once all are made. The first call counts.
    pub fn enlist(&self, chain: &[Arc<dyn Plugin>]) {
        let tellers = chain.iter().filter(|plugin| plugin.labels().is_some()).map(Arc::downgrade).collect();
        let _ = self.tellers.set(tellers); // a block is made once
    }

    /// The value of a label; `None` if nobody knows it, or if the block has no `metadata`.
    pub fn label(&self, name: &str, about: &About<'_>) -> Option<String> {
        if !self.zones.as_ref()?.iter().any(|zone| Name::strip(about.name, zone.as_wire()).is_some()) {
            return None;
        }
        if name == VIEW_NAME {
            return self.view.clone();
        }
        let tellers = self.tellers.get()?.iter().filter_map(Weak::upgrade);
        tellers.into_iter().find_map(|plugin| plugin.labels()?.label(name, about))
    }
}
