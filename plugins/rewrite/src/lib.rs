//! The directive `rewrite`: asks otherwise than was asked, and tells replies otherwise than they were given.
//!
//! ```text
//!   question --Pass: rule by rule, up to the first `stop` that did something--> another question, options for upstreams
//!      |                                                                           |
//!      | Reach: does a rule find it?                                               v
//!      | no: memory answers, and no rule is looked at                   memory, and the rest of the chain
//!      v                                                                           |
//!   reply <--reply::told: the changes that are due, the last rule's first-- Draft: each record <--+
//! ```

mod bench;
mod edns;
mod pass;
mod reach;
mod read;
mod reply;
mod rule;
mod serve;
mod spec;
mod swap;
#[cfg(test)]
mod tests;
mod text;

pub use spec::{RewriteSpec, check};

/// The directive's name.
const NAME: &str = "rewrite";
