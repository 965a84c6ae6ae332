//! Names and addresses as a hosts file lists them, found by either.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contract::limits;
use contract::wire::Name;

/// Names, their addresses, and the names of each address.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// By name; `*` as first label stands for any one label.
    addresses: HashMap<Name, Addresses>,
    /// By address, for reverse look-ups; empty with `no_reverse`.
    names: HashMap<IpAddr, Vec<Name>>,
    entries: usize,
    records: usize,
}

/// The addresses of a name.
#[derive(Debug, Default)]
struct Addresses {
    v4: Vec<Ipv4Addr>,
    v6: Vec<Ipv6Addr>,
    /// The first line that lists the name; 0: none of a file.
    line: u32,
}

/// What a table takes in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intake<'z> {
    /// Names outside these zones are left out.
    pub(crate) zones: &'z [Name],
    /// Whether addresses lead back to names.
    pub(crate) reverse: bool,
}

/// More entries than [`limits::HOSTS_ENTRIES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {} entries", limits::HOSTS_ENTRIES_MAX)]
pub(crate) struct TooManyEntries;

impl Table {
    /// Reads a hosts file (hosts(5)). Lines that are no entries are skipped, as everything that reads such files does.
    pub(crate) fn parse(text: &[u8], intake: Intake<'_>) -> Result<Self, TooManyEntries> {
        let mut table = Self::default();
        for (line, number) in text.split(|&octet| octet == b'\n').zip(1..) {
            let line = line.split(|&octet| octet == b'#').next().unwrap_or_default();
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let mut words = line.split_whitespace();
            let Some(address) = words.next().and_then(address) else { continue };
            for name in words.filter_map(|word| Name::parse(word).ok()) {
                table.insert(address, name, number, intake)?;
            }
        }
        Ok(table)
    }

    /// Adds an entry, if its name is in one of the zones. `line`: where it stands in a file, else 0.
    pub(crate) fn insert(
        &mut self,
        address: IpAddr,
        name: Name,
        line: u32,
        intake: Intake<'_>,
    ) -> Result<(), TooManyEntries> {
        let is_wildcard = name.labels().next() == Some(b"*");
        if is_wildcard && name.label_count() == 1 || !intake.zones.iter().any(|zone| zone.encloses(&name)) {
            return Ok(());
        }
        if self.entries == limits::HOSTS_ENTRIES_MAX {
            return Err(TooManyEntries);
        }
        self.entries += 1;
        if intake.reverse && !is_wildcard {
            self.records += add(self.names.entry(address).or_default(), name.clone());
        }
        let addresses = self.addresses.entry(name).or_insert_with(|| Addresses { line, ..Addresses::default() });
        self.records += match address {
            IpAddr::V4(ip) => add(&mut addresses.v4, ip),
            IpAddr::V6(ip) => add(&mut addresses.v6, ip),
        };
        Ok(())
    }

    /// The IPv4 addresses of a name, or of the wildcard above it.
    pub(crate) fn v4(&self, name: &Name) -> &[Ipv4Addr] {
        self.addresses_of(name, |addresses| &addresses.v4)
    }

    /// The IPv6 addresses of a name, or of the wildcard above it.
    pub(crate) fn v6(&self, name: &Name) -> &[Ipv6Addr] {
        self.addresses_of(name, |addresses| &addresses.v6)
    }

    /// The names of an address.
    pub(crate) fn names(&self, address: IpAddr) -> &[Name] {
        self.names.get(&address).map_or(&[], Vec::as_slice)
    }

    /// The first line that lists a name, or else the wildcard above it; 0: none of a file.
    pub(crate) fn line(&self, name: &Name) -> Option<u32> {
        let of = |name: &Name| self.addresses.get(name).map(|addresses| addresses.line);
        of(name).or_else(|| wildcard(name).as_ref().and_then(of))
    }

    /// How many records can be made of it, reverse ones included.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// The family is chosen before the wildcard: a name with an IPv4 address alone has the wildcard's IPv6 addresses.
    fn addresses_of<T>(&self, name: &Name, family: impl Fn(&Addresses) -> &Vec<T>) -> &[T] {
        let of = |name: &Name| self.addresses.get(name).map(&family).filter(|addresses| !addresses.is_empty());
        if let Some(own) = of(name) {
            return own;
        }
        wildcard(name).as_ref().and_then(of).map_or(&[], Vec::as_slice)
    }
}

/// The wildcard above a name.
fn wildcard(name: &Name) -> Option<Name> {
    name.parent().and_then(|parent| Name::join(b"\x01*", &parent))
}

/// An address as a hosts file spells it: a zone id behind `%` does not count, and IPv4 in IPv6 form is IPv4.
pub(crate) fn address(word: &str) -> Option<IpAddr> {
    let address = word.split('%').next()?;
    address.parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

/// Adds what is not there yet, up to [`limits::HOSTS_RECORDS_MAX`]; returns how many were added.
fn add<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    if list.len() >= limits::HOSTS_RECORDS_MAX || list.contains(&item) {
        return 0;
    }
    list.push(item);
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn table(text: &str) -> Table {
        Table::parse(text.as_bytes(), Intake { zones: &[Name::root()], reverse: true }).unwrap()
    }

    fn v4(table: &Table, text: &str) -> String {
        table.v4(&name(text)).iter().map(|ip| format!("{ip} ")).collect()
    }

    #[test]
    fn every_form_of_line_is_read() {
        let table = table(
            "# a comment\n\
             127.0.0.1\tlocalhost   Localhost.LocalDomain # and more\r\n\
             \n\
             192.0.2.1 a a\n192.0.2.2 a\n192.0.2.1 a\n\
             fe80::1%eth0 b\n\
             ::ffff:192.0.2.9 c\n\
             192.0.2.3\n\
             a 192.0.2.4\n\
             192.0.2 d\n\
             192.0.2.01 d\n\
             192.0.2.5 e#f g\n\
             192.0.2.6 x..y h\n\
             192.0.2.7 last",
        );
        assert_eq!(v4(&table, "LOCALHOST"), "127.0.0.1 ");
        assert_eq!(v4(&table, "localhost.localdomain"), "127.0.0.1 ");
        assert_eq!(v4(&table, "a"), "192.0.2.1 192.0.2.2 ", "an address stands once");
        assert_eq!(table.v6(&name("b")), ["fe80::1".parse::<Ipv6Addr>().unwrap()]);
        assert_eq!(v4(&table, "c"), "192.0.2.9 ");
        assert_eq!(v4(&table, "d") + &v4(&table, "g") + &v4(&table, "f"), "");
        assert_eq!(v4(&table, "e"), "192.0.2.5 ");
        assert_eq!(v4(&table, "h"), "192.0.2.6 ");
        assert_eq!(v4(&table, "last"), "192.0.2.7 ");
        assert_eq!(table.names("127.0.0.1".parse().unwrap()), [name("localhost"), name("localhost.localdomain")]);
        assert_eq!(table.records(), 18);
    }

    #[test]
    fn octets_that_are_no_text_spoil_their_line_only() {
        let intake = Intake { zones: &[Name::root()], reverse: true };
        let table = Table::parse(b"192.0.2.1 \xff\n\0\n192.0.2.2 good # \xff\n", intake).unwrap();
        assert_eq!(table.v4(&name("good")).len(), 1);
        assert_eq!(table.records(), 2);
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let table = table("192.0.2.1 *.example.com\n2001:db8::1 *.example.com\n192.0.2.2 a.example.com\n192.0.2.3 *");
        assert_eq!(v4(&table, "a.example.com"), "192.0.2.2 ");
        assert_eq!(v4(&table, "apps.example.com"), "192.0.2.1 ");
        assert_eq!(v4(&table, "*.example.com"), "192.0.2.1 ");
        assert_eq!(v4(&table, "example.com"), "");
        assert_eq!(v4(&table, "deep.apps.example.com"), "");
        assert_eq!(v4(&table, "com") + &v4(&table, "*") + &v4(&table, "."), "");
        // each family by itself
        assert_eq!(table.v6(&name("a.example.com")).len(), 1);
        assert!(table.names("192.0.2.1".parse().unwrap()).is_empty());
    }

    #[test]
    fn names_outside_the_zones_and_reverse_names_can_be_left_out() {
        let text = b"192.0.2.1 a.example.org b.example.net";
        let zones = [name("example.org")];
        let table = Table::parse(text, Intake { zones: &zones, reverse: false }).unwrap();
        assert_eq!(v4(&table, "a.example.org"), "192.0.2.1 ");
        assert_eq!(v4(&table, "b.example.net"), "");
        assert!(table.names("192.0.2.1".parse().unwrap()).is_empty());
        assert_eq!(table.records(), 1);
    }

    #[test]
    fn a_table_is_bounded() {
        let line = |index: usize| format!("0.0.0.0 a{index}\n");
        let most: String = (0..limits::HOSTS_ENTRIES_MAX).map(line).collect();
        let intake = Intake { zones: &[Name::root()], reverse: true };
        let table = Table::parse(most.as_bytes(), intake).unwrap();
        assert_eq!(table.names("0.0.0.0".parse().unwrap()).len(), limits::HOSTS_RECORDS_MAX);
        assert_eq!(v4(&table, "a499999"), "0.0.0.0 ");
        let more = most + &line(limits::HOSTS_ENTRIES_MAX);
        assert_eq!(Table::parse(more.as_bytes(), intake).unwrap_err(), TooManyEntries);
    }
}
