//! The engine that talks to upstreams: connections, pipelining, health, hedging.
