//! Records in text form: whatever a text says, what is read has the form of its type; a zone file is read or refused.

use std::fmt::Write;
use std::path::Path;

use contract::wire::Name;
use records::{Record, names};

/// Takes a text as `template` does what it has made.
pub fn record(data: &[u8]) {
    let Ok(record) = Record::parse(&String::from_utf8_lossy(data)) else { return };
    Name::from_wire(&record.owner).expect("an owner is a name");
    assert!(names(record.rtype, &record.rdata).is_some(), "data has the form of its type: {record:?}");
    let Record { rtype, class, ttl, rdata, .. } = &record;
    let mut general = format!(". {ttl} CLASS{} TYPE{} \\# {} ", class.0, rtype.0, rdata.len());
    rdata.iter().for_each(|octet| write!(general, "{octet:02x}").expect("a text takes all"));
    assert_eq!(Record::parse(&general), Ok(Record { owner: vec![0], ..record }), "the general form is the same record");
}

/// Takes a text as `file` does its zone file. The files that it includes are missing.
pub fn zone(data: &[u8]) {
    let origin = Name::parse("example.org").expect("a name");
    let _ = file::read(Path::new("/nonexistent/db"), data, &origin);
}
