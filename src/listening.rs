//! The sockets of the daemon: all bound before any is served, kept over a reload where the address stays, drained at the end.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use contract::corefile::Scheme;
use contract::limits::{CONNECTIONS_PER_CLIENT_MAX, RECEIVE_BUFFER, RECEIVE_BUFFER_SHARE_MIN};
use proxyproto::ProxyprotoSpec;
use socket2::Protocol;
use tokio::runtime::Handle;

use crate::assembly::{self, Assembly, Endpoint};
use crate::node::memory::Bounds;
use crate::serve::connections::Connections;
use crate::serve::https::{HttpsOptions, HttpsSocket};
use crate::serve::proxied::Behind;
use crate::serve::stream::{Listener, StreamOptions, StreamSocket, Timeouts};
use crate::serve::udp::{Added, Roster, UdpMeter, UdpSockets, UdpWorkers};
use crate::serve::{Front, sockets};

/// How the sockets of an address are opened. Another way means other sockets: a reload opens these beside the old ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// So many sockets for datagrams, if that is more than there are threads.
    pub sockets: Option<NonZeroU16>,
    /// Whose word on the clients counts, if they are behind a proxy.
    pub proxy: Option<Arc<ProxyprotoSpec>>,
}

/// An address that cannot be had, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {at}: {error}; {advice}", advice = advice(.error))]
pub struct CannotListen {
    at: Endpoint,
    error: io::Error,
}

impl CannotListen {
    /// True if the address is on no interface: on a node it may be on its way.
    pub fn is_missing(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrNotAvailable
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program has the port (`ss -lntup` shows which): stop it, or choose another port with -p or in the key"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or choose another port with -p"
        }
        io::ErrorKind::AddrNotAvailable => {
            "the address is on no interface of this host (`ip addr` lists them): add it, or change `bind`"
        }
        _ => "see the server block's keys and its `bind`",
    }
}

/// Bound and not yet served. Questions queue from here on.
pub struct Sockets(BTreeMap<Endpoint, Bound>);

enum Bound {
    Dns(UdpSockets, StreamSocket),
    Tls(StreamSocket),
    Https(HttpsSocket),
}

impl Sockets {
    /// Binds every listener of an assembly. Unless they are to `share` their ports with another process of this user, none may
    /// have them: the system alone would let both have them, and each would get some of the questions.
    pub fn bind(assembly: &Assembly, threads: usize, share: bool) -> Result<Self, CannotListen> {
        if !share {
            // all before the first is bound: addresses of ours may overlap
            for &assembly::Listener { at, .. } in &assembly.listeners {
                probe(at).map_err(|error| CannotListen { at, error })?;
            }
        }
        Self::bind_these(&assembly.listeners.iter().collect::<Vec<_>>(), threads)
    }

    fn bind_these(listeners: &[&assembly::Listener], threads: usize) -> Result<Self, CannotListen> {
        let bind = |listener: &assembly::Listener| {
            let (at, wanted) = (listener.at, listener.opening.sockets.map_or(0, |sockets| usize::from(sockets.get())));
            bind(at, threads.max(wanted)).map_err(|error| CannotListen { at, error })
        };
        listeners.iter().map(|listener| Ok((listener.at, bind(listener)?))).collect::<Result<_, _>>().map(Self)
    }
}

fn bind(at: Endpoint, datagram_sockets: usize) -> io::Result<Bound> {
    on_this_host(at.address, |address| bind_at(at.scheme, address, datagram_sockets))
}

fn probe(at: Endpoint) -> io::Result<()> {
    on_this_host(at.address, |address| {
        if at.scheme == Scheme::Dns {
            sockets::probe(address, Protocol::UDP)?;
        }
        sockets::probe(address, Protocol::TCP)
    })
}

/// Tries an address. On a host without IPv6 all its addresses are the IPv4 ones.
fn on_this_host<T>(address: SocketAddr, attempt: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    match attempt(address) {
        Err(error) if address.ip().is_unspecified() && is_family_missing(&error) => {
            attempt(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        }
        tried => tried,
    }
}

fn is_family_missing(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::libc::EAFNOSUPPORT) || error.kind() == io::ErrorKind::AddrNotAvailable
}

fn bind_at(scheme: Scheme, address: SocketAddr, datagram_sockets: usize) -> io::Result<Bound> {
    Ok(match scheme {
        Scheme::Tls => Bound::Tls(StreamSocket::bind(address, true)?),
        Scheme::Https => Bound::Https(HttpsSocket::bind(address, true)?),
        _ => Bound::Dns(UdpSockets::bind(address, datagram_sockets)?, StreamSocket::bind(address, true)?),
    })
}

/// Everything that is served.
pub struct Listening {
    udp: UdpWorkers,
    open: BTreeMap<Endpoint, Open>,
    connections: Arc<Connections>,
    receive_buffer: usize,
    runtime: Handle,
}

struct Open {
    opening: Opening,
    front: Arc<Front>,
    datagrams: Option<SocketAddr>,
    stream: Listener,
}

impl Listening {
    /// Threads that serve nothing yet.
    pub fn start(threads: usize, bounds: &Bounds, runtime: Handle) -> io::Result<Self> {
        let udp = UdpWorkers::start(threads, runtime.clone())?;
        let connections =
            Arc::new(Connections::new(bounds.connections, CONNECTIONS_PER_CLIENT_MAX.min(bounds.connections / 2)));
        Ok(Self { udp, open: BTreeMap::new(), connections, receive_buffer: bounds.receive_buffer, runtime })
    }

    /// Serves bound sockets, each by the blocks that the assembly has for its address.
    pub fn serve(&mut self, assembly: &Assembly, mut sockets: Sockets) -> io::Result<()> {
        for listener in &assembly.listeners {
            if let Some(bound) = sockets.0.remove(&listener.at) {
                let front = Arc::new(Front::new(Arc::clone(&listener.zones)));
                let open = self.open(listener, bound, front)?;
                self.open.insert(listener.at, open);
            }
        }
        Ok(())
    }

    fn open(&mut self, listener: &assembly::Listener, bound: Bound, front: Arc<Front>) -> io::Result<Open> {
        let connections = Arc::clone(&self.connections);
        let (timeouts, proxy) = (timeouts(listener), listener.opening.proxy.clone());
        let tls = || listener.tls.clone().expect("a plan has certificates where a key needs them");
        let (datagrams, stream) = match bound {
            Bound::Dns(mut udp, tcp) => {
                let options = StreamOptions { timeouts, connections, tls: None, proxy: proxy.clone() };
                let tcp = tcp.serve(&front, options, &self.runtime)?;
                let (sockets, octets) = (udp.count(), self.receive_buffer_of_each(udp.count()));
                udp.bound_receive_buffers(octets)?;
                let added = match proxy {
                    None => self.udp.serve(udp, &front)?,
                    Some(proxy) => self.udp.serve(udp, &Arc::new(Behind::new(&front, &proxy)))?,
                };
                tell_buffer(added, octets, sockets);
                (Some(added.local), tcp)
            }
            Bound::Tls(socket) => {
                let options = StreamOptions { timeouts, connections, tls: Some(tls()), proxy };
                (None, socket.serve(&front, options, &self.runtime)?)
            }
            Bound::Https(socket) => {
                let options = HttpsOptions { timeouts, connections, tls: tls(), proxy };
                (None, socket.serve(&front, options, &self.runtime)?)
            }
        };
        Ok(Open { opening: listener.opening.clone(), front, datagrams, stream })
    }

    /// Octets for each of so many sockets of an address: they share what a socket for each thread would have, but none has less
    /// than a batch of questions needs.
    fn receive_buffer_of_each(&self, sockets: usize) -> usize {
        let share = self.receive_buffer * self.udp.threads() / sockets.max(self.udp.threads());
        share.max(RECEIVE_BUFFER_SHARE_MIN.min(self.receive_buffer))
    }

    /// Serves another assembly. Sockets whose address stays are kept with their connections, and get the new blocks at once, the
    /// new time-outs and certificates for connections that come; what is gone is drained, and so are sockets that are to be
    /// opened otherwise. If an address cannot be had nothing changes.
    pub fn reconcile(&mut self, assembly: &Assembly) -> anyhow::Result<()> {
        let stays = |listener: &&assembly::Listener| {
            self.open.get(&listener.at).is_some_and(|open| open.opening == listener.opening)
        };
        let (stay, new): (Vec<_>, Vec<_>) = assembly.listeners.iter().partition(stays);
        let sockets = Sockets::bind_these(&new, self.udp.threads())?;
        let replaced: Vec<(Endpoint, Open)> =
            new.iter().filter_map(|listener| self.open.remove_entry(&listener.at)).collect();
        if let Err(error) = self.serve(assembly, sockets) {
            new.iter().for_each(|listener| self.take_back(listener.at));
            self.open.extend(replaced);
            return Err(error.into());
        }
        replaced.into_iter().for_each(|(at, open)| self.retire(at, open));
        for listener in stay {
            if let Some(open) = self.open.get(&listener.at) {
                open.front.swap(Arc::clone(&listener.zones));
                open.stream.renew(timeouts(listener), listener.tls.clone());
            }
        }
        let wanted = |at: &Endpoint| assembly.listeners.iter().any(|listener| listener.at == *at);
        let gone: Vec<Endpoint> = self.open.keys().filter(|at| !wanted(at)).copied().collect();
        gone.into_iter().for_each(|at| self.close(at));
        Ok(())
    }

    /// Serves an address no longer, if it was served. What is under way there is finished beside everything else.
    fn close(&mut self, at: Endpoint) {
        if let Some(open) = self.open.remove(&at) {
            self.retire(at, open);
        }
    }

    fn retire(&mut self, at: Endpoint, open: Open) {
        if let Some(local) = open.datagrams {
            // the new blocks are taken over whatever becomes of the old sockets
            if let Err(error) = self.udp.remove(local) {
                tracing::warn!(
                    "the datagram sockets of {at}, which is no longer served, are not known to be closed: {error}"
                );
            }
        }
        self.runtime.spawn(open.stream.drain(crate::daemon::DRAIN_WITHIN));
    }

    /// Serves an address no longer that was just begun with, beside older sockets of it perhaps.
    fn take_back(&mut self, at: Endpoint) {
        let Some(open) = self.open.remove(&at) else { return };
        let closed = open.datagrams.map_or(Ok(()), |local| self.udp.take_back(local));
        if let Err(error) = closed {
            tracing::warn!("the datagram sockets of {at}, which were just opened, are not known to be closed: {error}");
        }
        self.runtime.spawn(open.stream.drain(crate::daemon::DRAIN_WITHIN));
    }

    /// Takes no new questions and answers what is under way. True if all was answered in time.
    pub async fn drain(self, within: Duration) -> bool {
        let streams = self.open.into_values().map(|open| open.stream.drain(within));
        let (datagrams, streams) = tokio::join!(self.udp.drain(within), futures_util::future::join_all(streams));
        datagrams && streams.into_iter().all(|drained| drained)
    }

    /// Where questions come in.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.open.keys()
    }

    /// A view of the progress of the threads for datagrams.
    pub fn roster(&self) -> Roster {
        self.udp.roster()
    }

    /// The addresses that plain DNS is served on at this port, each by sockets of its own.
    pub fn served(&self, port: u16) -> Vec<IpAddr> {
        let plain = self.open.keys().filter(|at| at.scheme == Scheme::Dns && at.address.port() == port);
        plain.map(|at| at.address.ip()).collect()
    }

    /// Readers of what the sockets count.
    pub fn meters(&self) -> Meters {
        Meters { udp: self.udp.meter(), connections: Arc::clone(&self.connections) }
    }
}

/// Readers of what the sockets count.
pub struct Meters {
    /// Datagrams.
    pub udp: UdpMeter,
    /// Connections of clients.
    pub connections: Arc<Connections>,
}

fn timeouts(listener: &assembly::Listener) -> Timeouts {
    let spec = &listener.timeouts;
    Timeouts { read: spec.read, write: spec.write, idle: spec.idle, questions_max: spec.max_tcp_queries }
}

/// Tells the receive buffer that is in force where it is not the usual one; `asked` octets were asked for each of so many sockets.
fn tell_buffer(added: Added, asked: usize, sockets: usize) {
    let Added { local, receive_buffer: got } = added;
    if got < asked {
        tracing::warn!(
            "the receive buffer of {local} is {} KiB where {} KiB were asked: a burst may overflow it; raise \
             net.core.rmem_max or grant CAP_NET_ADMIN",
            got >> 10,
            asked >> 10
        );
    } else if got < RECEIVE_BUFFER {
        tracing::info!("the receive buffer of each of the {sockets} sockets of {local} is {} KiB", got >> 10);
    }
}

#[cfg(test)]
mod tests;
