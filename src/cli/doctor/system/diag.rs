//! What the kernel says of the memory of datagram sockets: sock_diag(7) with `SO_MEMINFO` (linux/inet_diag.h), without `unsafe`.

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;

use netlink_sys::{Socket, SocketAddr as NetlinkAddress};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

const NETLINK_SOCK_DIAG: isize = 4;
/// The type of a request by family, and of what is said to it.
const BY_FAMILY: u16 = 20;
const REQUEST_DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const UDP: u8 = 17;
const FAMILIES: [u8; 2] = [2, 10];
/// The attribute with the figures of memory, and the bit that asks for it.
const MEMORY: u16 = 7;
const ASK_MEMORY: u8 = 1 << (MEMORY - 1);
/// Octets of the header of a message, of a request, and of what is said of a socket before its attributes.
const HEADER: usize = 16;
const REQUEST: usize = 56;
const SOCKET: usize = 72;
/// Where the number of a socket stands in it.
const INODE: usize = 68;
/// How long the kernel may take for a part, milliseconds.
const PART_WITHIN: u16 = 2_000;
/// Parts of one dump that are read.
const PARTS_MAX: usize = 4_096;

/// The memory of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Memory {
    /// Octets that wait to be read, as the kernel counts them.
    pub(in super::super) queued: u32,
    /// Octets that may wait.
    pub(in super::super) room: u32,
    /// Datagrams that found no room.
    pub(in super::super) drops: u32,
}

/// The memory of this network's datagram sockets by their numbers; empty where the kernel does not tell.
pub(in super::super) fn memory() -> BTreeMap<u64, Memory> {
    let mut all = BTreeMap::new();
    for family in FAMILIES {
        // without the kernel's module for it /proc tells what it can
        if let Ok(part) = dump(family) {
            all.extend(part);
        }
    }
    all
}

fn dump(family: u8) -> std::io::Result<Vec<(u64, Memory)>> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&NetlinkAddress::new(0, 0))?;
    socket.send(&request(family), 0)?;
    let mut found = Vec::new();
    for _ in 0..PARTS_MAX {
        let mut waits = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waits, PollTimeout::from(PART_WITHIN))? == 0 {
            break;
        }
        let (datagram, _) = socket.recv_from_full()?;
        if read(&datagram, &mut found) {
            break;
        }
    }
    Ok(found)
}

/// All datagram sockets of a family, whatever their state.
fn request(family: u8) -> Vec<u8> {
    let length = u32::try_from(HEADER + REQUEST).expect("a short message");
    let mut octets = length.to_ne_bytes().to_vec();
    octets.extend(BY_FAMILY.to_ne_bytes());
    octets.extend(REQUEST_DUMP.to_ne_bytes());
    octets.extend([0; 8]); // sequence, port
    octets.extend([family, UDP, ASK_MEMORY, 0]);
    octets.extend(u32::MAX.to_ne_bytes());
    octets.resize(HEADER + REQUEST, 0);
    octets
}

/// Reads the messages of a datagram; true after the last.
fn read(mut octets: &[u8], found: &mut Vec<(u64, Memory)>) -> bool {
    while let (Some(length), Some(kind)) = (number(octets, 0), octets.get(4..6)) {
        let length = length as usize;
        let Some(message) = octets.get(..length).filter(|_| length >= HEADER) else { return true };
        match u16::from_ne_bytes([kind[0], kind[1]]) {
            DONE | ERROR => return true,
            BY_FAMILY => found.extend(socket(&message[HEADER..])),
            _ => {}
        }
        octets = octets.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

/// One socket with the figures of its memory.
fn socket(octets: &[u8]) -> Option<(u64, Memory)> {
    let inode = number(octets, INODE)?;
    let mut rest = octets.get(SOCKET..)?;
    while let Some(head) = rest.first_chunk::<4>() {
        let (length, kind) =
            (usize::from(u16::from_ne_bytes([head[0], head[1]])), u16::from_ne_bytes([head[2], head[3]]));
        let value = rest.get(4..length)?;
        if kind == MEMORY {
            // in this order: queued, room, then seven others of which the last counts drops
            return Some((
                inode.into(),
                Memory { queued: number(value, 0)?, room: number(value, 4)?, drops: number(value, 32)? },
            ));
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    None
}

fn number(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*octets.get(at..at + 4)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut octets = u32::try_from(HEADER + body.len()).unwrap().to_ne_bytes().to_vec();
        octets.extend(kind.to_ne_bytes());
        octets.extend([0; 10]);
        octets.extend(body);
        octets
    }

    #[test]
    fn a_socket_with_its_memory_among_other_attributes() {
        let mut body = vec![0; SOCKET];
        body[INODE..INODE + 4].copy_from_slice(&4_711u32.to_ne_bytes());
        body.extend([5u16.to_ne_bytes(), 8u16.to_ne_bytes()].as_flattened());
        body.extend([1, 0, 0, 0]); // one octet, padded
        body.extend([40u16.to_ne_bytes(), MEMORY.to_ne_bytes()].as_flattened());
        for figure in [768u32, 425_984, 0, 212_992, 4_096, 0, 0, 0, 17] {
            body.extend(figure.to_ne_bytes());
        }
        let mut found = Vec::new();
        assert!(!read(&message(BY_FAMILY, &body), &mut found));
        assert_eq!(found, [(4_711, Memory { queued: 768, room: 425_984, drops: 17 })]);
        assert!(read(&message(DONE, &[0; 4]), &mut found));
        assert!(read(&[200, 0, 0, 0, 20, 0, 0, 0], &mut found), "a message that is cut short ends it");
        assert_eq!(socket(&body[..SOCKET]), None, "without attributes");
    }

    #[test]
    fn the_kernel_tells_of_our_own_socket() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        let row = super::super::sockets::all().into_iter().find(|row| row.local == at).unwrap();
        if let Some(memory) = memory().get(&row.inode) {
            assert!(memory.room > 0 && memory.drops == 0, "{memory:?}");
        }
    }
}
