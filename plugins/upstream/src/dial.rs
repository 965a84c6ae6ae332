//! Opens sockets to one upstream: TCP or TLS, from the source address that is configured, within a bounded time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use contract::limits;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// A stream of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Where and how to connect.
#[derive(Clone)]
pub(crate) struct Dial {
    pub(crate) address: SocketAddr,
    pub(crate) source: Option<IpAddr>,
    pub(crate) tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
}

impl Dial {
    /// A connection ready for questions.
    pub(crate) async fn stream(&self) -> io::Result<Box<dyn Stream>> {
        let within = limits::UPSTREAM_CONNECT_WITHIN;
        let late =
            || io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {} ms", within.as_millis()));
        tokio::time::timeout(within, self.connect()).await.map_err(|_| late())?
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = self.tcp().await?;
        stream.set_nodelay(true)?; // batches are made by the writer, and nothing waits for an acknowledgement
        let Some((server_name, config)) = &self.tls else { return Ok(Box::new(stream)) };
        let connector = TlsConnector::from(Arc::clone(config));
        Ok(Box::new(connector.connect(server_name.clone(), stream).await?))
    }

    async fn tcp(&self) -> io::Result<TcpStream> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = self.source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        socket.connect(self.address).await
    }

    /// A socket with a port of its own that takes datagrams of the upstream alone: the kernel drops all others.
    pub(crate) async fn datagram(&self) -> io::Result<UdpSocket> {
        let any = match self.address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind(SocketAddr::new(self.source.unwrap_or(any), 0)).await?;
        socket.connect(self.address).await?;
        Ok(socket)
    }
}

impl std::fmt::Debug for Dial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls.is_some() { "tls://" } else { "dns://" };
        write!(f, "{scheme}{}", self.address)
    }
}
