//! The address in the name of a reverse look-up (RFC 1035 3.5, RFC 3596 2.5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contract::wire::Name;

/// The address that a name below `in-addr.arpa.` or `ip6.arpa.` stands for; `None` for parts of one and other names.
pub(crate) fn address(name: &Name) -> Option<IpAddr> {
    let mut labels: Vec<&[u8]> = name.labels().collect();
    if labels.pop()? != b"arpa" {
        return None;
    }
    match (labels.pop()?, labels.len()) {
        (b"in-addr", 4) => v4(&labels).map(IpAddr::V4),
        (b"ip6", 32) => v6(&labels).map(|ip| IpAddr::V6(ip).to_canonical()),
        _ => None,
    }
}

fn v4(labels: &[&[u8]]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    for (octet, label) in octets.iter_mut().rev().zip(labels) {
        let is_canonical = label.iter().all(u8::is_ascii_digit) && (label.len() == 1 || label[0] != b'0');
        *octet = is_canonical.then(|| std::str::from_utf8(label).ok()?.parse().ok()).flatten()?;
    }
    Some(octets.into())
}

fn v6(labels: &[&[u8]]) -> Option<Ipv6Addr> {
    let mut bits = 0u128;
    for label in labels.iter().rev() {
        let [digit] = label else { return None };
        bits = bits << 4 | u128::from(char::from(*digit).to_digit(16)?);
    }
    Some(Ipv6Addr::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_addresses_are_read_and_nothing_else() {
        let mapped = format!("1.0.0.0.0.0.a.0.f.f.f.f.{}ip6.arpa", "0.".repeat(20));
        for (name, expected) in [
            ("1.2.0.192.in-addr.arpa", Some("192.0.2.1")),
            ("255.0.0.10.in-addr.arpa", Some("10.0.0.255")),
            (&format!("g.{}8.b.d.0.1.0.0.2.ip6.arpa", "0.".repeat(23)), None),
            (&format!("10.{}8.b.d.0.1.0.0.2.ip6.arpa", "0.".repeat(23)), None),
            (&mapped, Some("10.0.0.1")),
            (&format!("1.{}8.b.d.0.1.0.0.2.ip6.arpa", "0.".repeat(23)), Some("2001:db8::1")),
            ("2.0.192.in-addr.arpa", None),
            ("9.1.2.0.192.in-addr.arpa", None),
            ("256.2.0.192.in-addr.arpa", None),
            ("01.2.0.192.in-addr.arpa", None),
            ("+1.2.0.192.in-addr.arpa", None),
            ("x.2.0.192.in-addr.arpa", None),
            ("1.2.0.192.in-addr.arpa.example.org", None),
            ("8.b.d.0.1.0.0.2.ip6.arpa", None),
            ("arpa", None),
            (".", None),
        ] {
            let name = Name::parse(name).unwrap();
            assert_eq!(address(&name).map(|ip| ip.to_string()).as_deref(), expected, "{name}");
        }
    }
}
