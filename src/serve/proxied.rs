//! Clients behind a proxy that tells of them (PROXY protocol): a door before the door for datagrams, and the first words of a
//! connection. Only listeners that are opened so have it; the others do not know of it.
//!
//! ```text
//!   datagram --> Behind: header off, client as told --> the desk behind
//!   connection --> welcome: header read, client as told, its seat --> Rewound: what came behind the header, then the rest
//! ```

mod rewound;
#[cfg(test)]
mod tests;
mod welcome;

use std::sync::Arc;

use contract::{Client, Moment, Transport};
use proxyproto::{Datagrams, ProxyprotoSpec, Seen, read_header};

pub(super) use self::rewound::Rewound;
pub(super) use self::welcome::welcome;
use super::{Desk, Door, Outcome};

/// A door for datagrams whose senders are proxies.
pub struct Behind<D> {
    door: Arc<D>,
    datagrams: Arc<Datagrams>,
}

/// A desk behind such a door. Replies go to whoever sent the datagram: the sockets see to that.
pub struct BehindDesk<D> {
    desk: D,
    datagrams: Arc<Datagrams>,
}

impl<D> Behind<D> {
    /// Before `door`, for the datagrams of one listener.
    pub fn new(door: &Arc<D>, spec: &ProxyprotoSpec) -> Self {
        Self { door: Arc::clone(door), datagrams: Arc::new(Datagrams::new(spec.clone())) }
    }
}

impl<D: Door> Door for Behind<D> {
    type Desk = BehindDesk<D::Desk>;

    fn desk(&self, transport: Transport) -> Self::Desk {
        BehindDesk { desk: self.door.desk(transport), datagrams: Arc::clone(&self.datagrams) }
    }

    fn desk_of_worker(&self, worker: usize) -> Self::Desk {
        BehindDesk { desk: self.door.desk_of_worker(worker), datagrams: Arc::clone(&self.datagrams) }
    }
}

impl<D: Desk> Desk for BehindDesk<D> {
    fn now(&self) -> Moment {
        self.desk.now()
    }

    fn message<'p>(&self, packet: &'p [u8]) -> &'p [u8] {
        // no question begins as a header does: its QDCOUNT would be that of a header's first octets
        match read_header(packet) {
            Ok(Seen::Header(header)) => &packet[header.length..],
            _ => packet,
        }
    }

    fn answer(&mut self, packet: &[u8], client: &Client, now: Moment, out: &mut [u8]) -> Outcome {
        match self.datagrams.read(packet, client.address, now) {
            Ok(Some((message, address))) => self.desk.answer(message, &Client { address, ..*client }, now, out),
            Ok(None) => Outcome::Silent,
            Err(wrong) => {
                tracing::debug!("a datagram from {} is dropped: {wrong}", client.address);
                Outcome::Silent
            }
        }
    }
}
