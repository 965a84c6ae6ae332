//! What the server says of itself in class CHAOS (RFC 4892).

use contract::Answer;
use contract::wire::{Class, Composer, Name, Rcode, RecordType};

/// The reply to a question of a class other than IN.
pub(super) fn answer(name: &Name, rtype: RecordType, class: Class, node_name: &str) -> Answer {
    let text = match name.to_string().as_str() {
        "version.bind." | "version.server." => Some(concat!("nearpath ", env!("CARGO_PKG_VERSION"))),
        "hostname.bind." | "id.server." => Some(node_name),
        _ => None,
    };
    let Some(text) = text.filter(|_| class == Class::CH && matches!(rtype, RecordType::TXT | RecordType::ANY)) else {
        return Answer::empty(name, rtype, class, Rcode::REFUSED);
    };
    let mut composer = Composer::new(name, rtype, class);
    composer.chaos_text(name, text).expect("a short text fits");
    Answer::composed(composer.finish(), Rcode::NOERROR)
}
