//! Exchanges with scripted upstreams on real sockets of the loopback interface.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail a test by panicking")]

mod certificates;
mod datagrams;
mod group;
mod health;
mod late;
mod members;
mod options;
mod rates;
mod recoveries;
mod script;
mod seen;
mod silent;
mod streams;
mod tls;
