//! The smallest HTTPS client that can keep a connection and read an endless response: one HTTP/1.1 connection.

use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long a server may take to take a connection, and to say the next octets of an ordinary response.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whom to trust: the authority of a PEM file alone.
#[track_caller]
pub fn trust(authority: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).expect("a PEM file") {
        roots.add(certificate.expect("a certificate")).expect("a certificate of an authority");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(versions.expect("ring has them").with_root_certificates(roots).with_no_client_auth())
}

/// A connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    host: String,
}

/// What comes before the body.
#[derive(Clone, Debug)]
pub struct Head {
    /// The status code.
    pub status: u16,
    length: Length,
}

#[derive(Clone, Copy, Debug)]
enum Length {
    Octets(u64),
    Chunks,
}

impl Connection {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// Nobody listens, or the server is not who it should be.
    pub fn open(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let tcp = TcpStream::connect_timeout(&address, PATIENCE)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::IpAddress(address.ip().into());
        let tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Self { stream: BufReader::new(StreamOwned::new(tls, tcp)), host: address.to_string() })
    }

    /// True if the server has neither closed it nor said more since the last response.
    pub fn is_idle(&self) -> bool {
        let tcp = &self.stream.get_ref().sock;
        let quiet = tcp.set_nonblocking(true).is_ok()
            && tcp.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        tcp.set_nonblocking(false).is_ok() && quiet && self.stream.buffer().is_empty()
    }

    /// The socket, to shut it down from another thread; and without an end to the wait for the next octets.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub fn patient(&self) -> io::Result<TcpStream> {
        let tcp = &self.stream.get_ref().sock;
        tcp.set_read_timeout(None)?;
        tcp.try_clone()
    }

    /// Sends a request and reads the head of the response.
    ///
    /// # Errors
    /// The connection broke, or what came is no HTTP.
    pub fn request(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Head> {
        let mut octets = format!("{line} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n", self.host, body.len());
        headers.iter().for_each(|(name, value)| octets.push_str(&format!("{name}: {value}\r\n")));
        octets.push_str("\r\n");
        let mut octets = octets.into_bytes();
        octets.extend(body);
        self.stream.get_mut().write_all(&octets)?;
        self.stream.get_mut().flush()?;
        self.head()
    }

    fn head(&mut self) -> io::Result<Head> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| broken(&format!("a status line is expected: {first}")))?;
        let mut length = Length::Octets(0);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                None if line.is_empty() => return Ok(Head { status, length }),
                Some(("content-length", octets)) => {
                    length = Length::Octets(octets.parse().map_err(|_| broken(&line))?);
                }
                Some(("transfer-encoding", "chunked")) => length = Length::Chunks,
                _ => {}
            }
        }
    }

    /// The body, to be read to its end before the next request.
    pub fn body(&mut self, head: &Head) -> Body<'_> {
        Body { connection: self, length: head.length, left: 0, begun: false }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

/// The body of a response, freed of its framing.
#[derive(Debug)]
pub struct Body<'a> {
    connection: &'a mut Connection,
    length: Length,
    /// What is left of the chunk, or of the whole.
    left: u64,
    begun: bool,
}

impl Body<'_> {
    /// Goes to the next chunk when there is nothing left of this one. A last chunk, of no length, leaves nothing.
    fn next(&mut self) -> io::Result<()> {
        match self.length {
            Length::Octets(octets) => {
                self.left = octets;
                self.length = Length::Octets(0);
            }
            Length::Chunks => {
                if self.begun {
                    self.connection.line()?;
                }
                let size = self.connection.line()?;
                self.left = u64::from_str_radix(&size, 16).map_err(|_| broken(&format!("a chunk's size: {size}")))?;
                if self.left == 0 {
                    self.connection.line()?;
                    self.length = Length::Octets(0);
                }
            }
        }
        self.begun = true;
        Ok(())
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.next()?;
        }
        if self.left == 0 {
            return Ok(0);
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let taken = self.connection.stream.read(&mut buffer[..most])?;
        if taken == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= taken as u64;
        Ok(taken)
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
