//! What a listener offers to a connection that comes: time-outs and certificates. A reload renews them while the socket stays;
//! a connection keeps those that it came under.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use super::stream::Timeouts;

/// The terms of one listener.
pub(super) struct Terms {
    now: ArcSwap<Offer>,
    /// The protocols that TLS offers (ALPN); empty: those that the configuration names.
    alpn: &'static [&'static [u8]],
}

/// The terms of one connection.
#[derive(Clone)]
pub(super) struct Offer {
    pub(super) timeouts: Timeouts,
    /// `None`: plain TCP.
    pub(super) tls: Option<TlsAcceptor>,
}

impl Terms {
    pub(super) fn new(timeouts: Timeouts, tls: Option<Arc<ServerConfig>>, alpn: &'static [&'static [u8]]) -> Self {
        let tls = tls.map(|tls| acceptor(tls, alpn));
        Self { now: ArcSwap::from_pointee(Offer { timeouts, tls }), alpn }
    }

    /// For a connection that comes now.
    pub(super) fn offer(&self) -> Offer {
        Offer::clone(&self.now.load())
    }

    /// For connections that come from now on. A plain listener stays plain, and without new certificates the old ones stay.
    pub(super) fn renew(&self, timeouts: Timeouts, tls: Option<Arc<ServerConfig>>) {
        let old = self.now.load();
        let tls = match (&old.tls, tls) {
            (Some(_), Some(new)) => Some(acceptor(new, self.alpn)),
            (old, _) => old.clone(),
        };
        self.now.store(Arc::new(Offer { timeouts, tls }));
    }
}

fn acceptor(mut tls: Arc<ServerConfig>, alpn: &[&[u8]]) -> TlsAcceptor {
    if !alpn.is_empty() {
        Arc::make_mut(&mut tls).alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    }
    tls.into()
}
