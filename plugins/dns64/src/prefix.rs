//! The prefix behind which IPv4 addresses are put (RFC 6052 2).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contract::corefile::value;

/// A prefix of 32 to 96 bits, whole octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    network: Ipv6Addr,
    bits: u8,
}

/// The octet that is always zero (RFC 6052 2.2).
const ZERO_OCTET: usize = 8;

impl Prefix {
    /// The well-known prefix, `64:ff9b::/96` (RFC 6052 2.1).
    pub const WELL_KNOWN: Self = Self { network: Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), bits: 96 };

    /// Reads `2001:db8::/96`; bits beyond its length are cleared.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.contains('/') {
            return Err("an address without the length of a prefix".to_owned());
        }
        match value::prefix(text)? {
            (IpAddr::V4(_), _) => Err("a prefix of IPv4 addresses".to_owned()),
            (IpAddr::V6(network), bits @ 32..=96) if bits % 8 == 0 => Ok(Self { network, bits }),
            (IpAddr::V6(_), bits) => Err(format!("{bits} bits")),
        }
    }

    /// True for the lengths that RFC 6052 2.2 knows; translators know no others.
    pub fn is_standard(self) -> bool {
        matches!(self.bits, 32 | 40 | 48 | 56 | 64 | 96)
    }

    /// The address with this one in it: behind the prefix, around the octet that is zero.
    pub fn embed(self, address: Ipv4Addr) -> Ipv6Addr {
        let mut octets = self.network.octets();
        let start = usize::from(self.bits / 8);
        let places = (start..octets.len()).filter(|&place| place != ZERO_OCTET);
        for (place, octet) in places.zip(address.octets()) {
            octets[place] = octet;
        }
        octets.into()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_where_rfc_6052_has_them() {
        // RFC 6052 2.4, table 2
        for (prefix, made) in [
            ("2001:db8::/32", "2001:db8:c000:221::"),
            ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
            ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
            ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
            ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
            ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
            ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
            // as CoreDNS reads lengths that the RFC has not
            ("2001:db8:122:344:0:aa00::/88", "2001:db8:122:344:0:aac0:2:2100"),
        ] {
            let made: Ipv6Addr = made.parse().unwrap();
            assert_eq!(Prefix::parse(prefix).unwrap().embed([192, 0, 2, 33].into()), made, "{prefix}");
        }
    }

    #[test]
    fn what_is_no_prefix_for_addresses_says_why() {
        for (wrong, reason) in [
            ("64:ff9b::", "without the length"),
            ("10.0.0.0/8", "IPv4"),
            ("64:ff9b::/97", "97 bits"),
            ("64:ff9b::/33", "33 bits"),
            ("64:ff9b::/24", "24 bits"),
            ("64:ff9b::/128", "128 bits"),
            ("64:ff9b::/129", "out of range"),
            ("example.org/96", "not an IP"),
        ] {
            let said = Prefix::parse(wrong).unwrap_err();
            assert!(said.contains(reason), "{wrong}: {said}");
        }
        assert_eq!(Prefix::parse("64:ff9b::1.2.3.4/96"), Ok(Prefix::WELL_KNOWN));
    }
}
