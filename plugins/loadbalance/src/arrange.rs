//! A reply's addresses put in order where it lies.

use contract::wire::{Flags, HEADER, Message, RecordType, Section};

use crate::policy::{Order, Policy};
use crate::run::Run;
use crate::weights::Weights;

/// Puts the addresses of a reply in order. `random` gives a number below its argument.
pub(crate) fn arrange(reply: &mut [u8], order: &Order, random: &mut impl FnMut(u32) -> u32) {
    if reply.len() < HEADER || u16::from(reply[3]) & Flags::RCODE != 0 {
        return;
    }
    match &order.policy {
        Policy::RoundRobin => {
            for section in [Section::Answer, Section::Authority, Section::Additional] {
                in_section(reply, section, order, |run, reply| shuffle(run, reply, random));
            }
        }
        Policy::Weighted(file) => {
            let weights = file.weights();
            for section in [Section::Answer, Section::Additional] {
                in_section(reply, section, order, |run, reply| first_by_weight(run, reply, &weights, random));
            }
        }
    }
}

/// Puts the addresses of one section in order, if there are at least two.
fn in_section(reply: &mut [u8], section: Section, order: &Order, change: impl FnOnce(&mut Run, &mut [u8])) {
    let counts = HEADER / 2 + 2 * section as usize;
    if u16::from_be_bytes([reply[counts], reply[counts + 1]]) < 2 {
        return;
    }
    let Ok(message) = Message::parse(reply) else { return };
    let weighs = matches!(order.policy, Policy::RoundRobin) || is_weighed(message.question_type());
    let mut run = Run::of(&message, section);
    if run.count() < 2 {
        return;
    }
    if weighs {
        change(&mut run, reply);
    }
    if !order.prefer.is_empty() && section != Section::Authority {
        preferred_first(&mut run, reply, order);
    }
}

/// Weights count for these questions only.
fn is_weighed(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::A | RecordType::AAAA | RecordType::SRV)
}

fn shuffle(run: &mut Run, reply: &mut [u8], random: &mut impl FnMut(u32) -> u32) {
    for place in 0..run.count() - 1 {
        let chosen = place + random((run.count() - place) as u32) as usize;
        if chosen != place {
            run.exchange(reply, place, chosen);
        }
    }
}

/// Exchanges the first record with one that is chosen by weight.
fn first_by_weight(run: &mut Run, reply: &mut [u8], weights: &Weights, random: &mut impl FnMut(u32) -> u32) {
    let weight = |place: usize| {
        let owner = run.owner(reply, place);
        let of = owner.map(|(name, length)| weights.of(&name[..length], run.address(reply, place)));
        u32::from(of.unwrap_or(Weights::DEFAULT))
    };
    let sum = (0..run.count()).map(weight).sum();
    let mut drawn = random(sum);
    let chosen = (0..run.count()).find(|&place| {
        let weight = weight(place);
        let is_here = drawn < weight;
        drawn = drawn.saturating_sub(weight);
        is_here
    });
    if let Some(chosen) = chosen.filter(|&chosen| chosen != 0) {
        run.exchange(reply, 0, chosen);
    }
}

/// Puts the addresses of preferred prefixes first, the most wanted prefix first; those of one prefix keep their order.
fn preferred_first(run: &mut Run, reply: &mut [u8], order: &Order) {
    let mut sorted = [0; contract::limits::BALANCED_ADDRESSES_MAX];
    for place in 0..run.count() {
        let rank = order.rank(run.address(reply, place));
        let to = sorted[..place].partition_point(|&before| before <= rank);
        if to < place {
            run.bring(reply, place, to);
        }
        sorted[place] = rank;
        sorted[to..=place].rotate_right(1);
    }
}
