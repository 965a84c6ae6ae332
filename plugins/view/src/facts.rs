//! What a question says of itself, made into text where an expression asks for text: on the stack, and once.

use std::cell::OnceCell;
use std::fmt::{self, Write as _};

use contract::wire::Flags;
use contract::{LabelBook, Looked, Transport};

use crate::code::Fact;
use crate::evaluate::Value;

/// Octets of a name in text form: each may take four.
const NAME_TEXT_MAX: usize = 1_024;
/// The same of an IPv6 address.
const ADDRESS_TEXT_MAX: usize = 48;
/// The same of a class, a type or a port.
const WORD_TEXT_MAX: usize = 16;

/// A short text that lies where it stands.
#[derive(Debug)]
struct Short<const N: usize> {
    octets: [u8; N],
    length: usize,
}

impl<const N: usize> Short<N> {
    fn of(write: impl FnOnce(&mut Self) -> fmt::Result) -> Self {
        let mut short = Self { octets: [0; N], length: 0 };
        write(&mut short).expect("the bounds above are those of what is written");
        short
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.octets[..self.length]).expect("it was written as text")
    }
}

impl<const N: usize> fmt::Write for Short<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.octets.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// A question as expressions see it.
pub(crate) struct Facts<'q> {
    pub(crate) looked: &'q Looked<'q>,
    pub(crate) labels: &'q LabelBook,
    name: OnceCell<Short<NAME_TEXT_MAX>>,
    client: OnceCell<Short<ADDRESS_TEXT_MAX>>,
    server: OnceCell<Short<ADDRESS_TEXT_MAX>>,
    class: OnceCell<Short<WORD_TEXT_MAX>>,
    rtype: OnceCell<Short<WORD_TEXT_MAX>>,
    client_port: OnceCell<Short<WORD_TEXT_MAX>>,
    server_port: OnceCell<Short<WORD_TEXT_MAX>>,
}

impl<'q> Facts<'q> {
    pub(crate) fn new(looked: &'q Looked<'q>, labels: &'q LabelBook) -> Self {
        Self {
            looked,
            labels,
            name: OnceCell::new(),
            client: OnceCell::new(),
            server: OnceCell::new(),
            class: OnceCell::new(),
            rtype: OnceCell::new(),
            client_port: OnceCell::new(),
            server_port: OnceCell::new(),
        }
    }

    pub(crate) fn value(&self, fact: Fact) -> Value<'_> {
        let looked = self.looked;
        let client = looked.client;
        let is_udp = client.transport == Transport::Udp;
        match fact {
            Fact::BufSize if !is_udp => Value::Int(65_535),
            Fact::BufSize => Value::Int(looked.edns.map_or(512, |edns| edns.udp_size.max(512)).into()),
            Fact::Do => Value::Bool(looked.edns.is_some_and(|edns| edns.dnssec_ok)),
            Fact::Id => Value::Int(looked.header.0.into()),
            Fact::Opcode => Value::Int(((looked.header.1 & Flags::OPCODE) >> 11).into()),
            Fact::Size => Value::Int(i64::try_from(looked.size).unwrap_or(i64::MAX)),
            Fact::Proto => Value::text(if is_udp { "udp" } else { "tcp" }),
            Fact::Name => shown(&self.name, |to| write_name(looked.name, to)),
            Fact::Class => shown(&self.class, |to| write!(to, "{}", looked.class)),
            Fact::Type => shown(&self.rtype, |to| write!(to, "{}", looked.rtype)),
            Fact::ClientIp => shown(&self.client, |to| write!(to, "{}", client.ip())),
            Fact::ServerIp => shown(&self.server, |to| write!(to, "{}", client.local.ip().to_canonical())),
            Fact::Port => shown(&self.client_port, |to| write!(to, "{}", client.address.port())),
            Fact::ServerPort => shown(&self.server_port, |to| write!(to, "{}", client.local.port())),
        }
    }
}

fn shown<const N: usize>(cell: &OnceCell<Short<N>>, write: impl FnOnce(&mut Short<N>) -> fmt::Result) -> Value<'_> {
    Value::text(cell.get_or_init(|| Short::of(write)).as_str())
}

/// A name in wire form as CoreDNS shows it.
fn write_name(wire: &[u8], to: &mut impl fmt::Write) -> fmt::Result {
    let mut rest = wire;
    if let [0, ..] = rest {
        return to.write_str(".");
    }
    while let Some((length, behind)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, next) = behind.split_at(usize::from(*length).min(behind.len()));
        for octet in label {
            match octet {
                b'.' | b' ' | b'\'' | b'@' | b';' | b'(' | b')' | b'"' | b'\\' => {
                    write!(to, "\\{}", char::from(*octet))?
                }
                b'!'..=b'~' => to.write_char(char::from(*octet))?,
                _ => write!(to, "\\{octet:03}")?,
            }
        }
        to.write_char('.')?;
        rest = next;
    }
    Ok(())
}
