//! The directive `trace`: what happened to a share of the misses, step by step, as OpenTelemetry's spans.
//!
//! ```text
//!   Tracer::wants (one of so many) --> Tracer::told --Told--> Pipe: queue --batch--> spans --OTLP over HTTP--> collector
//!                                       (miss path)        (bounded: drops, counts)        (one request at a time)
//! ```
//!
//! A pipe lies on the shelf under what it was made of: blocks that say the same share it, and a reload keeps what waits in it.

mod address;
mod http_client;
mod pipe;
mod plugin;
mod spans;
mod spec;

pub use address::Address;
pub use plugin::Trace;
pub use spec::{TraceSpec, check};
