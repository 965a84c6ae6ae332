//! Messages that change a zone (RFC 2136).

use crate::record::{self, Record};

/// One change.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// This record is added: `OWNER TTL TYPE RDATA`.
    Add(&'a str),
    /// Everything at this name goes.
    Delete(&'a str),
    /// The records of this type at this name go.
    DeleteType(&'a str, &'a str),
}

const UPDATE: u8 = 5 << 3;
const SOA: u16 = 6;
const IN: u16 = 1;
const ANY: u16 = 255;

/// The message, without a signature.
pub(super) fn message(zone: &str, changes: &[Change<'_>]) -> Vec<u8> {
    let count = u16::try_from(changes.len()).expect("a message has fewer changes").to_be_bytes();
    let mut wire = vec![0x4e, 0x50, UPDATE, 0, 0, 1, 0, 0, count[0], count[1], 0, 0];
    wire.extend(record::name_wire(zone));
    wire.extend(SOA.to_be_bytes());
    wire.extend(IN.to_be_bytes());
    for change in changes {
        match change {
            Change::Add(line) => Record::parse(line).write(&mut wire),
            Change::Delete(name) => delete(&mut wire, name, ANY),
            Change::DeleteType(name, rtype) => delete(&mut wire, name, record::number(rtype)),
        }
    }
    wire
}

/// RFC 2136 2.5.2 and 2.5.3: class ANY, no TTL, no data.
fn delete(wire: &mut Vec<u8>, name: &str, rtype: u16) {
    wire.extend(record::name_wire(name));
    wire.extend(rtype.to_be_bytes());
    wire.extend(ANY.to_be_bytes());
    wire.extend([0; 6]);
}
