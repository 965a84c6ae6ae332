//! What is watched of the Kubernetes cluster: this node's pods, and the endpoints of Services. A library, no directive:
//! `autopath @kubernetes` and `forward ZONE @NAMESPACE/SERVICE` stand on it, through [`contract::Cluster`].
//!
//! ```text
//!   API server <--Api-- Reflector: list, watch, wait --Word--> Pods ----> Index --> contract::PodIndex   (the hit path)
//!                                  '-----------------Word--> Service -> Slices -> contract::Endpoints  (forward)
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
mod reflector;
mod service;
mod settings;
mod slices;
mod trouble;
mod witness;
mod words;

pub use cluster::Kubernetes;
pub use settings::Settings;
