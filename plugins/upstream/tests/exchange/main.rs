//! Exchanges with scripted upstreams on real sockets of the loopback interface.

mod certificates;
mod datagrams;
mod group;
mod health;
mod script;
mod streams;
mod tls;
