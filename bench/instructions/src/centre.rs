//! A central server in a thread: an address for every name outside the cluster, NXDOMAIN for every name inside.

use std::net::{SocketAddr, UdpSocket};

use contract::wire::{Composer, Full, Name, Question, Rcode, RecordType, Section};

/// How long its answers hold, seconds: longer than any run.
const TTL: u32 = 3_000;

/// Starts it; it ends with the process.
///
/// # Errors
/// The system has no port for it.
pub(crate) fn start() -> std::io::Result<SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            if let Some(reply) = answer(&packet[..length])
                && socket.send_to(&reply, from).is_err()
            {
                break;
            }
        }
    });
    Ok(address)
}

fn answer(packet: &[u8]) -> Option<Vec<u8>> {
    let asked = Question::parse(packet).ok()?;
    let name = Name::from_wire(asked.name())?;
    let mut reply = Composer::new(&name, asked.rtype, asked.class);
    let cluster = Name::parse("cluster.local").ok()?;
    if cluster.encloses(&name) {
        reply.rcode(Rcode::NXDOMAIN);
        deny(&mut reply, &cluster).ok()?;
    } else if asked.rtype == RecordType::A {
        reply.record(Section::Answer, &name, RecordType::A, TTL, |to| to.octets(&[192, 0, 2, 1])).ok()?;
    } else {
        deny(&mut reply, &name).ok()?;
    }
    let mut wire = reply.finish().wire;
    wire[..2].copy_from_slice(&asked.id().to_be_bytes());
    Some(wire)
}

fn deny(reply: &mut Composer, zone: &Name) -> Result<(), Full> {
    reply.record(Section::Authority, zone, RecordType::SOA, TTL, |to| {
        to.rdata_name(zone);
        to.rdata_name(zone);
        [1, 60, 60, 60, TTL].iter().for_each(|number: &u32| to.octets(&number.to_be_bytes()));
    })
}
