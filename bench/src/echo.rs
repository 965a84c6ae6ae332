//! The limit: a server that does nothing but take datagrams in batches and send them back, QR set, as long as a reply with one
//! A record. What it costs is what the kernel takes for a question and its answer; no DNS server over UDP can cost less.

use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};

use anyhow::Result;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt};

use crate::options::EchoFlags;

/// Datagrams in one call; as many as nearpath takes.
const BATCH: usize = 64;
/// The longest datagram, octets.
const LONGEST: usize = 1_232;
/// Octets of an A record behind a question: pointer, type, class, TTL, length, address.
const RECORD: usize = 16;
/// The receive buffer that is asked for, octets; as much as nearpath asks for.
const RECEIVE_BUFFER: usize = 8 << 20;

/// Serves until it is ended.
pub(crate) fn serve(flags: &EchoFlags) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, flags.port))?;
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
    }
    let mut receive = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut send = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut buffers = vec![[0_u8; LONGEST]; BATCH];
    let mut clients = [None::<SockaddrIn>; BATCH];
    let mut lengths = [0_usize; BATCH];
    loop {
        let count = match take(&socket, &mut receive, &mut buffers, &mut clients, &mut lengths) {
            Ok(count) => count,
            Err(Errno::EAGAIN) => {
                poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
                continue;
            }
            Err(Errno::EINTR | Errno::ECONNREFUSED) => continue,
            Err(error) => return Err(error.into()),
        };
        for (buffer, length) in buffers.iter_mut().zip(&mut lengths).take(count) {
            *length = reply(buffer, *length);
        }
        let slices: [[IoSlice<'_>; 1]; BATCH] =
            std::array::from_fn(|index| [IoSlice::new(&buffers[index][..lengths[index]])]);
        let mut next = 0;
        while next < count {
            let sent = sendmmsg(
                socket.as_raw_fd(),
                &mut send,
                &slices[next..count],
                &clients[next..count],
                [],
                MsgFlags::empty(),
            );
            next += sent.map_or(1, |sent| sent.count().max(1));
        }
    }
}

/// Takes what is queued; how many came.
fn take(
    socket: &UdpSocket,
    headers: &mut MultiHeaders<SockaddrIn>,
    buffers: &mut [[u8; LONGEST]],
    clients: &mut [Option<SockaddrIn>; BATCH],
    lengths: &mut [usize; BATCH],
) -> nix::Result<usize> {
    let mut buffers = buffers.iter_mut();
    let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
        std::array::from_fn(|_| [IoSliceMut::new(buffers.next().expect("as many buffers as places"))]);
    let results = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
    let mut count = 0;
    for message in results {
        (clients[count], lengths[count]) = (message.address, message.bytes);
        count += 1;
    }
    Ok(count)
}

/// Makes a question of so many octets a reply; how long that is.
fn reply(buffer: &mut [u8; LONGEST], length: usize) -> usize {
    buffer[2] |= 0x80;
    let end = (length + RECORD).min(LONGEST);
    buffer[length.min(end)..end].fill(0);
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Reply, question};

    #[test]
    fn a_question_comes_back_as_a_reply_that_is_longer_by_a_record() {
        let asked = question(9, "host.example");
        let mut buffer = [7; LONGEST];
        buffer[..asked.len()].copy_from_slice(&asked);
        let length = reply(&mut buffer, asked.len());
        assert_eq!(length, asked.len() + 16);
        let reply = Reply::parse(&buffer[..length]).unwrap();
        assert_eq!((reply.id, reply.rcode, reply.answers), (9, 0, 0));
        assert_eq!(super::reply(&mut [0; LONGEST], LONGEST), LONGEST, "the longest one is not made longer");
    }
}
