//! A front door for the tests of the sockets: what to do stands in the packet.
//!
//! A packet is an id of two octets, a letter, a number of two octets, and anything. Replies begin with the id.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract::wire::Rcode;
use contract::{Client, Moment, Transport};

use super::{Desk, Door, Outcome};

/// Makes desks and counts them.
#[derive(Debug, Default)]
pub(super) struct TestDoor {
    pub(super) desks: AtomicUsize,
}

/// Answers as it is told.
#[derive(Debug)]
pub(super) struct TestDesk;

impl Door for TestDoor {
    type Desk = TestDesk;

    fn desk(&self, _: Transport) -> TestDesk {
        self.desks.fetch_add(1, Ordering::Relaxed);
        TestDesk
    }
}

/// A packet: `E`cho at once, `A`ddress of ours that was asked, the `C`lient's, `B`ig reply of so many octets, `D`elayed echo after so many
/// milliseconds, `S`ilent, `N`othing later, `P`anic, panic `L`ater, fo`R`ever under way.
pub(super) fn packet(id: u16, letter: u8, number: u16) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    packet.push(letter);
    packet.extend(number.to_be_bytes());
    packet.extend(*b"padding!");
    packet
}

/// What such a packet gets that panics: its id and operation, SERVFAIL, and no question, since none can be read in it.
pub(super) fn apology(packet: &[u8]) -> Vec<u8> {
    let [opcode_and_rd, servfail] = [packet[2] & 0x79 | 0x80, Rcode::SERVFAIL.0 as u8 | 0x80 | packet[3] & 0x10];
    [&packet[..2], &[opcode_and_rd, servfail], &[0; 8]].concat()
}

impl Desk for TestDesk {
    fn now(&self) -> Moment {
        Moment(0)
    }

    fn answer(&mut self, packet: &[u8], client: &Client, _: Moment, out: &mut [u8]) -> Outcome {
        let [_, _, letter, high, low, ..] = *packet else {
            return Outcome::Silent;
        };
        let number = u16::from_be_bytes([high, low]);
        match letter {
            b'E' => {
                out[..packet.len()].copy_from_slice(packet);
                Outcome::Reply(packet.len())
            }
            b'A' | b'C' => {
                out[..2].copy_from_slice(&packet[..2]);
                let asked = if letter == b'A' { client.local } else { client.address };
                let octets = match asked.ip() {
                    IpAddr::V4(ip) => ip.octets().to_vec(),
                    IpAddr::V6(ip) => ip.octets().to_vec(),
                };
                out[2..2 + octets.len()].copy_from_slice(&octets);
                Outcome::Reply(2 + octets.len())
            }
            b'B' => {
                let length = usize::from(number).min(out.len());
                out[..length].fill(b'b');
                out[..2].copy_from_slice(&packet[..2]);
                Outcome::Reply(length)
            }
            b'D' => {
                let echo = packet.to_vec();
                Outcome::Miss(Box::pin(async move {
                    tokio::time::sleep(Duration::from_millis(number.into())).await;
                    Some(echo)
                }))
            }
            b'N' => Outcome::Miss(Box::pin(async { None })),
            b'P' => panic!("as asked"),
            b'L' => Outcome::Miss(Box::pin(async { panic!("as asked, later") })),
            b'R' => Outcome::Miss(Box::pin(std::future::pending())),
            _ => Outcome::Silent,
        }
    }
}
