//! Accepts connections, gives each a seat and a task, and drains them: the same for TCP, TLS and HTTPS.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::connections::{Connections, Mishap, Seat};
use super::sockets::canonical;
use super::stream::Timeouts;
use super::terms::{Offer, Terms};

/// The pause after the system could not accept, for want of descriptors or memory.
const FAILED_PAUSE: Duration = Duration::from_millis(50);

/// A listener at work, with its connections. Dropped, it closes them all at once.
pub struct Listener {
    local: SocketAddr,
    terms: Arc<Terms>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Becomes true when the connections shall finish.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<bool>);

/// A connection that has its seat.
pub(super) struct Accepted<S = TcpStream> {
    pub(super) stream: S,
    /// The client's address.
    pub(super) peer: SocketAddr,
    /// Ours.
    pub(super) local: SocketAddr,
    pub(super) seat: Seat,
    pub(super) stop: Stop,
}

impl Listener {
    /// The address that is served.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Changes what connections get that come from now on; those that are open keep what they have. Without new certificates
    /// the old ones stay, and a plain listener stays plain.
    pub fn renew(&self, timeouts: Timeouts, tls: Option<Arc<rustls::ServerConfig>>) {
        self.terms.renew(timeouts, tls);
    }

    /// Accepts what is queued and nothing more, lets every connection finish what is under way, and closes. What is not
    /// finished `within` this time is cut. True if all finished.
    pub async fn drain(mut self, within: Duration) -> bool {
        self.stop.send_replace(true);
        tokio::time::timeout(within, &mut self.task).await.is_ok()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stop {
    /// For connections that no listener accepted.
    #[cfg(test)]
    pub(super) fn when(stop: watch::Receiver<bool>) -> Self {
        Self(stop)
    }

    pub(super) async fn stopped(&mut self) {
        // An error says that the listener is gone, which stops too.
        let _ = self.0.wait_for(|&stop| stop).await;
    }
}

/// Serves a bound listener with a task per connection, each under the terms of its time.
pub(super) fn serve<F, C>(
    listener: std::net::TcpListener,
    terms: Terms,
    connections: Arc<Connections>,
    runtime: &Handle,
    converse: F,
) -> io::Result<Listener>
where
    F: Fn(Accepted, Offer) -> C + Send + Sync + 'static,
    C: Future<Output = ()> + Send + 'static,
{
    let local = listener.local_addr()?;
    let entered = runtime.enter();
    let listener = TcpListener::from_std(listener)?;
    drop(entered);
    let (stop, stopped) = watch::channel(false);
    let terms = Arc::new(terms);
    let offered = Arc::clone(&terms);
    let converse = move |accepted| converse(accepted, offered.offer());
    let task = runtime.spawn(accept(listener, connections, Stop(stopped), converse));
    Ok(Listener { local, terms, stop, task })
}

async fn accept<F, C>(listener: TcpListener, connections: Arc<Connections>, mut stop: Stop, converse: F)
where
    F: Fn(Accepted) -> C,
    C: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let seated = |tasks: &mut JoinSet<()>, (stream, peer), stop: &Stop| {
        if let Some(accepted) = seat(&connections, stream, peer, stop) {
            tasks.spawn(converse(accepted));
        }
    };
    loop {
        tokio::select! {
            () = stop.stopped() => break,
            Some(ended) = tasks.join_next() => note_end(&connections, &ended),
            accepted = listener.accept() => match accepted {
                Ok(accepted) => seated(&mut tasks, accepted, &stop),
                Err(error) => {
                    connections.note(Mishap::Failed);
                    tracing::debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(FAILED_PAUSE).await;
                }
            },
        }
    }
    take_the_last(listener, |accepted| seated(&mut tasks, accepted, &stop));
    while let Some(ended) = tasks.join_next().await {
        note_end(&connections, &ended);
    }
}

/// Takes the connections that the kernel has ready, which would be reset when the listener closes. The kernel is asked itself:
/// the runtime tells only of those that it has heard of by now.
fn take_the_last(listener: TcpListener, mut take: impl FnMut((TcpStream, SocketAddr))) {
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, peer)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            take((stream, peer));
        }
    }
}

/// A seat for the connection; without one it is closed.
fn seat(connections: &Arc<Connections>, stream: TcpStream, peer: SocketAddr, stop: &Stop) -> Option<Accepted> {
    let seat = connections.admit(peer.ip())?;
    let local = stream.local_addr().ok()?;
    // Without it a reply may wait for the client's acknowledgement of the one before.
    stream.set_nodelay(true).ok()?;
    Some(Accepted { stream, peer: canonical(peer), local: canonical(local), seat, stop: stop.clone() })
}

fn note_end(connections: &Connections, ended: &Result<(), tokio::task::JoinError>) {
    if ended.as_ref().is_err_and(tokio::task::JoinError::is_panic) {
        connections.note(Mishap::Panicked);
    }
}
