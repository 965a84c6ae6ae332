//! The kernel's notifications: one socket, subscribed before everything is dumped over it, so that nothing falls between.
//!
//! ```text
//!  subscribe --> dump links, routes, neighbours, forwarding --> end of the round --> notifications --+
//!      ^                 (notifications in between count)                                            |
//!      +--- overflow: at once; failure: Blind, then after a pause that grows - <-----------------+
//! ```
//!
//! After an overflow the kernel drops notifications until the socket has been read empty, and says so only once. So that socket is
//! given up: a new one has missed nothing since it was opened, and what it shows is compared with what is remembered.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;

use contract::limits::{WITNESS_BUFFER, WITNESS_DATAGRAM_MAX, WITNESS_DUMPS_MAX, WITNESS_RETRY_MAX, WITNESS_RETRY_MIN};
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NetlinkMessage,
};
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::neighbour::NeighbourMessage;
use rtnetlink::packet_route::route::RouteMessage;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{AsyncSocket as _, SocketAddr, TokioSocket};
use tokio::sync::mpsc::Sender;

use super::decode::{Unreadable, decode};
use super::event::Testimony;
use super::traces::Traces;

/// Watches until nobody listens any more. `open` makes a socket that is subscribed and has been asked nothing.
pub(super) async fn follow(mut open: impl FnMut() -> Result<Socket, Lost>, out: Sender<Testimony>) {
    let mut traces = Traces::default();
    let mut blind = false;
    let mut pause = WITNESS_RETRY_MIN;
    loop {
        let mut compared = false;
        let lost = match open() {
            Ok(socket) => {
                let Err(lost) = Session::new(socket, &mut traces, &out).run(&mut compared).await;
                lost
            }
            Err(lost) => lost,
        };
        if compared {
            (blind, pause) = (false, WITNESS_RETRY_MIN);
        }
        match lost {
            Lost::Listener => return,
            Lost::Overflow if compared => {
                tracing::debug!("the kernel told more than could be taken in; looking at everything anew")
            }
            lost => {
                traces.blinded();
                if !std::mem::replace(&mut blind, true) {
                    let reason = lost.to_string();
                    tracing::warn!("the kernel is not a witness of who has an address: {reason}");
                    if out.send(Testimony::Blind { reason }).await.is_err() {
                        return;
                    }
                }
                tokio::time::sleep(pause).await;
                pause = WITNESS_RETRY_MAX.min(pause * 2);
            }
        }
    }
}

/// Why a socket is given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("nobody listens")]
    Listener,
    #[error("it tells more than can be taken in")]
    Overflow,
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("netlink: {0}")]
    Socket(#[from] io::Error),
    #[error("netlink: the kernel does not tell what is there: {0}")]
    Refused(Errno),
}

/// A netlink socket.
pub(super) struct Socket {
    inner: TokioSocket,
    datagram: Vec<u8>,
    sequence: u32,
}

impl Socket {
    /// Subscribed to links, routes and neighbours of the network namespace of this thread. No right is needed. `buffer` in
    /// octets; the kernel gives less to a process without CAP_NET_ADMIN.
    pub(super) fn subscribe(buffer: usize) -> Result<Self, Lost> {
        use MulticastGroup::{Ipv4Route, Ipv6Route, Link, Neigh};
        let mut inner = TokioSocket::new(NETLINK_ROUTE)?;
        let socket = inner.socket_mut();
        if setsockopt(&*socket, sockopt::RcvBufForce, &buffer).is_err() {
            setsockopt(&*socket, sockopt::RcvBuf, &buffer).map_err(io::Error::from)?;
        }
        let groups =
            [Link, Ipv4Route, Ipv6Route, Neigh].iter().fold(0, |groups, group| groups | 1 << (*group as u32 - 1));
        socket.bind(&SocketAddr::new(0, groups))?;
        Ok(Self { inner, datagram: Vec::with_capacity(WITNESS_DATAGRAM_MAX), sequence: 0 })
    }

    /// With the buffer that a node needs.
    pub(super) fn ordinary() -> Result<Self, Lost> {
        Self::subscribe(WITNESS_BUFFER)
    }

    async fn ask(&mut self, question: RouteNetlinkMessage) -> Result<(), Lost> {
        self.sequence += 1;
        let mut message = NetlinkMessage::from(question);
        message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut datagram = vec![0; message.buffer_len()];
        message.serialize(&mut datagram);
        poll_fn(|context| self.inner.poll_send_to(context, &datagram, &SocketAddr::new(0, 0))).await?;
        Ok(())
    }

    /// Waits for a datagram of the kernel.
    async fn receive(&mut self) -> Result<(), Lost> {
        loop {
            self.datagram.clear();
            match poll_fn(|context| self.inner.poll_recv_from(context, &mut self.datagram)).await {
                Ok(sender) if sender.port_number() == 0 => return Ok(()),
                Ok(_) => (), // another process
                Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => return Err(Lost::Overflow),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What one socket brings.
struct Session<'a> {
    socket: Socket,
    traces: &'a mut Traces,
    out: &'a Sender<Testimony>,
    said: Vec<Testimony>,
}

/// How a dump goes.
#[derive(Default)]
struct Dump {
    /// Something changed meanwhile, so that it may lack something.
    interrupted: bool,
    done: bool,
}

impl<'a> Session<'a> {
    fn new(socket: Socket, traces: &'a mut Traces, out: &'a Sender<Testimony>) -> Self {
        Self { socket, traces, out, said: Vec::new() }
    }

    /// Ends only by a loss. `compared` becomes true when everything was dumped.
    async fn run(mut self, compared: &mut bool) -> Result<Infallible, Lost> {
        self.traces.begin();
        for question in questions() {
            for _ in 0..WITNESS_DUMPS_MAX {
                self.socket.ask(question.clone()).await?;
                if !self.dump().await? {
                    break;
                }
            }
        }
        self.traces.end(&mut self.said);
        self.say().await?;
        *compared = true;
        loop {
            self.take(&mut Dump::default()).await?;
        }
    }

    /// Takes in all of a dump; true if changes interrupted it.
    async fn dump(&mut self) -> Result<bool, Lost> {
        let mut dump = Dump::default();
        while !dump.done {
            self.take(&mut dump).await?;
        }
        Ok(dump.interrupted)
    }

    /// Takes in one datagram, and says at once what follows from it.
    async fn take(&mut self, dump: &mut Dump) -> Result<(), Lost> {
        self.socket.receive().await?;
        let mut rest = &self.socket.datagram[..];
        while !rest.is_empty() {
            let message = NetlinkBuffer::new_checked(rest).map_err(|_| Unreadable)?;
            let ours = message.sequence_number() == self.socket.sequence;
            dump.interrupted |= ours && message.flags() & NLM_F_DUMP_INTR != 0;
            match message.message_type() {
                NLMSG_DONE | NLMSG_ERROR if ours => {
                    refusal(message.payload())?;
                    dump.done = true;
                }
                kind => {
                    if let Some(event) = decode(kind, message.payload())? {
                        self.traces.hear(event, &mut self.said);
                    }
                }
            }
            let aligned = (message.length() as usize).next_multiple_of(4);
            rest = rest.get(aligned..).unwrap_or_default();
        }
        self.say().await
    }

    async fn say(&mut self) -> Result<(), Lost> {
        for testimony in self.said.drain(..) {
            self.out.send(testimony).await.map_err(|_| Lost::Listener)?;
        }
        Ok(())
    }
}

/// An error at the end of a dump. A kernel without IPv6 or bridges has nothing to tell of them.
fn refusal(payload: &[u8]) -> Result<(), Lost> {
    let code = payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
    match (code, Errno::from_raw(code.saturating_neg())) {
        (0, _) | (_, Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT) => Ok(()),
        (_, refused) => Err(Lost::Refused(refused)),
    }
}

/// Links first: the others refer to them.
fn questions() -> [RouteNetlinkMessage; 5] {
    let routes = |family| {
        let mut message = RouteMessage::default();
        message.header.address_family = family;
        RouteNetlinkMessage::GetRoute(message)
    };
    let neighbours = |family| {
        let mut message = NeighbourMessage::default();
        message.header.family = family;
        RouteNetlinkMessage::GetNeighbour(message)
    };
    [
        RouteNetlinkMessage::GetLink(LinkMessage::default()),
        neighbours(AddressFamily::Bridge),
        routes(AddressFamily::Inet),
        routes(AddressFamily::Inet6),
        neighbours(AddressFamily::Unspec),
    ]
}
