//! The directive `forward`: questions for a zone go to upstream resolvers.
//!
//! ```text
//!   Statement --check--> ForwardSpec (Target: address, host name or file) --build--> Forward --serve--> upstream::Group
//!                        no I/O                        resolv.conf, names, certificates
//! ```

mod build;
mod hostname;
mod plugin;
mod resolv;
mod spec;
mod target;
mod tls;

pub use spec::{ForwardSpec, check};
