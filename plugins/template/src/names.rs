//! The names that CoreDNS knows classes, types and response codes by: exactly these are accepted, and shown.

use contract::wire::{Class, Rcode, RecordType};

const CLASSES: [(&str, Class); 6] = [
    ("IN", Class::IN),
    ("CS", Class(2)),
    ("CH", Class::CH),
    ("HS", Class(4)),
    ("NONE", Class(254)),
    ("ANY", Class::ANY),
];

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

#[rustfmt::skip]
const TYPES: [(&str, u16); 88] = [
    ("None", 0), ("A", 1), ("NS", 2), ("MD", 3), ("MF", 4), ("CNAME", 5), ("SOA", 6), ("MB", 7), ("MG", 8), ("MR", 9),
    ("NULL", 10), ("PTR", 12), ("HINFO", 13), ("MINFO", 14), ("MX", 15), ("TXT", 16), ("RP", 17), ("AFSDB", 18),
    ("X25", 19), ("ISDN", 20), ("RT", 21), ("NSAP-PTR", 23), ("SIG", 24), ("KEY", 25), ("PX", 26), ("GPOS", 27),
    ("AAAA", 28), ("LOC", 29), ("NXT", 30), ("EID", 31), ("NIMLOC", 32), ("SRV", 33), ("ATMA", 34), ("NAPTR", 35),
    ("KX", 36), ("CERT", 37), ("DNAME", 39), ("OPT", 41), ("APL", 42), ("DS", 43), ("SSHFP", 44), ("IPSECKEY", 45),
    ("RRSIG", 46), ("NSEC", 47), ("DNSKEY", 48), ("DHCID", 49), ("NSEC3", 50), ("NSEC3PARAM", 51), ("TLSA", 52),
    ("SMIMEA", 53), ("HIP", 55), ("NINFO", 56), ("RKEY", 57), ("TALINK", 58), ("CDS", 59), ("CDNSKEY", 60),
    ("OPENPGPKEY", 61), ("CSYNC", 62), ("ZONEMD", 63), ("SVCB", 64), ("HTTPS", 65), ("SPF", 99), ("UINFO", 100),
    ("UID", 101), ("GID", 102), ("UNSPEC", 103), ("NID", 104), ("L32", 105), ("L64", 106), ("LP", 107),
    ("EUI48", 108), ("EUI64", 109), ("NXNAME", 128), ("TKEY", 249), ("TSIG", 250), ("IXFR", 251), ("AXFR", 252),
    ("MAILB", 253), ("MAILA", 254), ("ANY", 255), ("URI", 256), ("CAA", 257), ("AVC", 258), ("AMTRELAY", 260),
    ("RESINFO", 261), ("TA", 32768), ("DLV", 32769), ("Reserved", 65535),
];
