//! The directive `errors`: says in the daemon's log what went wrong with queries, and no more often than a person reads.
//!
//! ```text
//!   Event (a failure) --Errors--> which pattern? --Tally--> lines --queue--> writer --> tracing, target "errors"
//!                                                     ^
//!                                  periods that end --+
//! ```
//!
//! Looks at failures only, so hits cost nothing. Whoever answers a query never waits for the log.

mod plugin;
mod spec;
mod tally;

pub use contract::Pattern;
pub use plugin::Errors;
pub use spec::{Consolidate, ErrorsSpec, Level, check};
