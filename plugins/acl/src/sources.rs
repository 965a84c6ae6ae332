//! A set of client addresses: prefixes as ranges in order, so that thousands cost one binary search.

use std::net::IpAddr;

/// Client addresses. IPv4 and IPv6 are apart; an IPv4 address in IPv6 form (RFC 4291 2.5.5.2) is IPv4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// First and last address of each range; ranges ascend and do not overlap.
type Ranges<T> = Box<[(T, T)]>;

/// How many leading bits say that an IPv6 address is an IPv4 one.
const MAPPED_BITS: u8 = 96;

impl Sources {
    /// Every address.
    pub fn all() -> Self {
        Self { v4: Box::new([(0, u32::MAX)]), v6: Box::new([(0, u128::MAX)]) }
    }

    /// The addresses of these prefixes: address and length in bits.
    pub fn new(prefixes: &[(IpAddr, u8)]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for &(address, length) in prefixes {
            match address {
                IpAddr::V4(ip) => v4.push(range_v4(ip.to_bits(), length)),
                IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
                    Some(ip) if length >= MAPPED_BITS => v4.push(range_v4(ip.to_bits(), length - MAPPED_BITS)),
                    _ => v6.push(range_v6(ip.to_bits(), length)),
                },
            }
        }
        Self { v4: merged(v4), v6: merged(v6) }
    }

    /// Whether the address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(ip) => is_within(&self.v4, ip.to_bits()),
            IpAddr::V6(ip) => is_within(&self.v6, ip.to_bits()),
        }
    }
}

/// The range of addresses whose first `length` bits are those of the IPv4 address.
fn range_v4(address: u32, length: u8) -> (u32, u32) {
    let rest = u32::MAX.checked_shr(length.into()).unwrap_or(0);
    (address & !rest, address | rest)
}

/// The range of addresses whose first `length` bits are those of the IPv6 address.
fn range_v6(address: u128, length: u8) -> (u128, u128) {
    let rest = u128::MAX.checked_shr(length.into()).unwrap_or(0);
    (address & !rest, address | rest)
}

/// The same addresses in ascending ranges that do not overlap.
fn merged<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Ranges<T> {
    ranges.sort_unstable();
    let mut apart: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match apart.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => apart.push((first, last)),
        }
    }
    apart.into()
}

fn is_within<T: Ord + Copy>(ranges: &Ranges<T>, address: T) -> bool {
    let after = ranges.partition_point(|&(first, _)| first <= address);
    after.checked_sub(1).is_some_and(|index| address <= ranges[index].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(prefixes: &[&str]) -> Sources {
        let prefixes: Vec<_> = prefixes.iter().map(|text| contract::corefile::value::prefix(text).unwrap()).collect();
        Sources::new(&prefixes)
    }

    #[test]
    fn a_prefix_holds_its_first_and_last_address_and_no_other() {
        for (prefix, inside, outside) in [
            ("10.1.0.0/16", ["10.1.0.0", "10.1.255.255"], ["10.0.255.255", "10.2.0.0"]),
            ("192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
            ("128.0.0.0/1", ["128.0.0.0", "255.255.255.255"], ["127.255.255.255", "::8000:0"]),
            ("2001:db8::/33", ["2001:db8::", "2001:db8:7fff:ffff::1"], ["2001:db8:8000::", "32.1.13.184"]),
            ("fe80::1", ["fe80::1", "fe80::1"], ["fe80::", "fe80::2"]),
            ("::ffff:10.0.0.0/104", ["10.0.0.0", "::ffff:10.9.9.9"], ["11.0.0.0", "::10.0.0.0"]),
        ] {
            let sources = sources(&[prefix]);
            for address in inside {
                assert!(sources.contains(address.parse().unwrap()), "{address} is in {prefix}");
            }
            for address in outside {
                assert!(!sources.contains(address.parse().unwrap()), "{address} is not in {prefix}");
            }
        }
    }

    #[test]
    fn a_length_of_nothing_is_one_family() {
        assert!(sources(&["0.0.0.0/0"]).contains("203.0.113.9".parse().unwrap()));
        assert!(!sources(&["0.0.0.0/0"]).contains("2001:db8::1".parse().unwrap()));
        assert!(sources(&["::/0"]).contains("2001:db8::1".parse().unwrap()));
        assert!(!sources(&["::/0"]).contains("203.0.113.9".parse().unwrap()));
        assert!(Sources::all().contains("203.0.113.9".parse().unwrap()));
        assert!(Sources::all().contains("2001:db8::1".parse().unwrap()));
        assert!(!Sources::new(&[]).contains("203.0.113.9".parse().unwrap()));
    }

    #[test]
    fn many_prefixes_that_overlap_are_as_good_as_each_alone() {
        let texts: Vec<String> =
            (0..1_000).map(|i| format!("10.{}.{}.0/{}", i % 200, i % 7 * 32, 16 + i % 9)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let each: Vec<Sources> = texts.iter().map(|text| sources(&[text])).collect();
        let all = sources(&texts);
        for probe in 0..20_000u32 {
            let address = IpAddr::from((0x0a00_0000 + probe * 839).to_be_bytes());
            let expected = each.iter().any(|one| one.contains(address));
            assert_eq!(all.contains(address), expected, "{address}");
        }
    }
}
