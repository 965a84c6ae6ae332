//! DNS over HTTPS (RFC 8484): HTTP/2 over TLS, GET and POST, on the path that everybody uses.
//!
//! ```text
//!   HttpsSocket::bind --serve--> accept --TLS, HTTP/2--> Exchanges: request --Desk--> response
//! ```
//!
//! The streams are h2's; requests and responses pass as wire format to and from the same desk as everywhere.

mod exchanges;
mod patience;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use contract::limits::{HTTP_HEADERS_MAX, MESSAGE_MAX, PIPELINE_MAX};
use contract::{Client, Transport};
use proxyproto::ProxyprotoSpec;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;

use self::exchanges::Exchanges;
use self::patience::Patience;
use super::accept::{self, Accepted, Listener};
use super::connections::Connections;
use super::proxied::welcome;
use super::stream::{Timeouts, handshake};
use super::terms::{Offer, Terms};
use super::{Desk, Door, sockets};

/// A listening socket that is not yet served. Clients that connect wait from here on.
#[derive(Debug)]
pub struct HttpsSocket {
    listener: TcpListener,
    local: SocketAddr,
}

/// How a listener serves. [`Listener::renew`] changes time-outs and certificates.
#[derive(Clone, Debug)]
pub struct HttpsOptions {
    /// How long clients may take.
    pub timeouts: Timeouts,
    /// The bound that all listeners of the process share.
    pub connections: Arc<Connections>,
    /// Certificates. HTTP/2 is offered whatever protocols it names.
    pub tls: Arc<rustls::ServerConfig>,
    /// Whose word on the clients counts, if they are behind a proxy.
    pub proxy: Option<Arc<ProxyprotoSpec>>,
}

impl HttpsSocket {
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
    pub fn serve<D: Door>(self, door: &Arc<D>, options: HttpsOptions, runtime: &Handle) -> io::Result<Listener> {
        let HttpsOptions { timeouts, connections, tls, proxy } = options;
        let (door, terms) = (Arc::clone(door), Terms::new(timeouts, Some(tls), &[b"h2"]));
        accept::serve(self.listener, terms, connections, runtime, move |accepted, offer| {
            let (desk, proxy) = (door.desk(Transport::Https), proxy.clone());
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
    S: AsyncRead + AsyncWrite + Send + Unpin,
    D: Desk,
{
    let timeouts = offer.timeouts;
    let tls = offer.tls.expect("served with certificates, which renewing keeps");
    let Accepted { stream, peer, local, seat, stop } = accepted;
    let Some(stream) = handshake(tls.accept(stream), &seat, timeouts.read).await else {
        return;
    };
    let mut http = h2::server::Builder::new();
    http.max_concurrent_streams(PIPELINE_MAX as u32)
        .max_header_list_size(HTTP_HEADERS_MAX)
        .max_send_buffer_size(MESSAGE_MAX + 1);
    let stream = Patience::new(stream, timeouts.write, Arc::clone(seat.connections()));
    let Some(connection) = handshake(http.handshake(stream), &seat, timeouts.read).await else {
        return;
    };
    let client = Client { address: peer, local, transport: Transport::Https };
    Box::pin(Exchanges::new(desk, client, seat, timeouts).run(connection, stop)).await;
}
