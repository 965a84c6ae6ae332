//! A reply composed anew in order: for MX records, whose names others may point to.

use std::sync::Arc;

use contract::wire::{Composer, Flags, Full, Message, Record, RecordType, Section};
use contract::{Answer, Reply};

/// The same reply, section by section: CNAME, all else, addresses, MX, the last two shuffled. As it is if it does not fit.
/// `random` gives a number below its argument.
pub(crate) fn shuffled(reply: Reply, random: &mut impl FnMut(u32) -> u32) -> Reply {
    match composed(&reply.answer, random) {
        Ok(answer) => Reply { answer: Arc::new(answer), ..reply },
        Err(Full) => reply,
    }
}

fn composed(answer: &Answer, random: &mut impl FnMut(u32) -> u32) -> Result<Answer, Full> {
    let message = answer.message();
    let Some(name) = message.question_name() else { return Err(Full) };
    let mut composer = Composer::new(&name, message.question_type(), message.question_class());
    composer.rcode(answer.rcode()).flags(message.flags() & (Flags::AA | Flags::AD | Flags::TC));
    for section in [Section::Answer, Section::Authority, Section::Additional] {
        for record in ordered(&message, section, random) {
            composer.copy(&message, &record, record.ttl)?;
        }
    }
    let (set, clear) = answer.forced_flags();
    let made = Answer::composed(composer.finish(), answer.rcode()).with_flags(set, clear);
    Ok(match answer.ede() {
        Some(ede) => made.with_ede(ede.clone()),
        None => made,
    })
}

fn ordered(message: &Message<'_>, section: Section, random: &mut impl FnMut(u32) -> u32) -> Vec<Record> {
    let mut kinds: [Vec<Record>; 4] = Default::default();
    for record in message.section(section) {
        let kind = match record.rtype {
            RecordType::CNAME => 0,
            RecordType::A | RecordType::AAAA => 2,
            RecordType::MX => 3,
            _ => 1,
        };
        kinds[kind].push(record);
    }
    for kind in &mut kinds[2..] {
        for place in 1..kind.len() {
            let from = place - 1;
            let left = (kind.len() - from) as u32;
            kind.swap(from, from + random(left) as usize);
        }
    }
    kinds.concat()
}
