//! The directive `log`: a line per query on the daemon's log, in CoreDNS's formats.
//!
//! ```text
//!   Event --LogSpec::line--> rule by name, class of the reply, format --> line --queue--> writer --> tracing, target "log"
//! ```
//!
//! Whoever answers a query never waits for the log: over the bound of the queue lines are dropped and counted.

mod class;
mod format;
mod plugin;
mod rule;
mod spec;
mod values;

pub use class::{Class, Classes};
pub use format::Format;
pub use plugin::QueryLog;
pub use rule::Rule;
pub use spec::{LogSpec, check};
