//! What a plugin is, and the words that all rooms of the house share.
//!
//! ```text
//!   Statement --check--> Spec --build--> Plugin --serve--> Reply | Failure
//!   (located)            (no I/O yet)    (may read files)  (values; one function makes an RCODE of a Failure)
//! ```
//!
//! Knows the wire format and the Corefile's syntax tree. Knows no sockets, no clock of its own, and of
//! Kubernetes only what is asked of whoever watches it.

mod ahead;
mod answer;
mod clock;
mod cluster;
mod failure;
pub mod labels;
pub mod limits;
pub mod metrics;
mod pattern;
mod plugin;
mod pods;
mod published;
mod query;
mod scope;
mod seen;
mod shelf;
mod story;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod told;
pub mod wire;

pub use ahead::{Ahead, Arranger, Looked, Selector};
pub use answer::{Age, Answer, Asker, BadAnswer};
pub use clock::{Clock, FakeClock, Moment, RuntimeClock};
pub use cluster::{Cluster, Endpoint, Endpoints, NoCluster, ServicePort};
pub use corefile_compat as corefile;
pub use failure::{Bound, Down, Failure, Fault};
pub use labels::{About, LabelBook, Labels};
pub use pattern::Pattern;
pub use plugin::{
    Blocks, Boxed, BuildError, Context, Event, Gate, Inside, Next, Observer, Plugin, Remembered, Reply, Served, Server,
    Source, Spec, Storing, Verdict,
};
pub use pods::{Census, Known, Pod, PodIndex, Resident};
pub use published::{Changes, Kind, Object, Publication, Published, Recent, Wanted};
pub use query::{Client, Options, Past, Query, Transport};
pub use scope::{ListId, Plain, Scope, Scoper, SearchList, SearchLists};
pub use seen::{Forwarded, Sighting, Standing, Tracer, Way, Wiretap, Witness};
pub use shelf::Shelf;
pub use story::{Decided, Recall, Recalled, Step, Story, What};
