//! Addresses of servers and clients, with a port or without.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::number;

/// An address to send to: `IP`, `IP:PORT`, `[IPv6]:PORT`, `[IPv6]` or a bare IPv6 address.
pub fn address(text: &str, default_port: u16) -> Result<SocketAddr, String> {
    let (host, port) = split(text)?;
    Ok(SocketAddr::new(ip(host)?, port.unwrap_or(default_port)))
}

/// An address to listen on: what [`address`] reads, and `:PORT` (all addresses) or `localhost:PORT`. A port is needed.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let (host, port) = split(text)?;
    let port = port.ok_or_else(|| "an address without a port".to_owned())?;
    let host = match host {
        "" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => ip(host)?,
    };
    Ok(SocketAddr::new(host, port))
}

/// An IP address, without brackets.
pub fn ip(text: &str) -> Result<IpAddr, String> {
    if text.contains('%') {
        return Err("an address with a zone id (`%`), which means something on one machine only".to_owned());
    }
    text.parse().map_err(|_| "not an IP address".to_owned())
}

/// A prefix of addresses, `10.0.0.0/8`: its first address and its length in bits. An address alone is its own prefix.
pub fn prefix(text: &str) -> Result<(IpAddr, u8), String> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (ip(address)?, Some(length)),
        None => (ip(text)?, None),
    };
    let bits: u8 = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Ok(bits), |length| super::number_in(0..=bits)(length))?;
    Ok((masked(address, length), length))
}

/// The address with every bit beyond the prefix cleared.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

/// Host and port. A bare IPv6 address is all host.
fn split(text: &str) -> Result<(&str, Option<u16>), String> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, behind) = bracketed.split_once(']').ok_or_else(|| "a bracket that is never closed".to_owned())?;
        return match behind.strip_prefix(':') {
            Some(digits) => Ok((host, Some(port(digits)?))),
            None if behind.is_empty() => Ok((host, None)),
            None => Err(format!("`{behind}` behind the bracket is no port")),
        };
    }
    match text.split_once(':') {
        Some((host, digits)) if !digits.contains(':') => Ok((host, Some(port(digits)?))),
        _ => Ok((text, None)),
    }
}

fn port(digits: &str) -> Result<u16, String> {
    number(digits).map_err(|_| format!("`{digits}` is not a port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_and_without_port() {
        for (text, meant) in [
            ("10.0.0.10", "10.0.0.10:53"),
            ("10.0.0.10:5353", "10.0.0.10:5353"),
            ("fd00::a", "[fd00::a]:53"),
            ("[fd00::a]", "[fd00::a]:53"),
            ("[fd00::a]:5353", "[fd00::a]:5353"),
        ] {
            assert_eq!(address(text, 53), Ok(meant.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (wrong, reason) in [
            ("fe80::1%eth0", "zone id"),
            ("[fe80::1%eth0]:53", "zone id"),
            ("10.0.0", "not an IP"),
            ("10.0.0.1:", "not a port"),
            ("10.0.0.1:99999", "not a port"),
            ("10.0.0.1:domain", "not a port"),
            ("[fd00::a", "bracket"),
            ("[fd00::a]53", "no port"),
            ("example.org", "not an IP"),
            ("", "not an IP"),
        ] {
            assert!(address(wrong, 53).unwrap_err().contains(reason), "{wrong}");
        }
    }

    #[test]
    fn an_address_to_listen_on_has_a_port() {
        assert_eq!(listen_address(":9153"), Ok("[::]:9153".parse().unwrap()));
        assert_eq!(listen_address("localhost:9153"), Ok("127.0.0.1:9153".parse().unwrap()));
        assert_eq!(listen_address("169.254.20.10:8080"), Ok("169.254.20.10:8080".parse().unwrap()));
        assert!(listen_address("169.254.20.10").is_err());
    }

    #[test]
    fn a_prefix_is_cut_to_its_length() {
        assert_eq!(prefix("10.1.2.3/8"), Ok(("10.0.0.0".parse().unwrap(), 8)));
        assert_eq!(prefix("10.1.2.3"), Ok(("10.1.2.3".parse().unwrap(), 32)));
        assert_eq!(prefix("::1/0"), Ok(("::".parse().unwrap(), 0)));
        assert_eq!(prefix("0.0.0.0/0"), Ok(("0.0.0.0".parse().unwrap(), 0)));
        assert!(prefix("10.0.0.0/33").is_err());
        assert!(prefix("10.0.0.0/").is_err());
    }
}
