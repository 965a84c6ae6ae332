//! Opens the sockets that clients ask: address family, sharing of a port, buffers. Everything that can be refused by the
//! system is refused here, before anything is served.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt};
use rustix::net::sockopt::{self as sockopt_of, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel holds ready before they are accepted.
const BACKLOG: i32 = 1_024;

/// A datagram socket that others of this user may share, non-blocking. On a wildcard address it tells which address was
/// asked.
///
/// # Errors
/// What the system says; the address is in use, is not ours, or its port is privileged.
pub(crate) fn datagram(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // A port of the system's choice must be nobody's: the kernel would hand out a shared one to a socket that shares.
    socket.set_reuse_port(address.port() != 0)?;
    prepare_family(&socket, address)?;
    if address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
    }
    never_fragment(&socket, address)?;
    socket.bind(&address.into())?;
    socket.set_reuse_port(true)?;
    Ok(socket.into())
}

/// Replies of `limits::UDP_REPLY_MAX` octets fit every link that IPv6 knows, so they bear DF (RFC 9715 R1): nobody can
/// put fragments of his own among ours, and the kernel has no identification to draw for each.
fn never_fragment(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => sockopt_of::set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE)?,
        SocketAddr::V6(v6) => {
            sockopt_of::set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::PROBE)?;
            if v6.ip().is_unspecified() {
                sockopt_of::set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE)?;
            }
        }
    }
    Ok(())
}

/// A listening socket, non-blocking. With `reuse_port` another one may listen on the same address, so that a reload
/// can open the new one before it closes the old one.
///
/// # Errors
/// What the system says; the address is in use, is not ours, or its port is privileged.
pub(crate) fn listener(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port && address.port() != 0)?;
    prepare_family(&socket, address)?;
    socket.bind(&address.into())?;
    socket.set_reuse_port(reuse_port)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Finds out whether somebody has the address, also one who would share it: binds without sharing, and lets go. Who has
/// connections there that are over does not count.
///
/// # Errors
/// What the system says; the address is in use, is not ours, or its port is privileged.
pub(crate) fn probe(address: SocketAddr, protocol: Protocol) -> io::Result<()> {
    let kind = if protocol == Protocol::UDP { Type::DGRAM } else { Type::STREAM };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    // To a listening socket a port is never given twice this way; datagrams have no connections that linger.
    socket.set_reuse_address(protocol == Protocol::TCP)?;
    prepare_family(&socket, address)?;
    socket.bind(&address.into())
}

/// `[::]` takes IPv4 too, as everybody expects who writes no address at all.
fn prepare_family(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    Ok(())
}

/// Asks for a receive buffer of so many octets, past the system's bound if that is allowed, and says what was got.
pub(crate) fn set_receive_buffer(socket: &UdpSocket, octets: usize) -> io::Result<usize> {
    let view = socket2::SockRef::from(socket);
    if setsockopt(socket, sockopt::RcvBufForce, &octets).is_err() {
        view.set_recv_buffer_size(octets)?;
    }
    // The kernel doubles what is asked, for its own bookkeeping, and says the double.
    Ok(view.recv_buffer_size()? / 2)
}

/// The address as a person writes it: an IPv4 address that came through an IPv6 socket is an IPv4 address.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(v4.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_the_systems_choice_can_be_shared_afterwards() {
        let first = datagram("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        assert_eq!(datagram(address).unwrap().local_addr().unwrap(), address);
        let stream = listener("127.0.0.1:0".parse().unwrap(), true).unwrap();
        listener(stream.local_addr().unwrap(), true).unwrap();
    }

    #[test]
    fn an_address_in_use_is_refused() {
        let held = listener("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let refused = listener(held.local_addr().unwrap(), false).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    }
}
