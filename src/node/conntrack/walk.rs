//! A conversation with the kernel's connection tracking, each step within a bound.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use contract::limits::{CONNTRACK_ENTRIES_MAX, CONNTRACK_WITHIN};
use netlink_sys::{Socket, SocketAddr as NetlinkAddress, constants::NETLINK_NETFILTER};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::message::{self, Entry, Protocol, Said};

/// How often a walk is begun anew because the table changed under it; the last one counts.
const WALKS_MAX: usize = 3;

/// A socket to the kernel.
pub(super) struct Connection {
    socket: Socket,
    sequence: u32,
}

impl Connection {
    pub(super) fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.connect(&NetlinkAddress::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// The entries whose first packet went there.
    pub(super) fn entries(&mut self, protocol: Protocol, to: SocketAddr) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for _ in 0..WALKS_MAX {
            entries.clear();
            if !self.walk(protocol, to, &mut entries)? {
                break;
            }
        }
        Ok(entries)
    }

    /// One walk; true if the table changed meanwhile.
    fn walk(&mut self, protocol: Protocol, to: SocketAddr, found: &mut Vec<Entry>) -> io::Result<bool> {
        let request = message::dump(protocol, to, self.next());
        self.socket.send(&request, 0)?;
        let mut seen = 0;
        loop {
            for said in self.hear()? {
                match said {
                    Said::Entry(entry) => {
                        seen += 1;
                        // a kernel without the filter tells all
                        if entry.protocol == protocol.number() && entry.destination == to {
                            found.push(entry);
                        }
                    }
                    Said::Done(changed) => return Ok(changed),
                    Said::Error(0) | Said::Other => (),
                    Said::Error(code) => return Err(refused(code)),
                }
            }
            if seen > CONNTRACK_ENTRIES_MAX {
                return Err(io::Error::other("more entries of connection tracking than are walked"));
            }
        }
    }

    /// Removes an entry; false if it had gone by itself.
    pub(super) fn remove(&mut self, entry: &Entry) -> io::Result<bool> {
        let request = message::removal(entry, self.next());
        self.socket.send(&request, 0)?;
        loop {
            for said in self.hear()? {
                match said {
                    Said::Error(0) => return Ok(true),
                    Said::Error(code) if Errno::from_raw(code) == Errno::ENOENT => return Ok(false),
                    Said::Error(code) => return Err(refused(code)),
                    Said::Entry(_) | Said::Done(_) | Said::Other => (),
                }
            }
        }
    }

    fn next(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence
    }

    /// The messages of the next datagram.
    fn hear(&self) -> io::Result<Vec<Said>> {
        let within = PollTimeout::try_from(CONNTRACK_WITHIN).expect("a few seconds");
        let mut waits = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waits, within)? == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the kernel's connection tracking does not answer"));
        }
        let (datagram, _) = self.socket.recv_from_full()?;
        Ok(message::read(&datagram, self.sequence))
    }
}

fn refused(code: i32) -> io::Error {
    let error = io::Error::from_raw_os_error(code);
    match error.kind() {
        io::ErrorKind::PermissionDenied => io::Error::new(
            io::ErrorKind::PermissionDenied,
            "connection tracking cannot be read; is the capability NET_ADMIN given?",
        ),
        _ => error,
    }
}
