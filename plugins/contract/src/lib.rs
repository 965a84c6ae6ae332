//! What a plugin is: query, reply, chain, scope, clock and wire views; no sockets, no Kubernetes.
