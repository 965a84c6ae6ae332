//! The engine that talks to upstreams: connections, pipelining, health, hedging. A library, no directive.
//!
//! ```text
//!                 Members: who is asked now, the near ones first; Group::set changes them at any moment
//!                    |
//!   Query --Group::exchange--> Policy orders the upstreams, those that Health calls down go last
//!                                |  Exchange: one at once; the next after an error, after Hedge's wait, or when the last
//!                                |  one is late, leaves or falls silent (Vigil); all go on until the first usable answer,
//!                                v  or the deadline
//!                     Upstream
//!                    |                           |
//!                Datagrams ---TC---------------> Pool --> Connection: a writer that batches, a reader that
//!                (a socket per question)          (few, long-lived)    demultiplexes by the ids of its Table
//!                    |                           |
//!                    +------> Question::judge <--+   what is no reply to the question is discarded, the wait goes on
//!
//!   Where an upstream is sent only so much, each message on its way passes Pace: Turns --> Line --> Bucket
//! ```
//!
//! Knows sockets and timers. Knows no Corefile, no zones, no store.

mod account;
mod attempt;
mod bucket;
mod care;
mod check;
mod datagram;
mod dial;
mod exchange;
mod files;
mod group;
mod health;
mod hedge;
mod line;
mod members;
mod membership;
mod pace;
mod policy;
mod pool;
mod question;
mod quota;
mod round;
mod round_trip;
mod settings;
mod stream;
mod table;
mod tally;
mod tap;
mod turns;
mod upstream;
mod vigil;

pub use files::{TlsFiles, system_authorities};
pub use group::{Group, GroupSettings};
pub use health::HealthSettings;
pub use members::{Change, Seat};
pub use policy::Policy;
pub use settings::{Protocol, Rate, Settings};
pub use tokio_rustls::rustls;
pub use upstream::Upstream;
