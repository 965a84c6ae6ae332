//! Tier `cluster`: with a real kube-apiserver, a real etcd and a real CoreDNS.
//!
//! All tests share one control plane, but for those that kill theirs; each makes namespaces of its own.

mod controlplane;
