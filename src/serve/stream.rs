//! DNS over TCP and over TLS (RFC 7766, RFC 7858): messages behind two octets of length, answered as they are ready.
//!
//! ```text
//!   StreamSocket::bind --serve--> accept --(TLS handshake)--> Conversation: frames --Desk--> replies, gathered
//! ```

mod conversation;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use contract::{Client, Transport, limits};
use proxyproto::ProxyprotoSpec;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;

use self::conversation::Conversation;
pub use super::accept::Listener;
use super::accept::{self, Accepted};
use super::connections::{Connections, Mishap, Seat};
use super::proxied::welcome;
use super::terms::{Offer, Terms};
use super::{Desk, Door, sockets};

/// A listening socket that is not yet served. Clients that connect wait from here on.
#[derive(Debug)]
pub struct StreamSocket {
    listener: TcpListener,
    local: SocketAddr,
}

/// How long clients may take, and how much they may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// For a TLS handshake, and for a message once it has begun.
    pub read: Duration,
    /// For taking the replies that are ready.
    pub write: Duration,
    /// Without any question under way.
    pub idle: Duration,
    /// Questions of one connection over TCP or TLS; after the last one's reply it is closed. `None`: no bound.
    pub questions_max: Option<NonZeroU32>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            read: limits::READ_WITHIN,
            write: limits::WRITE_WITHIN,
            idle: limits::CONNECTION_IDLE,
            questions_max: None,
        }
    }
}

/// How a listener serves. [`Listener::renew`] changes time-outs and certificates.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// How long clients may take.
    pub timeouts: Timeouts,
    /// The bound that all listeners of the process share.
    pub connections: Arc<Connections>,
    /// Certificates; `None`: plain TCP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Whose word on the clients counts, if they are behind a proxy.
    pub proxy: Option<Arc<ProxyprotoSpec>>,
}

impl StreamSocket {
    /// Binds and listens. With `reuse_port` another socket may listen on the same address.
    ///
    /// # Errors
    /// What the system says, most often that the address is in use or not ours.
    pub fn bind(address: SocketAddr, reuse_port: bool) -> io::Result<Self> {
        let listener = sockets::listener(address, reuse_port)?;
        let local = listener.local_addr()?;
        Ok(Self { listener, local })
    }

    /// The address, with the port that the system chose if 0 was asked.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Serves on `runtime`, which needs its timers, with a desk for each connection. [`Listener::drain`] ends it.
    ///
    /// # Errors
    /// The runtime cannot watch the socket.
    pub fn serve<D: Door>(self, door: &Arc<D>, options: StreamOptions, runtime: &Handle) -> io::Result<Listener> {
        let StreamOptions { timeouts, connections, tls, proxy } = options;
        let (door, terms) = (Arc::clone(door), Terms::new(timeouts, tls, &[]));
        accept::serve(self.listener, terms, connections, runtime, move |accepted, offer| {
            let (desk, proxy) = (door.desk(Transport::Tcp), proxy.clone());
            async move {
                match proxy {
                    None => converse(accepted, desk, offer).await,
                    // Boxed, so that connections without a proxy are no larger.
                    Some(proxy) => Box::pin(converse_behind(&proxy, accepted, desk, offer)).await,
                }
            }
        })
    }
}

/// The same for clients behind a proxy.
async fn converse_behind<D: Desk>(proxy: &ProxyprotoSpec, accepted: Accepted, desk: D, offer: Offer) {
    if let Some(accepted) = welcome(accepted, proxy, offer.timeouts).await {
        converse(accepted, desk, offer).await;
    }
}

async fn converse<S, D>(accepted: Accepted<S>, desk: D, offer: Offer)
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: Desk,
{
    let Offer { timeouts, tls } = offer;
    let Accepted { stream, peer, local, seat, stop } = accepted;
    let client = |transport| Client { address: peer, local, transport };
    match tls {
        None => Conversation::new(stream, desk, client(Transport::Tcp), seat, timeouts).run(stop).await,
        Some(tls) => {
            if let Some(stream) = handshake(tls.accept(stream), &seat, timeouts.read).await {
                // Boxed, because TLS's state would make plain connections' tasks as large.
                let conversation = Conversation::new(stream, desk, client(Transport::Tls), seat, timeouts);
                Box::pin(conversation.run(stop)).await;
            }
        }
    }
}

/// Waits for a handshake; `None` if it fails, takes too long, or the connection has to make room.
pub(super) async fn handshake<T, E>(
    shaking: impl Future<Output = Result<T, E>>,
    seat: &Seat,
    within: Duration,
) -> Option<T> {
    let done = tokio::select! {
        () = seat.cut() => return None,
        done = tokio::time::timeout(within, Box::pin(shaking)) => done,
    };
    let done = done.ok().and_then(Result::ok);
    if done.is_none() {
        seat.connections().note(Mishap::Failed);
    }
    done
}
