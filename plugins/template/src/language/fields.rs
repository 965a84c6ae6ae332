//! What a template may know of a question, by the names that CoreDNS has for it.

use contract::wire::Flags;

use super::Wrong;
use super::ast::{Field, Header};

/// `.Meta`, the only one that takes an argument, is a command of its own.
pub(super) const META: &str = "Meta";

#[rustfmt::skip]
const FIELDS: [(&str, Field); 22] = [
    (".Zone", Field::Zone),
    (".Name", Field::Name),
    (".Regex", Field::Regex),
    (".Match", Field::Match),
    (".Group", Field::Group),
    (".Class", Field::Class),
    (".Type", Field::Type),
    (".Remote", Field::Remote),
    (".Question.Name", Field::QuestionName),
    (".Question.Qtype", Field::QuestionType),
    (".Question.Qclass", Field::QuestionClass),
    (".Message.Id", Field::Message(Header::Id)),
    (".Message.Opcode", Field::Message(Header::Opcode)),
    (".Message.Rcode", Field::Message(Header::Rcode)),
    (".Message.Response", Field::Message(Header::Flag(Flags::QR))),
    (".Message.Authoritative", Field::Message(Header::Flag(Flags::AA))),
    (".Message.Truncated", Field::Message(Header::Flag(Flags::TC))),
    (".Message.RecursionDesired", Field::Message(Header::Flag(Flags::RD))),
    (".Message.RecursionAvailable", Field::Message(Header::Flag(Flags::RA))),
    (".Message.Zero", Field::Message(Header::Flag(0x0040))),
    (".Message.AuthenticatedData", Field::Message(Header::Flag(Flags::AD))),
    (".Message.CheckingDisabled", Field::Message(Header::Flag(Flags::CD))),
];

/// As a template has it.
pub(super) fn written(field: Field) -> &'static str {
    FIELDS.iter().find(|(_, known)| *known == field).expect("every field has a row").0
}

/// The field of `first.second`, and how many of the two words it takes.
pub(super) fn named(first: &str, second: Option<&str>, at: usize) -> Result<(Field, usize), Wrong> {
    let find = |name: &str| FIELDS.iter().find(|(known, _)| known.strip_prefix('.') == Some(name)).map(|row| row.1);
    if let Some(field) = find(first) {
        return Ok((field, 1));
    }
    let outer = format!(".{first}.");
    let members: Vec<&str> = FIELDS.iter().map(|row| row.0).filter(|name| name.starts_with(&outer)).collect();
    let member = second.and_then(|second| find(&format!("{first}.{second}")));
    match (member, members.is_empty()) {
        (Some(field), _) => Ok((field, 2)),
        (None, false) => {
            let said = second.map_or_else(|| format!("`.{first}` as a whole"), |second| format!("`.{first}.{second}`"));
            Err(Wrong::new(at, format!("{said} is not known here"), crate::listed(members)))
        }
        (None, true) => {
            let known = FIELDS.iter().map(|row| row.0).take(8).chain([".Question", ".Message", ".Meta"]);
            Err(Wrong::new(at, format!("there is no field `.{first}`"), crate::listed(known)))
        }
    }
}

/// True if the text that it gives depends on more than the question.
pub(super) fn is_personal(field: Field) -> bool {
    matches!(field, Field::Remote | Field::Message(_))
}
