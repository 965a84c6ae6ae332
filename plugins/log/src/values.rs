//! Writes the values of placeholders as CoreDNS writes them.

use std::fmt::Write as _;
use std::net::IpAddr;

use contract::wire::{Flags, Message, Name, Rcode};
use contract::{About, Event, LabelBook, Transport, limits};

use crate::class::Kind;
use crate::format::{Format, Part, Value};

/// Octets that a line of the Common Log Format has, more or less.
const LINE_LENGTH: usize = 160;

/// What stands where there is nothing to say.
const NOTHING: &str = "-";

impl Format {
    /// The line of a reply.
    pub(crate) fn line(&self, event: &Event<'_>, kind: Kind, labels: &LabelBook) -> String {
        let mut line = String::with_capacity(LINE_LENGTH);
        for part in &self.0 {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Label(label) => {
                    let about = About { client: &event.client, name: event.name, upstream: event.upstream };
                    line.push_str(labels.label(label, &about).as_deref().unwrap_or(NOTHING));
                }
                Part::Value(value) => write(&mut line, *value, event, kind).expect("a string takes every text"),
            }
        }
        line
    }
}

fn write(line: &mut String, value: Value, event: &Event<'_>, kind: Kind) -> std::fmt::Result {
    let (id, flags) = event.header;
    let (rtype, class) = event.question;
    match value {
        Value::Type => write!(line, "{rtype}"),
        Value::Name => match Name::from_wire(event.name) {
            Some(name) => write!(line, "{name}"),
            None => line.write_str(NOTHING),
        },
        Value::Class => write!(line, "{class}"),
        Value::Proto => line.write_str(event.client.transport.label()),
        Value::Remote => address(line, event.client.ip()),
        Value::Local => address(line, event.client.local.ip().to_canonical()),
        Value::Size => write!(line, "{}", event.query_len),
        Value::Port => write!(line, "{}", event.client.address.port()),
        Value::Duration => write!(line, "{}s", event.took.as_secs_f64()),
        Value::Rcode => rcode(line, event.reply),
        Value::Rsize => write!(line, "{}", event.reply.len()),
        Value::Rflags => reply_flags(line, event.reply),
        Value::Bufsize => write!(line, "{}", buffer_size(event)),
        Value::Do => write!(line, "{}", event.edns.is_some_and(|edns| edns.dnssec_ok)),
        Value::Id => write!(line, "{id}"),
        Value::Opcode => write!(line, "{}", (flags & Flags::OPCODE) >> 11),
        Value::LogClass => line.write_str(kind.class().label()),
        Value::LogType => line.write_str(kind.label()),
    }
}

/// An IPv6 address stands in brackets (RFC 3986 3.2.2).
fn address(line: &mut String, ip: IpAddr) -> std::fmt::Result {
    match ip {
        IpAddr::V4(v4) => write!(line, "{v4}"),
        IpAddr::V6(v6) => write!(line, "[{v6}]"),
    }
}

/// A code without a name is a number.
fn rcode(line: &mut String, reply: &[u8]) -> std::fmt::Result {
    let Ok(message) = Message::parse(reply) else { return line.write_str(NOTHING) };
    match message.rcode() {
        Rcode(number @ (11..=15 | 17..)) => write!(line, "{number}"),
        named => write!(line, "{named}"),
    }
}

/// The flags that are set, separated by commas.
fn reply_flags(line: &mut String, reply: &[u8]) -> std::fmt::Result {
    const Z: u16 = 0x0040;
    let Ok(message) = Message::parse(reply) else { return line.write_str(NOTHING) };
    let names = [
        (Flags::QR, "qr"),
        (Flags::AA, "aa"),
        (Flags::TC, "tc"),
        (Flags::RD, "rd"),
        (Flags::RA, "ra"),
        (Z, "z"),
        (Flags::AD, "ad"),
        (Flags::CD, "cd"),
    ];
    let mut separator = "";
    for (_, name) in names.into_iter().filter(|(flag, _)| message.flags() & flag != 0) {
        write!(line, "{separator}{name}")?;
        separator = ",";
    }
    Ok(())
}

/// The largest reply that the client takes: what it said, at least 512 octets; any over a stream.
fn buffer_size(event: &Event<'_>) -> usize {
    match event.client.transport {
        Transport::Udp => {
            let said = event.edns.map_or(0, |edns| usize::from(edns.udp_size));
            said.max(limits::UDP_PLAIN_MAX)
        }
        Transport::Tcp | Transport::Tls | Transport::Https => limits::MESSAGE_MAX,
    }
}
