//! The directive `acl`: who may ask what. A gate before the answer store, so that it holds for hits and for every
//! candidate of AutoPath as well.
//!
//! ```text
//!   acl ZONES { policies }     each `acl` of a server block is a rule, in order as written
//!   acl ZONES { policies }
//!        |
//!        v
//!   rule: is the name in a zone? --> first policy whose types and sources match --> allow: on, whatever rules follow
//!        | no, or none matches                                                      block, filter, drop: the end
//!        v
//!   next rule ... after the last: allowed
//! ```

mod gate;
mod sources;
mod spec;
#[cfg(test)]
mod tests;

pub use sources::Sources;
pub use spec::{AclSpec, Action, Policy, Rule, Types, check};

/// The directive's name.
const NAME: &str = "acl";
