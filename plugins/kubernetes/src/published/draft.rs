//! What one object publishes, while it is read: names of the wanted zones alone, within bounds, in one order.

use std::borrow::Cow;
use std::net::IpAddr;

use contract::Publication;
use contract::limits::{PUBLISHED_PER_OBJECT_MAX, PUBLISHED_TARGET_OCTETS_MAX, PUBLISHED_TARGETS_MAX};
use contract::wire::{Name, RecordType};

/// How the TXT records begin by which ExternalDNS knows its own.
const HERITAGE: &str = "heritage=external-dns";

/// What one object publishes, so far.
#[derive(Debug)]
pub(super) struct Draft<'z> {
    zones: &'z [Name],
    publications: Vec<Publication>,
    skipped: Skipped,
}

/// What was passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Skipped {
    /// Names that are none, and endpoints that are no endpoints.
    pub(super) odd: usize,
    /// Beyond the bounds of one object.
    pub(super) left_out: usize,
}

/// A name, and whether what stands in the object is what the zone has.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    name: Name,
    is_exact: bool,
}

/// How an object wants its names published.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// Seconds.
    pub(super) ttl: Option<u32>,
    /// A policy or a provider's own properties have a say.
    pub(super) is_special: bool,
}

impl<'z> Draft<'z> {
    pub(super) fn new(zones: &'z [Name]) -> Self {
        Self { zones, publications: Vec::new(), skipped: Skipped::default() }
    }

    /// So many parts of the object were not understood, or not taken in.
    pub(super) fn skip(&mut self, skipped: Skipped) {
        self.skipped.odd += skipped.odd;
        self.skipped.left_out += skipped.left_out;
    }

    /// Records of one type. What the targets are is not known if there are none.
    pub(super) fn add(&mut self, name: &str, rtype: Option<RecordType>, targets: &[&str], manner: Manner) {
        let Some(Written { name, is_exact }) = self.wanted(name) else { return };
        self.put(name, rtype, targets, Manner { is_special: manner.is_special || !is_exact, ..manner });
    }

    /// Addresses, or names that it is an alias of; by its look a target is of one type or another.
    pub(super) fn add_host(&mut self, name: &str, targets: &[&str], manner: Manner) {
        let Some(Written { name, is_exact }) = self.wanted(name) else { return };
        let manner = Manner { is_special: manner.is_special || !is_exact, ..manner };
        for rtype in [RecordType::A, RecordType::AAAA, RecordType::CNAME] {
            let of_type: Vec<&str> = targets.iter().copied().filter(|target| type_of(target) == rtype).collect();
            if !of_type.is_empty() {
                self.put(name.clone(), Some(rtype), &of_type, manner);
            }
        }
    }

    /// Everything, by name and type, and what was passed over.
    pub(super) fn finish(self) -> (Vec<Publication>, Skipped) {
        let Self { mut publications, skipped, .. } = self;
        publications.sort_by(|one, other| order(one).cmp(&order(other)));
        publications.dedup();
        // ExternalDNS chooses one of those that contradict each other, and which one it is not said here
        for under_one_name in publications.chunk_by_mut(|one, other| one.name == other.name) {
            let mut types: Vec<_> = under_one_name.iter().map(|one| one.rtype).collect();
            let is_alias = types.contains(&Some(RecordType::CNAME)) && types.len() > 1;
            types.dedup();
            if is_alias || types.len() < under_one_name.len() {
                under_one_name.iter_mut().for_each(|one| one.is_plain = false);
            }
        }
        (publications, skipped)
    }

    fn put(&mut self, name: Name, rtype: Option<RecordType>, targets: &[&str], manner: Manner) {
        if rtype == Some(RecordType::TXT) && targets.iter().any(|target| is_heritage(target)) {
            return;
        }
        if self.publications.len() >= PUBLISHED_PER_OBJECT_MAX {
            self.skipped.left_out += 1;
            return;
        }
        let is_kept = targets.len() <= PUBLISHED_TARGETS_MAX
            && targets.iter().all(|target| target.len() <= PUBLISHED_TARGET_OCTETS_MAX);
        let mut kept: Vec<Box<str>> = Vec::new();
        match is_kept {
            true => kept.extend(targets.iter().map(|target| Box::from(*target))),
            false => self.skipped.left_out += 1,
        }
        kept.sort_unstable();
        kept.dedup();
        let is_one = rtype != Some(RecordType::CNAME) || kept.len() <= 1;
        let is_plain = !manner.is_special && is_one;
        self.publications.push(Publication { name, rtype, targets: kept.into(), ttl: manner.ttl, is_plain });
    }

    /// The name, if it is one and lies in a zone.
    fn wanted(&mut self, text: &str) -> Option<Written> {
        let Some(written) = read(text) else {
            self.skipped.odd += 1;
            return None;
        };
        self.zones.iter().any(|zone| zone.encloses(&written.name)).then_some(written)
    }
}

/// A name as people write it; with or without the final dot.
fn read(text: &str) -> Option<Written> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_exact = text.is_ascii();
    // whoever publishes another one turns it into this, or leaves it as it is
    let text = if is_exact { Cow::Borrowed(text) } else { Cow::Owned(idna::domain_to_ascii(text).ok()?) };
    let is_letter = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.*/".contains(&octet);
    let is_name = !text.is_empty() && text.bytes().all(is_letter);
    let name = is_name.then(|| Name::parse(&text).ok())??;
    (!name.is_root()).then_some(Written { name, is_exact })
}

/// The type of record that ExternalDNS makes of a target.
fn type_of(target: &str) -> RecordType {
    match target.split('%').next().unwrap_or_default().parse() {
        Ok(IpAddr::V4(_)) if !target.contains('%') => RecordType::A,
        Ok(IpAddr::V6(_)) => RecordType::AAAA,
        _ => RecordType::CNAME,
    }
}

fn is_heritage(target: &str) -> bool {
    target.trim_start_matches('"').starts_with(HERITAGE)
}

fn order(one: &Publication) -> impl Ord + '_ {
    (&one.name, one.rtype, &one.targets, one.ttl, one.is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        let exact = |text: &str| Some(Written { name: Name::parse(text).unwrap(), is_exact: true });
        assert_eq!(read("WWW.Shop.example."), exact("www.shop.example"));
        assert_eq!(read("*.shop.example"), exact("*.shop.example"));
        assert_eq!(read("_sip._tcp.shop.example"), exact("_sip._tcp.shop.example"));
        let changed = |text: &str| Some(Written { name: Name::parse(text).unwrap(), is_exact: false });
        assert_eq!(read("BÜCHER.example."), changed("xn--bcher-kva.example"));
        assert_eq!(read("*.bücher.example"), changed("*.xn--bcher-kva.example"));
        let long = "a.".repeat(128);
        let longer = format!("{}.example", "a".repeat(64));
        for bad in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a b.example",
            "a\\.b",
            "a\\046b",
            "a\t.b",
            "ä b.example",
            "{{.Name}}.z",
            &long,
            &longer,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_target_looks_like_what_it_is() {
        for (target, rtype) in [
            ("192.0.2.1", RecordType::A),
            ("2001:db8::1", RecordType::AAAA),
            ("::ffff:192.0.2.1", RecordType::AAAA),
            ("fe80::1%eth0", RecordType::AAAA),
            ("192.0.2.1%1", RecordType::CNAME),
            ("192.0.2.01", RecordType::CNAME),
            ("192.0.2", RecordType::CNAME),
            ("lb.example", RecordType::CNAME),
        ] {
            assert_eq!(type_of(target), rtype, "{target}");
        }
    }
}
