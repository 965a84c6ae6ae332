//! The names that CoreDNS knows classes, types and response codes by: exactly these are accepted, and shown.

use contract::wire::{Class, Rcode, RecordType};
use records::{CLASSES, TYPES};

/// The class of a name, in capitals.
pub(crate) fn class(name: &str) -> Result<Class, String> {
    of(&CLASSES, name).ok_or_else(|| "not a class".to_owned())
}

/// The name of a class; empty if it has none.
pub(crate) fn class_name(class: Class) -> &'static str {
    CLASSES.iter().find(|(_, known)| *known == class).map_or("", |(name, _)| name)
}

/// The type of a name, in capitals. `ANY` stands for all.
pub(crate) fn record_type(name: &str) -> Option<RecordType> {
    of(&TYPES, name).map(RecordType)
}

/// The name of a type; empty if it has none.
pub(crate) fn type_name(rtype: RecordType) -> &'static str {
    TYPES.iter().find(|(_, known)| *known == rtype.0).map_or("", |(name, _)| name)
}

/// The response code of a name, in capitals.
pub(crate) fn rcode(name: &str) -> Option<Rcode> {
    of(&RCODES, name).map(Rcode)
}

/// The names of response codes.
pub(crate) fn rcodes() -> impl Iterator<Item = &'static str> {
    RCODES.iter().map(|(name, _)| *name)
}

fn of<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// The types that a mistyped one was probably meant to be.
pub(crate) const COMMON_TYPES: [&str; 13] =
    ["A", "AAAA", "ANY", "CAA", "CNAME", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "SVCB", "TXT"];

const RCODES: [(&str, u16); 21] = [
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("NOTIMPL", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("YXRRSET", 7),
    ("NXRRSET", 8),
    ("NOTAUTH", 9),
    ("NOTZONE", 10),
    ("DSOTYPENI", 11),
    ("BADSIG", 16),
    ("BADKEY", 17),
    ("BADTIME", 18),
    ("BADMODE", 19),
    ("BADNAME", 20),
    ("BADALG", 21),
    ("BADTRUNC", 22),
    ("BADCOOKIE", 23),
];
