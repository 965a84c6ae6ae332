//! The directive `loop`: finds out whether what this block forwards comes back to it.
//!
//! ```text
//!   probe() --sent by the daemon through the block's chain--> serve (from ourselves: handed on)
//!                                                               |
//!                     serve (over the network: a loop) <--------+-- forward --> upstream --> ... --> us
//!                       |
//!                       +--> detection(), which the daemon waits for; an error each minute; a counter
//! ```
//!
//! Only a question from the network can mean a loop, and one is enough: the name is random, and known to nobody whom
//! it was not forwarded to. It must be enough, because a question that comes back while the same question is under way
//! joins it and is not forwarded again.

mod guard;
mod spec;

pub use guard::{Detection, LoopGuard};
pub use spec::{LoopSpec, check};
