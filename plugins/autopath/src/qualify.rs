//! Which questions are the first step of a search: their type, and the rest of their name. Runs on the hit path.

use contract::Plain;
use contract::wire::{Name, RecordType};

/// The types that programs look up through a search list: data that a host or a service has.
///
/// Not among them: CNAME and DNAME (the synthesised CNAME would itself be an answer), NS and SOA (asked about zones, not
/// hosts), the DNSSEC types (signatures do not survive a synthesised CNAME), ANY and the other meta types.
pub(crate) fn is_searched(rtype: RecordType) -> bool {
    use RecordType as T;
    matches!(
        rtype,
        T::A | T::AAAA
            | T::MX
            | T::TXT
            | T::SRV
            | T::NAPTR
            | T::SVCB
            | T::HTTPS
            | T::PTR
            | T::TLSA
            | T::SSHFP
            | T::CAA
            | T::URI
            | T::HINFO
            | T::LOC
            | T::CERT
            | T::SPF
    )
}

/// The other address family, whose word counts as well.
pub(crate) fn sibling(rtype: RecordType) -> Option<RecordType> {
    match rtype {
        RecordType::A => Some(RecordType::AAAA),
        RecordType::AAAA => Some(RecordType::A),
        _ => None,
    }
}

/// The labels left of the first search domain (wire form, no root label) if a stub with this `ndots` would have put them
/// there: not empty, and with fewer dots than `ndots`. Otherwise [`Plain::Name`], or [`Plain::Dots`] if it is their number alone.
///
/// A first domain `.` encloses every name, later steps included, so nothing qualifies: such a pod asks for the name as it
/// is first, and mostly finds it. A label with a dot inside makes the stub's count of dots unknowable. Reverse names are
/// asked as absolute.
pub(crate) fn rest<'n>(name: &'n [u8], first: &Name, ndots: u8, rtype: RecordType) -> Result<&'n [u8], Plain> {
    if first.is_root() {
        return Err(Plain::Name);
    }
    let rest = Name::strip(name, first.as_wire()).filter(|rest| !rest.is_empty()).ok_or(Plain::Name)?;
    let dots = dots(rest).ok_or(Plain::Name)?;
    let reverse =
        rtype == RecordType::PTR && (rest.ends_with(b"\x07in-addr\x04arpa") || rest.ends_with(b"\x03ip6\x04arpa"));
    match dots < usize::from(ndots) {
        _ if reverse => Err(Plain::Name),
        true => Ok(rest),
        false => Err(Plain::Dots),
    }
}

/// The dots in the presentation form of labels, without a final one; `None` if a label holds a dot itself.
fn dots(labels: &[u8]) -> Option<usize> {
    // one look at all octets; the length of a label of 46 octets is a dot too, so a find is looked into
    let suspect = labels.contains(&b'.');
    let (mut at, mut count) = (0, 0);
    while let Some(&length) = labels.get(at) {
        let end = at + 1 + usize::from(length);
        if suspect && labels.get(at + 1..end)?.contains(&b'.') {
            return None;
        }
        at = end;
        count += 1;
    }
    Some(count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest_of(name: &str, first: &str, ndots: u8, rtype: RecordType) -> Option<String> {
        let (name, first) = (Name::parse(name).unwrap(), Name::parse(first).unwrap());
        rest(name.as_wire(), &first, ndots, rtype).ok().map(|rest| Name::join(rest, &Name::root()).unwrap().to_string())
    }

    #[test]
    fn a_question_qualifies_by_its_name() {
        let first = "shop.svc.cluster.local";
        for (name, ndots, rest) in [
            ("web.shop.svc.cluster.local", 1, Some("web.")),
            ("www.example.com.shop.svc.cluster.local", 5, Some("www.example.com.")),
            ("www.example.com.shop.svc.cluster.local", 3, Some("www.example.com.")),
            ("www.example.com.shop.svc.cluster.local", 2, None),
            ("web.shop.svc.cluster.local", 0, None),
            ("shop.svc.cluster.local", 5, None),
            ("web.svc.cluster.local", 5, None),
            ("web.workshop.svc.cluster.local", 5, None),
            (r"a\.b.shop.svc.cluster.local", 5, None),
            ("a.b.c.d.e.shop.svc.cluster.local", 5, Some("a.b.c.d.e.")),
            ("a.b.c.d.e.f.shop.svc.cluster.local", 5, None),
        ] {
            assert_eq!(rest_of(name, first, ndots, RecordType::A).as_deref(), rest, "{name} ndots {ndots}");
        }
        assert_eq!(rest_of("www.example.com", ".", 5, RecordType::A), None, "a first domain `.` tells nothing");
    }

    #[test]
    fn a_question_qualifies_by_its_type() {
        use RecordType as T;
        for rtype in [T::A, T::AAAA, T::SRV, T::TXT, T::MX, T::HTTPS, T::SVCB, T::NAPTR, T::PTR] {
            assert!(is_searched(rtype), "{rtype}");
        }
        for rtype in [T::ANY, T::CNAME, T::DNAME, T::NS, T::SOA, T::DS, T::DNSKEY, T::RRSIG, T::NSEC, T(65280)] {
            assert!(!is_searched(rtype), "{rtype}");
        }
        let reverse = "4.2.0.192.in-addr.arpa.ns.svc.d";
        assert_eq!(rest_of(reverse, "ns.svc.d", 15, T::PTR), None);
        assert!(rest_of(reverse, "ns.svc.d", 15, T::TXT).is_some());
        assert!(rest_of("_http._tcp.ns.svc.d", "ns.svc.d", 5, T::PTR).is_some());
    }
}
