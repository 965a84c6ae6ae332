//! What a watch of the Kubernetes cluster knows, for plugins that name it by an `@` in the Corefile. The watch itself is
//! another's: here is only what is asked of it.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::plugin::BuildError;
use crate::pods::PodIndex;
use crate::published::{Published, Wanted};
use crate::wire::Name;

/// Knows this node's pods and the endpoints of Services. Asked when a plugin is built, never by a query.
pub trait Cluster: Send + Sync + Debug {
    /// Who has which address on this node. `zones` are those that the asking directive serves: the cluster's domain is
    /// among them, unless the daemon was told another one. The watch goes on while somebody holds the index.
    fn pods(&self, zones: &[Name]) -> Result<Arc<PodIndex>, BuildError>;

    /// Where a Service's pods can be asked. The watch goes on while somebody holds the receiver.
    fn endpoints(&self, port: &ServicePort) -> Result<watch::Receiver<Arc<Endpoints>>, BuildError>;

    /// What ExternalDNS is told to publish. The watches go on while somebody holds it.
    fn published(&self, wanted: &Wanted) -> Result<Arc<Published>, BuildError>;
}

/// A port of a Service: `NAMESPACE/SERVICE[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServicePort {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub service: String,
    /// The port's name or number as the Service has it; `None`: the one for DNS.
    pub port: Option<String>,
}

impl std::fmt::Display for ServicePort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "@{}/{}", self.namespace, self.service)?;
        self.port.iter().try_for_each(|port| write!(f, ":{port}"))
    }
}

/// What can be asked of a Service now. Never changed; a new state is a new value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Ready endpoints, each once, over TCP; those meant for this node's zone first. Empty before the first list, and
    /// when none is ready.
    pub ready: Vec<Endpoint>,
    /// The Service's own address, for as long as `ready` is empty; `None` if it is not known, or the Service has none.
    pub service: Option<SocketAddr>,
    /// True once the API server has said which endpoints there are.
    pub synced: bool,
}

/// A ready endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub address: SocketAddr,
    /// False if it is meant for nodes of other zones: asked when nobody of this zone answers.
    pub near: bool,
}

/// No cluster: whoever asks is told so.
#[derive(Clone, Copy, Debug)]
pub struct NoCluster;

impl Cluster for NoCluster {
    fn pods(&self, _zones: &[Name]) -> Result<Arc<PodIndex>, BuildError> {
        Err(nothing("this node's pods"))
    }

    fn endpoints(&self, port: &ServicePort) -> Result<watch::Receiver<Arc<Endpoints>>, BuildError> {
        Err(nothing(&port.to_string()))
    }

    fn published(&self, _wanted: &Wanted) -> Result<Arc<Published>, BuildError> {
        Err(nothing("what is published into private zones"))
    }
}

fn nothing(what: &str) -> BuildError {
    BuildError::Unavailable { what: what.to_owned(), reason: "no cluster is watched here".to_owned() }
}
