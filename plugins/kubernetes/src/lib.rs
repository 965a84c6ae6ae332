//! What is watched of the Kubernetes cluster.

#[allow(dead_code, unused_imports, reason = "the watch of pods reads it")]
mod kubelet;
#[allow(dead_code, reason = "the watch of EndpointSlices reads it")]
mod slices;
