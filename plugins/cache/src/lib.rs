//! The answer store, and the directive `cache`: how long which answers of a server block are memorised.
//!
//! ```text
//!   KeyBuffer --Reader::lookup--> Fresh | Stale | Failed | Miss          the hit path: nothing allocated, nothing awaited
//!   Reply     --judge--> Judgement --Store::insert--> Reply             as every later hit will see it
//!   Failure   --Store::failed--> memorised (RFC 9520), or the stale answer goes out at once for a while
//!   Statement --check--> CacheSpec, with its Policy
//! ```
//!
//! There is one [`Store`] in the process, shared by all server blocks and outliving reloads; a block's number is part
//! of the key. It is bounded in octets; a block's capacities bound it further. The store is no step of the chain: the
//! daemon asks it before the chain, and tells it what the chain said. It knows no sockets, no tasks and no clock.

mod capacity;
mod entry;
mod forget;
mod judge;
mod key;
mod policy;
mod sources;
mod spec;
mod store;
#[cfg(test)]
mod tests;
pub mod warm;

pub use capacity::{BlockLabels, Class};
pub use entry::Entry;
pub use key::{BlockId, KeyBuffer};
pub use policy::{ClassPolicy, Policy, Prefetch, StaleMode, StalePolicy};
pub use spec::{Cache, CacheSpec, check};
pub use store::{Lookup, Reader, STORE_OCTETS, Store};
