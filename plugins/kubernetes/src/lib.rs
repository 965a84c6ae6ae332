//! What is watched of the Kubernetes cluster.

mod witness;
