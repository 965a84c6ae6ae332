//! The node's side: the address that pods ask, the rules with the kernel's failsafe, and what watches the daemon from inside.
//!
//! ```text
//!   flags --> NodePlan --> Lease --> link: interface and addresses --> rules --> the daemon's sockets
//!                            |              ^                           ^
//!                            |              '---- Keeper: reconciles ---'
//!                            '--> the last one that leaves: everything stays, or is torn down
//! ```

pub mod abort;
pub mod advice;
pub mod central;
pub mod conntrack;
pub mod detour;
pub mod first_word;
pub mod keeper;
pub mod lease;
pub mod link;
pub mod memory;
mod meters;
pub mod migrate;
pub mod plan;
pub mod rules;
pub mod setup_errors;
pub mod warm;
pub mod watchdog;

pub use keeper::Keeper;
pub use migrate::Migration;
pub use plan::{Leaving, NodePlan};
pub use setup_errors::SetupError;
pub use warm::Warmth;
pub use watchdog::Watchdog;
