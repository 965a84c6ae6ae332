//! The directive `forward`: questions for a zone go to upstream resolvers.
//!
//! ```text
//!   Statement --check--> ForwardSpec (Target: address, host name or file) --build--> Forward --serve--> upstream::Group
//!                        no I/O                        resolv.conf, names, certificates                      ^
//!                                    (Target: Service) --build--> Follow <--Endpoints-- Cluster              |
//!                                                                   +--- sets the members, for as long as it runs
//! ```

mod build;
mod follow;
mod hostname;
mod plugin;
mod resolv;
mod service;
mod spec;
mod target;

pub use spec::{ForwardSpec, check};
