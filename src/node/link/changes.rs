//! The kernel's word that something of ours may have changed.
//!
//! One socket, subscribed to links and addresses. What is nobody's business here is skipped: on a node pods come and go all the time.
//! What comes together is told once. When the kernel told more than could be taken in, that is a change too, and the socket is made
//! anew, because the old one has missed what it does not know.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::task::Poll;

use contract::limits::{
    CHANGES_BUFFER, CHANGES_LINKS_MAX, CHANGES_TOGETHER_MAX, WITNESS_DATAGRAM_MAX, WITNESS_RETRY_MAX, WITNESS_RETRY_MIN,
};
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::MulticastGroup::{Ipv4Ifaddr, Ipv6Ifaddr, Link};
use rtnetlink::packet_core::{NetlinkBuffer, NlasIterator};
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{AsyncSocket as _, SocketAddr, TokioSocket};

// Numbers of <linux/rtnetlink.h>, <linux/if_link.h> and <linux/if_addr.h>.
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const IFLA_IFNAME: u16 = 3;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
/// Where the interface's number stands, in both headers.
const INDEX: std::ops::Range<usize> = 4..8;

/// Hears what changes about some interfaces and addresses, in the network namespace of the thread that made it.
pub struct Changes {
    socket: Option<TokioSocket>,
    datagram: Vec<u8>,
    watched: Watched,
}

/// What is of interest.
struct Watched {
    names: Vec<String>,
    own: Vec<IpAddr>,
    /// The numbers that interfaces of these names have had: one that is renamed changes too.
    indexes: Vec<u32>,
}

impl Changes {
    /// From now on nothing of these interfaces (and `lo`) and addresses is missed. To be called inside a runtime. No right is needed.
    ///
    /// # Errors
    /// What the kernel says to the socket.
    pub fn watch(names: &[&str], own: &[IpAddr]) -> io::Result<Self> {
        let names: Vec<_> = names.iter().chain(&["lo"]).map(|name| (*name).to_owned()).collect();
        let socket = subscribe()?;
        let indexes = names.iter().filter_map(|name| if_nametoindex(name.as_str()).ok()).collect();
        let watched = Watched { names, own: own.to_vec(), indexes };
        Ok(Self { socket: Some(socket), datagram: Vec::with_capacity(WITNESS_DATAGRAM_MAX), watched })
    }

    /// Waits until something of it may have changed. To give up waiting loses nothing.
    pub async fn next(&mut self) {
        let mut pause = WITNESS_RETRY_MIN;
        loop {
            let Some(socket) = &self.socket else {
                match subscribe() {
                    Ok(socket) => {
                        self.socket = Some(socket);
                        return; // what was missed counts
                    }
                    Err(error) => {
                        tracing::warn!("changes of the interface are not noticed at once: {error}");
                        tokio::time::sleep(pause).await;
                        pause = WITNESS_RETRY_MAX.min(pause * 2);
                        continue;
                    }
                }
            };
            self.datagram.clear();
            let sender = poll_fn(|context| socket.poll_recv_from(context, &mut self.datagram)).await;
            match sender {
                Ok(sender) if sender.port_number() != 0 => (), // another process
                Ok(_) if self.watched.concerns(&self.datagram) => return self.drain().await,
                Ok(_) => (),
                Err(error) => {
                    tracing::debug!("netlink: {error}; everything counts as changed");
                    self.socket = None;
                }
            }
        }
    }

    /// Takes what has come already: it is part of the same change.
    async fn drain(&mut self) {
        for _ in 0..CHANGES_TOGETHER_MAX {
            let Some(socket) = &self.socket else { return };
            self.datagram.clear();
            // asked once, not waited for
            match poll_fn(|context| Poll::Ready(socket.poll_recv_from(context, &mut self.datagram))).await {
                Poll::Pending => return,
                Poll::Ready(Ok(_)) => {
                    self.watched.concerns(&self.datagram);
                }
                Poll::Ready(Err(_)) => self.socket = None,
            }
        }
    }
}

impl Watched {
    /// True if one of the messages is about what is watched, or cannot be read.
    fn concerns(&mut self, datagram: &[u8]) -> bool {
        let mut rest = datagram;
        let mut concerns = false;
        while !rest.is_empty() {
            let Ok(message) = NetlinkBuffer::new_checked(rest) else { return true };
            concerns |= match message.message_type() {
                RTM_NEWLINK | RTM_DELLINK => self.link(message.payload()),
                RTM_NEWADDR | RTM_DELADDR => self.address(message.payload()),
                _ => false,
            };
            let aligned = (message.length() as usize).next_multiple_of(4);
            rest = rest.get(aligned..).unwrap_or_default();
        }
        concerns
    }

    fn link(&mut self, payload: &[u8]) -> bool {
        let (Some(index), Some(attributes)) = (index(payload), payload.get(LINK_HEADER..)) else { return true };
        let named = NlasIterator::new(attributes).flatten().any(|attribute| {
            let name = attribute.value().strip_suffix(b"\0");
            attribute.kind() == IFLA_IFNAME && self.names.iter().any(|one| name == Some(one.as_bytes()))
        });
        let known = self.indexes.contains(&index);
        if named && !known {
            // the oldest is the likeliest to be gone
            if self.indexes.len() >= CHANGES_LINKS_MAX {
                self.indexes.remove(0);
            }
            self.indexes.push(index);
        }
        named || known
    }

    fn address(&self, payload: &[u8]) -> bool {
        let (Some(index), Some(attributes)) = (index(payload), payload.get(ADDRESS_HEADER..)) else { return true };
        self.indexes.contains(&index)
            || NlasIterator::new(attributes).flatten().any(|attribute| {
                let ours = |own: &IpAddr| match own {
                    IpAddr::V4(own) => attribute.value() == own.octets(),
                    IpAddr::V6(own) => attribute.value() == own.octets(),
                };
                matches!(attribute.kind(), IFA_ADDRESS | IFA_LOCAL) && self.own.iter().any(ours)
            })
    }
}

fn index(payload: &[u8]) -> Option<u32> {
    payload.get(INDEX)?.try_into().ok().map(u32::from_ne_bytes)
}

fn subscribe() -> io::Result<TokioSocket> {
    let mut inner = TokioSocket::new(NETLINK_ROUTE)?;
    let socket = inner.socket_mut();
    if setsockopt(&*socket, sockopt::RcvBufForce, &CHANGES_BUFFER).is_err() {
        setsockopt(&*socket, sockopt::RcvBuf, &CHANGES_BUFFER)?;
    }
    let groups = [Link, Ipv4Ifaddr, Ipv6Ifaddr].iter().fold(0, |groups, group| groups | 1 << (*group as u32 - 1));
    socket.bind(&SocketAddr::new(0, groups))?;
    Ok(inner)
}
