//! The way of a query, from the socket to the front door and back.
//!
//! ```text
//!   udp (a thread per core, batches)  --\
//!   stream (TCP, TLS)                 ---> Door -> Desk::answer --Reply--> sent at once
//!   https (HTTP/2)                    --/                       --Miss---> awaited, then sent
//! ```

mod accept;
pub mod ahead;
mod apology;
mod ask;
pub mod block;
pub(crate) mod chaos;
pub mod connections;
#[cfg(test)]
mod desk;
pub mod entrance;
mod flights;
mod front;
mod handle;
pub mod https;
#[cfg(test)]
mod proofs;
pub mod proxied;
pub(crate) mod sockets;
pub mod stream;
pub mod tally;
mod terms;
#[cfg(test)]
pub(crate) mod tls_pair;
pub mod udp;
mod waiting;
mod way;
pub mod why;
pub mod zones;

pub use flights::{Flights, Turnstile};
pub use front::{Front, FrontDesk};

use contract::{Boxed, Client, Moment, Transport};

/// The front door of one listener, as the sockets see it.
pub trait Door: Send + Sync + 'static {
    /// What one thread or connection keeps for itself.
    type Desk: Desk;

    /// A desk for a thread (datagrams) or a connection (all else).
    fn desk(&self, transport: Transport) -> Self::Desk;

    /// A desk for the thread for datagrams with this number, which may tell its number to those who ask for it.
    fn desk_of_worker(&self, _worker: usize) -> Self::Desk {
        self.desk(Transport::Udp)
    }
}

/// Where one thread or one connection hands in its packets.
pub trait Desk: Send + 'static {
    /// The time, to be read once for questions that came together.
    fn now(&self) -> Moment;

    /// The message in a packet, behind what a proxy may have put before it: for a reply where answering it panicked.
    fn message<'p>(&self, packet: &'p [u8]) -> &'p [u8] {
        packet
    }

    /// Answers a packet into `out`, or says that the answer takes longer. A reply made at once costs no allocation, no lock
    /// and no wait. `out` holds 65,535 octets for streams and at least 1,232 for datagrams.
    fn answer(&mut self, packet: &[u8], client: &Client, now: Moment, out: &mut [u8]) -> Outcome;
}

/// What becomes of a packet.
pub enum Outcome {
    /// The reply stands in the first octets of `out`.
    Reply(usize),
    /// Nothing is said.
    Silent,
    /// The reply comes later; `None`: nothing is said. Never takes longer than `limits::ANSWER_WITHIN`. To be spawned.
    Miss(Boxed<'static, Option<Vec<u8>>>),
}
