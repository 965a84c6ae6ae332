//! What is watched of the Kubernetes cluster: this node's pods, the endpoints of Services, and what ExternalDNS is told to
//! publish. A library, no directive: `autopath @kubernetes`, `forward ZONE @NAMESPACE/SERVICE` and the `watch` of `privatezone`
//! stand on it, through [`contract::Cluster`].
//!
//! ```text
//!   API server <--Api-- Reflector: list, watch, wait --Word--> Pods ----> Index --> contract::PodIndex   (the hit path)
//!                                  |-----------------Word--> Service -> Slices -> contract::Endpoints  (forward)
//!                                  '-----------------Word--> Publisher ---------> contract::Published  (privatezone)
//!   kernel (netlink) --> witness --> herald --Testimony-----> Pods, and the address out of the index at once
//! ```
//!
//! No query ever causes a request to the API server: it is asked when something starts, when a watch ends, and when the
//! kernel puts an address in doubt.

mod api;
mod backoff;
mod cluster;
mod herald;
mod index;
mod kubelet;
mod lines;
mod node;
mod pod;
mod pods;
mod published;
mod reflector;
mod service;
mod settings;
mod slices;
mod trouble;
mod witness;
mod words;

pub use api::fetch;
pub use cluster::Kubernetes;
pub use settings::Settings;
