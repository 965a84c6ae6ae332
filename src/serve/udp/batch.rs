//! Many datagrams in one call: `recvmmsg` into buffers that are used again and again, `sendmmsg` out of them.
//!
//! ```text
//!   kernel --recvmmsg--> Batch::arrivals + queries --Desk--> replies, returns --sendmmsg--> kernel
//! ```
//!
//! After its creation a batch allocates nothing. On a wildcard address a reply leaves from the address that was asked; the
//! control message that says so holds for a whole `sendmmsg`, so replies are sent in runs of the same address.

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

use contract::limits::{BATCH_MAX, UDP_QUERY_MAX, UDP_REPLY_MAX, UDP_SEND_WITHIN};
use contract::wire::{Flags, HEADER, skip_name};
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg, sendmmsg,
};

use crate::serve::sockets::canonical;

/// Headers of several datagrams.
pub(super) type Headers = MultiHeaders<SockaddrStorage>;

/// The address of ours that a datagram came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// The one that the socket is bound to.
    Bound,
    /// One of this host's, on a wildcard socket.
    V4(Ipv4Addr),
    /// The same; the link counts for link-local addresses only.
    V6(Ipv6Addr, u32),
}

impl Asked {
    fn of(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<Self> {
        message.cmsgs().ok()?.find_map(|control| match control {
            // `spec_dst` rather than `addr`: the one to answer from, also when a broadcast address was asked.
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(Self::V4(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes())))
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                let link = if address.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
                Some(Self::V6(address, link))
            }
            _ => None,
        })
    }

    /// What is to be said of datagrams to a socket that is bound to this address.
    fn at(bound: IpAddr) -> Self {
        match bound {
            IpAddr::V4(ip) if ip.is_unspecified() => Self::V4(ip),
            IpAddr::V6(ip) if ip.is_unspecified() => Self::V6(ip, 0),
            IpAddr::V4(_) | IpAddr::V6(_) => Self::Bound,
        }
    }

    /// As an address; `bound` is the socket's own.
    pub(super) fn address(self, bound: SocketAddr) -> SocketAddr {
        match self {
            Self::Bound => bound,
            Self::V4(ip) => SocketAddr::new(ip.into(), bound.port()),
            Self::V6(ip, link) => canonical(SocketAddrV6::new(ip, bound.port(), 0, link).into()),
        }
    }
}

/// Where a reply goes and from which of our addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Return {
    /// The client.
    pub(super) to: SockaddrStorage,
    /// Our address.
    pub(super) from: Asked,
}

impl Return {
    /// The client's address.
    pub(super) fn client(&self) -> Option<SocketAddr> {
        let v4 = self.to.as_sockaddr_in().map(|&address| SocketAddr::V4(SocketAddrV4::from(address)));
        v4.or_else(|| self.to.as_sockaddr_in6().map(|&address| canonical(SocketAddrV6::from(address).into())))
    }
}

/// The headers that one socket receives and sends with. The kernel writes the lengths that it used into them, which fits
/// the next call as long as all datagrams are of one family and bear the same control message: so a pair per socket.
pub(super) struct Lane {
    receive: Headers,
    send: Headers,
    address: SocketAddr,
}

impl Lane {
    /// Headers for a socket that is bound to `address`.
    pub(super) fn new(address: SocketAddr) -> Self {
        let asked = Asked::at(address.ip());
        Self { receive: headers(asked, BATCH_MAX), send: headers(asked, BATCH_MAX), address }
    }

    /// Control messages are asked for and sent on wildcard sockets, and on no other.
    fn is_wildcard(&self) -> bool {
        self.address.ip().is_unspecified()
    }
}

/// Headers for so many datagrams that come to, or leave from, such an address.
pub(super) fn headers(asked: Asked, count: usize) -> Headers {
    let control = match asked {
        Asked::Bound => None,
        Asked::V4(_) => Some(nix::cmsg_space!(libc::in_pktinfo)),
        Asked::V6(..) => Some(nix::cmsg_space!(libc::in6_pktinfo)),
    };
    Headers::preallocate(count, control)
}

/// What became of a batch of replies.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Sent {
    pub(super) sent: u64,
    pub(super) unsent: u64,
}

/// The buffers of one thread, for the sockets it serves one after another.
pub(super) struct Batch {
    queries: Box<[[u8; UDP_QUERY_MAX]; BATCH_MAX]>,
    arrivals: Box<[Option<(usize, Return)>; BATCH_MAX]>,
    replies: Box<[[u8; UDP_REPLY_MAX]; BATCH_MAX]>,
    lengths: [usize; BATCH_MAX],
    clients: Box<[Option<SockaddrStorage>; BATCH_MAX]>,
    sources: [Asked; BATCH_MAX],
    ready: usize,
}

impl Batch {
    /// Empty buffers.
    pub(super) fn new() -> Self {
        Self {
            queries: boxed([0; UDP_QUERY_MAX]),
            arrivals: boxed(None),
            replies: boxed([0; UDP_REPLY_MAX]),
            lengths: [0; BATCH_MAX],
            clients: boxed(None),
            sources: [Asked::Bound; BATCH_MAX],
            ready: 0,
        }
    }

    /// Takes what is queued, at most `BATCH_MAX`; how many came. Replies of the batch before are forgotten.
    ///
    /// # Errors
    /// `EAGAIN` if nothing is queued, else what the system says.
    pub(super) fn receive(&mut self, socket: &UdpSocket, lane: &mut Lane) -> nix::Result<usize> {
        self.ready = 0;
        let wildcard = lane.is_wildcard();
        let mut slices = self.queries.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let results = recvmmsg(socket.as_raw_fd(), &mut lane.receive, slices.iter_mut(), flags, None)?;
        let (mut count, mut astray) = (0, false);
        for (message, arrival) in results.zip(self.arrivals.iter_mut()) {
            let from = if wildcard { Asked::of(&message) } else { Some(Asked::Bound) };
            let whole = message.bytes.min(UDP_QUERY_MAX);
            *arrival = message.address.zip(from).map(|(to, from)| (whole, Return { to, from }));
            astray |= arrival.is_none();
            count += 1;
        }
        if astray {
            // A header without its control message has none the next time either; new ones have.
            lane.receive = headers(Asked::at(lane.address.ip()), BATCH_MAX);
        }
        Ok(count)
    }

    /// The datagram at `index`, how to answer it, and where to put a reply; `None` if the system did not say whom it asked.
    pub(super) fn question(&mut self, index: usize) -> Option<(&[u8], Return, &mut [u8])> {
        let (length, back) = (*self.arrivals.get(index)?)?;
        Some((&self.queries[index][..length], back, &mut self.replies[self.ready]))
    }

    /// Keeps the reply that was written for the last question.
    pub(super) fn keep(&mut self, length: usize, back: Return) {
        self.lengths[self.ready] = length.min(UDP_REPLY_MAX);
        self.clients[self.ready] = Some(back.to);
        self.sources[self.ready] = back.from;
        self.ready += 1;
    }

    /// Sends the replies. One that cannot be sent is dropped, the rest goes on.
    pub(super) fn send(&mut self, socket: &UdpSocket, lane: &mut Lane) -> Sent {
        let mut outcome = Sent::default();
        let mut patient = true;
        let mut next = 0;
        while next < self.ready {
            match self.send_run(socket, lane, next) {
                Ok(sent) => {
                    outcome.sent += sent as u64;
                    next += sent;
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if std::mem::take(&mut patient) => wait_for_room(socket),
                Err(Errno::EMSGSIZE) if shorten(&mut self.replies[next], &mut self.lengths[next]) => {}
                Err(_) => {
                    outcome.unsent += 1;
                    next += 1;
                }
            }
        }
        outcome
    }

    /// Sends the run of replies from one address that begins at `first`; how many went, at least one.
    fn send_run(&self, socket: &UdpSocket, lane: &mut Lane, first: usize) -> nix::Result<usize> {
        let source = self.sources[first];
        let run = self.sources[first..self.ready].iter().take_while(|&&other| other == source).count();
        let slices: [[IoSlice<'_>; 1]; BATCH_MAX] =
            std::array::from_fn(|index| [IoSlice::new(&self.replies[index][..self.lengths[index]])]);
        let slices = &slices[first..first + run];
        let clients = &self.clients[first..first + run];
        send_together(socket, &mut lane.send, source, slices, clients)
    }
}

/// Sends replies that leave from the same address, without waiting; how many went, at least one.
///
/// # Errors
/// What the system says of the first; `EAGAIN` if the socket has no room.
pub(super) fn send_together(
    socket: &UdpSocket,
    headers: &mut Headers,
    source: Asked,
    slices: &[[IoSlice<'_>; 1]],
    clients: &[Option<SockaddrStorage>],
) -> nix::Result<usize> {
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
    // The wrapper tells the number only as the length of an iterator.
    let sent = match source {
        Asked::Bound => sendmmsg(fd, headers, slices, clients, [], flags)?.count(),
        Asked::V4(ip) => {
            sendmmsg(fd, headers, slices, clients, [ControlMessage::Ipv4PacketInfo(&v4_info(ip))], flags)?.count()
        }
        Asked::V6(ip, link) => {
            sendmmsg(fd, headers, slices, clients, [ControlMessage::Ipv6PacketInfo(&v6_info(ip, link))], flags)?.count()
        }
    };
    if sent == 0 { Err(Errno::EIO) } else { Ok(sent) }
}

/// Makes a reply its question with TC, for a link that does not carry it whole: the client comes again over TCP. False if
/// it is that short already.
pub(super) fn shorten(reply: &mut [u8], length: &mut usize) -> bool {
    let end = skip_name(&reply[..*length], HEADER).map_or(HEADER, |end| end + 4);
    if *length <= end {
        return false;
    }
    reply[2] |= (Flags::TC >> 8) as u8;
    reply[6..HEADER].fill(0); // no records, and no OPT either
    *length = end;
    true
}

fn v4_info(ip: Ipv4Addr) -> libc::in_pktinfo {
    let address = libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
    libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: address, ipi_addr: address }
}

fn v6_info(ip: Ipv6Addr, link: u32) -> libc::in6_pktinfo {
    libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: ip.octets() }, ipi6_ifindex: link }
}

fn wait_for_room(socket: &UdpSocket) {
    let within = PollTimeout::try_from(UDP_SEND_WITHIN).unwrap_or(PollTimeout::ZERO);
    // Whatever it says, the next attempt to send finds out.
    let _ = poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], within);
}

/// `count` of the same in a box, without passing over the stack.
fn boxed<T: Clone + std::fmt::Debug>(item: T) -> Box<[T; BATCH_MAX]> {
    vec![item; BATCH_MAX].into_boxed_slice().try_into().expect("as many as were made")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_that_no_link_carries_becomes_its_question_with_tc() {
        let question = b"\x03www\x07example\0\0\x01\0\x01";
        let mut reply = [&[0, 7, 0x81, 0x80, 0, 1, 0, 9, 0, 1, 0, 1], &question[..], &[1; 900]].concat();
        let mut length = reply.len();
        assert!(shorten(&mut reply, &mut length));
        assert_eq!(reply[..HEADER], [0, 7, 0x83, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!((&reply[HEADER..length], length), (&question[..], HEADER + question.len()));
        assert!(!shorten(&mut reply, &mut length), "it cannot be shorter");
    }
}
