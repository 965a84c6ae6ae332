//! The kernel's connection tracking: entries that would hide the rules are removed, and translated ones tell who is behind a Service's address.
//!
//! An entry has two directions, each with a source and a destination: that of the first packet (`original`), and that of
//! its answer (`reply`). Where a Service proxy has translated the destination, the answer's source is the endpoint.

mod message;
mod walk;

use std::io;
use std::net::{IpAddr, SocketAddr};

use message::Protocol;
use walk::Connection;

/// Who answers what is sent to some addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// Endpoints that something was translated to, each once.
    pub translated: Vec<SocketAddr>,
    /// Addresses asked for that are sent to as they are, each once.
    pub plain: Vec<SocketAddr>,
}

/// Removes the entries of UDP whose first packet went to one of these addresses and this port and that nobody translated, and
/// tells how many. Such an entry is from before the rules: by it the kernel would go on as it did then, and with nobody there,
/// into the void. One that is translated stays: an answer may be on its way by it.
pub fn forget(own: &[IpAddr], port: u16) -> io::Result<usize> {
    let mut connection = Connection::new()?;
    let mut count = 0;
    for &ip in own {
        let to = SocketAddr::new(ip, port);
        for entry in connection.entries(Protocol::Udp, to)?.into_iter().filter(|entry| entry.endpoint == to) {
            count += usize::from(connection.remove(&entry)?);
        }
    }
    Ok(count)
}

/// Who is behind the addresses of Services, as far as somebody on this node has just asked there by UDP or TCP.
pub fn behind(services: &[SocketAddr]) -> io::Result<Behind> {
    let mut connection = Connection::new()?;
    let mut behind = Behind::default();
    for &service in services {
        for protocol in [Protocol::Udp, Protocol::Tcp] {
            for entry in connection.entries(protocol, service)? {
                // an entry that was never answered says where questions go all the same
                let list = if entry.endpoint == service { &mut behind.plain } else { &mut behind.translated };
                if !list.contains(&entry.endpoint) {
                    list.push(entry.endpoint);
                }
            }
        }
    }
    behind.translated.sort_unstable();
    behind.plain.sort_unstable();
    Ok(behind)
}
