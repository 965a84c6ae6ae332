//! What the server says of itself in class CHAOS (RFC 4892), and what its own watchdog asks it. What it says of the client:
//! [`client`].

pub(super) mod client;

use std::time::Duration;

use contract::Answer;
use contract::wire::{Class, Composer, Name, Rcode, RecordType};

/// Below this name the watchdog asks which thread of which process takes its questions.
const WATCHDOG_ZONE: &str = ".watchdog.nearpath.";
/// The hook of the tests: whoever takes the question answers nothing any more.
const HANG: &str = "hang.debug.nearpath.";

/// Which process this is, among those that share its ports.
#[derive(Clone, Copy, Debug)]
pub struct Presence {
    /// Drawn at the start: process ids are the same in every container.
    pub instance: u64,
    /// True if [`HANG`] is obeyed: a flag of the tests.
    pub debug_hooks: bool,
}

impl Presence {
    /// A process that has just started.
    pub fn new(debug_hooks: bool) -> Self {
        Self { instance: rand::random(), debug_hooks }
    }
}

/// The reply to a question of a class other than IN. `worker` is the number of the thread that answers, if it has one.
pub(super) fn answer(
    (name, rtype, class): (&Name, RecordType, Class),
    node_name: &str,
    presence: &Presence,
    worker: Option<usize>,
) -> Answer {
    let asked = name.to_string();
    let text = match asked.as_str() {
        "version.bind." | "version.server." => Some(concat!("nearpath ", env!("CARGO_PKG_VERSION")).to_owned()),
        "hostname.bind." | "id.server." => Some(node_name.to_owned()),
        HANG if presence.debug_hooks => hang(),
        name if name.ends_with(WATCHDOG_ZONE) => Some(signature(presence.instance, worker)),
        _ => None,
    };
    let Some(text) = text.filter(|_| class == Class::CH && matches!(rtype, RecordType::TXT | RecordType::ANY)) else {
        return Answer::empty(name, rtype, class, Rcode::REFUSED);
    };
    texts((name, rtype, class), &[text])
}

/// A TXT record for each text; those that find no room are left out.
pub(super) fn texts((name, rtype, class): (&Name, RecordType, Class), texts: &[String]) -> Answer {
    let mut composer = Composer::new(name, rtype, class);
    for text in texts {
        if composer.chaos_text(name, text).is_err() {
            break;
        }
    }
    Answer::composed(composer.finish(), Rcode::NOERROR)
}

/// What the watchdog's questions are answered with: the process and the thread.
fn signature(instance: u64, worker: Option<usize>) -> String {
    let worker = worker.map_or_else(|| "-".to_owned(), |worker| worker.to_string());
    format!("{instance:016x} {worker}")
}

/// The process and the thread that [`answer`] told of, out of the text of its reply.
pub(crate) fn read_signature(text: &str) -> Option<(u64, Option<usize>)> {
    let (instance, worker) = text.split_once(' ')?;
    Some((u64::from_str_radix(instance, 16).ok()?, worker.parse().ok()))
}

/// A question of the watchdog; `nonce` makes each one different.
pub(crate) fn watchdog_question(id: u16, nonce: u32) -> Vec<u8> {
    let name: Name = format!("{nonce:08x}{WATCHDOG_ZONE}").parse().expect("letters and digits");
    let mut packet = id.to_be_bytes().to_vec();
    packet.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    packet.extend(name.as_wire());
    packet.extend([RecordType::TXT.0.to_be_bytes(), Class::CH.0.to_be_bytes()].as_flattened());
    packet
}

/// True for names (in wire form, lower case) that the watchdog alone asks for: nobody who looks on wants to see its questions.
pub(crate) fn is_of_watchdog(name: &[u8]) -> bool {
    name.ends_with(b"\x08watchdog\x08nearpath\0")
}

/// As a defect would that never comes back.
fn hang() -> Option<String> {
    tracing::warn!("told to hang by {HANG}");
    loop {
        std::thread::sleep(Duration::from_secs(3_600));
    }
}

#[cfg(test)]
mod tests {
    use contract::wire::{Message, Section};

    use super::*;

    #[test]
    fn the_watchdog_learns_who_took_its_question() {
        let presence = Presence { instance: 0xabc, debug_hooks: false };
        let packet = watchdog_question(7, 9);
        let question = Message::parse(&packet).unwrap();
        let name = question.question_name().unwrap();
        assert!(is_of_watchdog(name.as_wire()) && !is_of_watchdog(HANG.parse::<Name>().unwrap().as_wire()));
        for (worker, told) in [(Some(3), (0xabc, Some(3))), (None, (0xabc, None))] {
            let answer = answer((&name, RecordType::TXT, Class::CH), "node", &presence, worker);
            let message = answer.message();
            let record = message.section(Section::Answer).next().unwrap();
            let text = std::str::from_utf8(&message.rdata(&record)[1..]).unwrap();
            assert_eq!(read_signature(text), Some(told));
        }
        assert_eq!(read_signature("what another program says"), None);
    }

    #[test]
    fn without_the_flag_nothing_hangs() {
        let presence = Presence { instance: 1, debug_hooks: false };
        let refused = answer((&HANG.parse().unwrap(), RecordType::TXT, Class::CH), "node", &presence, Some(0));
        assert_eq!(refused.rcode(), Rcode::REFUSED);
    }
}
