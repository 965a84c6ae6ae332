//! Messages as those see them who look on at what goes to upstreams and comes back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contract::{Client, Forwarded, Wiretap};

/// Who looks on at one question, and on whose behalf it is asked.
#[derive(Debug)]
pub(crate) struct Tap {
    pub(crate) wiretap: Arc<dyn Wiretap>,
    pub(crate) upstream: SocketAddr,
    /// What its streams are: `tcp` or `tls`.
    pub(crate) stream: &'static str,
    pub(crate) client: Client,
}

/// By which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Datagram,
    Stream,
}

impl Tap {
    /// A message went (`None`), or came after so long.
    pub(crate) fn show(&self, over: Over, message: &[u8], answered_after: Option<Duration>) {
        let protocol = match over {
            Over::Datagram => "udp",
            Over::Stream => self.stream,
        };
        let Self { upstream, client, .. } = *self;
        self.wiretap.forwarded(&Forwarded { upstream, protocol, client, message, answered_after });
    }
}
