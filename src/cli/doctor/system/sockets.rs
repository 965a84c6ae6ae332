//! Sockets of this network as `/proc/net/udp` and its like show them (proc(5)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Over what a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Udp,
    Tcp,
}

/// A socket that takes questions: UDP that is not connected, TCP that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Row {
    pub(in super::super) kind: Kind,
    pub(in super::super) local: SocketAddr,
    /// Octets that wait to be read, of UDP.
    pub(in super::super) queued: u64,
    pub(in super::super) inode: u64,
    /// Datagrams that found no room, of UDP.
    pub(in super::super) drops: u64,
}

/// The state of a TCP socket that listens.
const LISTEN: &str = "0A";

/// Every socket of this network that takes questions.
pub(in super::super) fn all() -> Vec<Row> {
    let files = [("udp", Kind::Udp), ("udp6", Kind::Udp), ("tcp", Kind::Tcp), ("tcp6", Kind::Tcp)];
    let rows = files.into_iter().flat_map(|(file, kind)| {
        let text = std::fs::read_to_string(format!("/proc/self/net/{file}")).unwrap_or_default(); // a host without IPv6
        text.lines().filter_map(|line| row(line, kind)).collect::<Vec<_>>()
    });
    rows.collect()
}

/// A line; `None` for the heading and for sockets that take no questions.
fn row(line: &str, kind: Kind) -> Option<Row> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (local, remote, state) = (words.get(1)?, words.get(2)?, *words.get(3)?);
    let takes = match kind {
        Kind::Udp => address(remote)?.port() == 0,
        Kind::Tcp => state == LISTEN,
    };
    let queued = u64::from_str_radix(words.get(4)?.split_once(':')?.1, 16).ok()?;
    let drops = (kind == Kind::Udp).then(|| words.last()?.parse().ok()).flatten();
    takes.then_some(Row {
        kind,
        local: address(local)?,
        queued,
        inode: words.get(9)?.parse().ok()?,
        drops: drops.unwrap_or(0),
    })
}

/// `0100007F:0035`: the octets of the address as the numbers of this machine, 32 bits each, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(host.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    let ip: IpAddr = match host.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let octets: [[u8; 4]; 4] = [word(0)?, word(1)?, word(2)?, word(3)?];
            let all: [u8; 16] = octets.as_flattened().try_into().ok()?;
            Ipv6Addr::from(all).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel() {
        let udp = "  123: 0A14FEA9:0035 00000000:0000 07 00000000:00000A00 00:00000000 00000000     0        0 4711 2 0000000000000000 17";
        let told = row(udp, Kind::Udp).unwrap();
        assert_eq!(
            (told.local.to_string().as_str(), told.queued, told.inode, told.drops),
            ("169.254.20.10:53", 2_560, 4_711, 17)
        );
        let tcp = "   0: 000000FD000000000000000053000000:0035 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0000000000000000 100 0 0 10 0";
        let told = row(tcp, Kind::Tcp).unwrap();
        assert_eq!((told.local.to_string().as_str(), told.inode, told.drops), ("[fd00::53]:53", 99, 0));
        for none in [
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
            "   1: 0100007F:8AE8 0100007F:0035 01 00000000:00000000 00:00000000 00000000 0 0 5 2 0 0",
            "",
        ] {
            assert_eq!(row(none, Kind::Udp), None, "{none}");
        }
        assert_eq!(row(&tcp.replace(" 0A ", " 01 "), Kind::Tcp), None, "a connection");
    }

    #[test]
    fn a_socket_of_ours_is_seen() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        assert!(all().iter().any(|row| row.kind == Kind::Udp && row.local == at));
    }
}
