//! Where messages go: a unix socket, TCP or TLS; how it is written, and how it is reached.

use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// A sink's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A unix socket.
    Unix(PathBuf),
    /// Plain TCP.
    Tcp(HostPort),
    /// TLS over TCP.
    Tls(HostPort),
}

/// A host by name or address (an IPv6 address without brackets), and its port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What stands for an endpoint in a Corefile.
pub(crate) const EXPECTED: &str = "a socket: `/PATH`, `unix:///PATH`, `tcp://HOST:PORT` or `tls://HOST:PORT`";

/// A stream of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {
    /// Writes what the kernel takes at once, and closes it; how many octets that was. Needs no runtime, which may be gone.
    fn last_word(self: Box<Self>, octets: &[u8]) -> usize;
}

impl Stream for UnixStream {
    fn last_word(self: Box<Self>, octets: &[u8]) -> usize {
        self.into_std().map_or(0, |stream| write_at_once(stream, octets))
    }
}

impl Stream for TcpStream {
    fn last_word(self: Box<Self>, octets: &[u8]) -> usize {
        self.into_std().map_or(0, |stream| write_at_once(stream, octets))
    }
}

impl Stream for TlsStream<TcpStream> {
    fn last_word(self: Box<Self>, octets: &[u8]) -> usize {
        let (stream, mut session) = self.into_inner();
        let Ok(mut stream) = stream.into_std() else { return 0 };
        let written = write_at_once(session.writer(), octets);
        session.send_close_notify();
        while session.wants_write() && session.write_tls(&mut stream).is_ok() {}
        // what the session still holds nobody will write any more
        if session.wants_write() { 0 } else { written }
    }
}

fn write_at_once(mut to: impl Write, octets: &[u8]) -> usize {
    let mut written = 0;
    while written < octets.len() {
        match to.write(&octets[written..]) {
            Ok(octets @ 1..) => written += octets,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => break,
        }
    }
    written
}

impl Endpoint {
    /// Reads an endpoint as it stands in a Corefile. A word without a scheme is a path.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("tcp", rest)) => HostPort::parse(rest).map(Self::Tcp),
            Some(("tls", rest)) => {
                let at = HostPort::parse(rest)?;
                ServerName::try_from(at.host.as_str()).map_err(|_| format!("no certificate can name `{}`", at.host))?;
                Ok(Self::Tls(at))
            }
            Some(("unix", "")) => Err("no path".to_owned()),
            Some(("unix", path)) => Ok(Self::Unix(path.into())),
            Some((scheme, _)) => Err(format!("messages do not go over `{scheme}`")),
            None if text.is_empty() => Err("no path".to_owned()),
            None if !text.contains('/') && HostPort::parse(text).is_ok() => {
                Err(format!("a path, which looks like an address: did you mean `tcp://{text}`?"))
            }
            None => Ok(Self::Unix(text.into())),
        }
    }

    /// A connection, before anything is said on it. `buffer`: what is asked of the kernel for a TCP socket, octets.
    pub(crate) async fn connect(&self, buffer: u32, tls: Option<&Arc<ClientConfig>>) -> io::Result<Box<dyn Stream>> {
        match (self, tls) {
            (Self::Unix(path), _) => Ok(Box::new(UnixStream::connect(path).await?)),
            (Self::Tls(at), Some(config)) => {
                let name = ServerName::try_from(at.host.clone()).map_err(io::Error::other)?;
                let connector = TlsConnector::from(Arc::clone(config));
                Ok(Box::new(connector.connect(name, at.connect(buffer).await?).await?))
            }
            (Self::Tcp(at) | Self::Tls(at), _) => Ok(Box::new(at.connect(buffer).await?)),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(at) => write!(f, "tcp://{at}"),
            Self::Tls(at) => write!(f, "tls://{at}"),
        }
    }
}

impl HostPort {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (host, port) = text.rsplit_once(':').ok_or("no port")?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(|| format!("`{port}` is no port"))?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inside) if inside.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) => inside,
            Some(inside) => return Err(format!("`{inside}` is no IPv6 address")),
            None => host,
        };
        let is_name = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if host.is_empty() || !(is_name(host) || host.parse::<IpAddr>().is_ok() && text.starts_with('[')) {
            return Err(format!("`{host}` is no host"));
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// The first of its addresses that takes the connection.
    async fn connect(&self, buffer: u32) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, format!("`{}` has no address", self.host));
        for address in tokio::net::lookup_host((self.host.as_str(), self.port)).await? {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.set_send_buffer_size(buffer)?;
            match socket.connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?; // batches are made by the writer
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_and_written() {
        for (text, said) in [
            ("/tmp/dnstap.sock", "unix:///tmp/dnstap.sock"),
            ("unix:///tmp/dnstap.sock", "unix:///tmp/dnstap.sock"),
            ("unix://dnstap.sock", "unix://dnstap.sock"),
            ("dnstap.sock", "unix://dnstap.sock"),
            ("tcp://127.0.0.1:6000", "tcp://127.0.0.1:6000"),
            ("tcp://sink.example.com:6000/", "tcp://sink.example.com:6000"),
            ("tls://[2001:db8::1]:6000", "tls://[2001:db8::1]:6000"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), said, "{text}");
        }
    }

    #[test]
    fn what_is_no_endpoint_says_why() {
        for (text, why) in [
            ("", "no path"),
            ("unix://", "no path"),
            ("udp://127.0.0.1:6000", "do not go over `udp`"),
            ("tcp://127.0.0.1", "no port"),
            ("tcp://127.0.0.1:0", "`0` is no port"),
            ("tcp://2001:db8::1:6000", "`2001:db8::1` is no host"),
            ("tcp://[sink]:6000", "`sink` is no IPv6 address"),
            ("tcp://:6000", "`` is no host"),
            ("tls://-:6000", "no certificate can name `-`"),
            ("127.0.0.1:6000", "did you mean `tcp://127.0.0.1:6000`"),
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
