//! The central DNS server of the demo: hickory-server's own authority, a set time away, that counts what it is asked.
//!
//! ```text
//!   UDP, TCP --> Distant --spawn: wait, then--> Catalog --> reply
//!                count in                       count out
//! ```
//!
//! hickory-server answers the questions of one TCP connection one after another. A delay inside its handler would queue them,
//! so [`Distant`] hands each question to a task of its own: ten questions at once are answered after one delay, as over a
//! real distance.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Header, HeaderCounts};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::Catalog;
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::sync::oneshot;
use tracing::subscriber::NoSubscriber;

use super::{LOOPBACK, zones};

/// After this time without a question a connection is closed.
const IDLE: Duration = Duration::from_secs(60);
/// Replies that may wait on one connection.
const REPLIES_MAX: usize = 256;
/// Connections that may wait to be accepted.
const CONNECTIONS_WAITING_MAX: u32 = 64;
/// Ports that were free for TCP and taken for UDP, before giving up.
const PORT_ATTEMPTS: usize = 16;

/// A running server. Dropped, it is gone with its sockets.
pub(super) struct Centre {
    address: SocketAddr,
    delay: Duration,
    counts: Arc<Counts>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    arrived: AtomicU64,
    answered: AtomicU64,
}

impl Centre {
    /// Starts a server whose answers leave `delay` after their questions came. When it returns, UDP and TCP are served.
    pub(super) fn start(delay: Duration) -> io::Result<Self> {
        let counts = Arc::new(Counts::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (udp, tcp) = {
            let _inside = runtime.enter();
            sockets()?
        };
        let address = udp.local_addr()?;
        let handler = Distant { catalog: Arc::new(zones::catalog()), counts: Arc::clone(&counts), delay };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("demo-centre".to_owned()).spawn(move || {
            // its log is not the daemon's: nobody looks for trouble here
            let _silent = tracing::subscriber::set_default(NoSubscriber::new());
            runtime.block_on(async move {
                let mut server = Server::new(handler);
                server.register_socket(udp);
                server.register_listener(tcp, IDLE, REPLIES_MAX);
                let _ = stopped.await; // both an order to stop and a Centre that is gone end it
            });
        })?;
        Ok(Self { address, delay, counts, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens, UDP and TCP.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How far away it is.
    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    /// Questions that have come so far.
    pub(super) fn questions(&self) -> u64 {
        self.counts.arrived.load(Ordering::SeqCst)
    }

    /// Questions whose answers are still on their way.
    pub(super) fn outstanding(&self) -> u64 {
        let answered = self.counts.answered.load(Ordering::SeqCst); // read first: never more than have arrived
        self.questions() - answered
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic of that thread has been printed where it happened
        }
    }
}

/// One free port for both transports. Replies are small and many: none waits for the acknowledgement of the one before.
fn sockets() -> io::Result<(UdpSocket, TcpListener)> {
    let mut taken = None;
    for _ in 0..PORT_ATTEMPTS {
        let socket = TcpSocket::new_v4()?;
        socket.set_nodelay(true)?; // accepted connections inherit it
        socket.bind((LOOPBACK, 0).into())?;
        let tcp = socket.listen(CONNECTIONS_WAITING_MAX)?;
        match std::net::UdpSocket::bind(tcp.local_addr()?) {
            Ok(udp) => {
                udp.set_nonblocking(true)?;
                return Ok((UdpSocket::from_std(udp)?, tcp));
            }
            Err(error) => taken = Some(error),
        }
    }
    Err(taken.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

/// A catalog, some time away.
struct Distant {
    catalog: Arc<Catalog>,
    counts: Arc<Counts>,
    delay: Duration,
}

#[async_trait::async_trait]
impl RequestHandler for Distant {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, reply: R) -> ResponseInfo {
        self.counts.arrived.fetch_add(1, Ordering::SeqCst);
        let accepted = Header { metadata: request.metadata, counts: HeaderCounts::default() };
        // a Request cannot be cloned; what was parsed once is parsed again
        match Request::from_bytes(request.as_slice().to_vec(), request.src(), request.protocol()) {
            Ok(request) => {
                let (catalog, counts, delay) = (Arc::clone(&self.catalog), Arc::clone(&self.counts), self.delay);
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    catalog.handle_request::<R, T>(&request, reply).await;
                    counts.answered.fetch_add(1, Ordering::SeqCst);
                });
            }
            Err(_) => {
                self.counts.answered.fetch_add(1, Ordering::SeqCst);
            }
        }
        accepted.into() // nobody reads it: the reply goes by its handle
    }
}

#[cfg(test)]
mod tests;
