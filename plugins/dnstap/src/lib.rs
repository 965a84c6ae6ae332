//! The directive `dnstap`: copies of messages with who, when and over what, on their way to somebody who collects them.
//!
//! ```text
//!   Witness::seen (a thread beside) --CLIENT_*-----+
//!                                                  +--> Tap --frame--> Outlet: queue --> Line --Frame Streams--> sink
//!   Wiretap::forwarded (miss path) --FORWARDER_*---+            (bounded: drops, counts)  (connects, again and again)
//! ```
//!
//! An outlet lies on the shelf under its endpoint: blocks that name the same one share it, and a reload keeps its connection.

mod endpoint;
mod frame;
mod line;
mod message;
mod outlet;
mod plugin;
mod spec;
mod tls;

pub use endpoint::Endpoint;
pub use plugin::Dnstap;
pub use spec::{DnstapSpec, TapSpec, check};
