//! The way of an answer in one line, for whoever asked with NSID: what dig shows as EDE 0.
//!
//! ```text
//!   hit age 12s of 30; autopath 4 candidates, 4th; from 10.96.0.10:53; block cluster.local
//!   miss tcp 10.96.0.10:53 3ms; block .
//! ```

use std::fmt::Write as _;
use std::time::Duration;

use contract::wire::Rcode;
use contract::{Decided, Failure, Plain, Recall, Recalled, Served, Source, Step, Story, What};

/// What is known of the asker beside the story.
pub(super) struct Asked {
    /// The server block's zones.
    pub(super) block: String,
    /// How many candidates a search of this client has, if the question is the first step of one.
    pub(super) candidates: Option<usize>,
    /// Why it is none, where the block has AutoPath.
    pub(super) plain: Option<Plain>,
}

/// The way of a reply out of memory.
pub(super) fn of_hit(recall: &Recall, asked: &Asked) -> String {
    let mut line = remembered(recall);
    search(&mut line, recall.decided, asked);
    match recall.source {
        Source::Store => {}
        Source::Upstream(address) => add(&mut line, format_args!("from {address}")),
        Source::Plugin(name) => add(&mut line, format_args!("made by {name}")),
    }
    end(line, asked)
}

/// The way of every other reply, as its story tells it.
pub(super) fn of_story(story: &Story, served: &Served, took: Duration, asked: &Asked) -> String {
    let (steps, _) = story.steps();
    let mut line = match served {
        Ok(reply) if matches!(reply.answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) => how(&steps, served, took),
        Ok(reply) if reply.source == Source::Plugin("autopath") => "failed, the search was stopped".to_owned(),
        Err(Failure::Prohibited) => "refused by acl".to_owned(),
        Err(failure) if failure.told().0 == Rcode::REFUSED => "refused".to_owned(),
        Err(Failure::Memorised { .. })
            if !steps.iter().any(|step| told_from_memory(step, served).is_some() && step.depth == 0) =>
        {
            "failed, a candidate failed a moment ago".to_owned()
        }
        _ => how(&steps, served, took).replacen("miss", "failed", 1),
    };
    if let Ok(reply) = served {
        search(&mut line, reply.decided, asked);
    }
    end(line, asked)
}

/// Where the answer came from: the last that was asked or looked at for it.
fn how(steps: &[Step], served: &Served, took: Duration) -> String {
    let own = || steps.iter().rev().filter(|step| step.depth == 0);
    if served.as_ref().is_ok_and(|reply| reply.source == Source::Plugin("acl")) {
        return "filtered by acl".to_owned();
    }
    if let Some(recall) = own().find_map(|step| told_from_memory(step, served)) {
        return remembered(recall);
    }
    if own().any(|step| step.what == What::Coalesced) {
        return format!("miss, shared with others who asked the same, {}", short(took));
    }
    let source = served.as_ref().ok().map(|reply| reply.source);
    let asked = |step: &&Step| match &step.what {
        What::Asked { upstream, .. } => source.is_none_or(|source| source == Source::Upstream(*upstream)),
        _ => false,
    };
    match (steps.iter().rev().find(asked).map(|step| &step.what), source) {
        (Some(What::Asked { upstream, protocol, .. }), _) => {
            format!("miss {protocol} {upstream} {}", short(took))
        }
        (_, Some(Source::Plugin(name))) => format!("miss, made by {name}"),
        (_, Some(Source::Upstream(address))) => format!("miss {address} {}", short(took)),
        (_, Some(Source::Store)) => format!("miss, of what memory knew of its candidates, {}", short(took)),
        (_, None) => format!("miss {}", short(took)),
    }
}

/// What memory had, where that is what was told.
fn told_from_memory<'s>(step: &'s Step, served: &Served) -> Option<&'s Recall> {
    let What::Remembered(recall) = &step.what else { return None };
    let told = match recall.state {
        Recalled::Fresh | Recalled::Stale | Recalled::Failed => true,
        Recalled::Kept => served.as_ref().is_ok_and(contract::Reply::is_stale),
    };
    told.then_some(recall)
}

fn remembered(recall: &Recall) -> String {
    let state = match recall.state {
        Recalled::Fresh => "hit",
        Recalled::Stale | Recalled::Kept => "stale",
        Recalled::Failed => "failed a moment ago",
    };
    format!("{state} age {}s of {}", recall.age.as_secs(), recall.life.as_secs())
}

fn search(line: &mut String, decided: Decided, asked: &Asked) {
    let Some(of) = asked.candidates else { return };
    match decided {
        Decided::NoSearch => {}
        Decided::Candidate(place) => add(line, format_args!("autopath {of} candidates, {}", ordinal(place))),
        Decided::Nobody => add(line, format_args!("autopath {of} candidates, none")),
    }
}

fn end(mut line: String, asked: &Asked) -> String {
    add(&mut line, format_args!("block {}", asked.block));
    match asked.plain {
        // it is searched for all the same, for this client alone
        Some(plain @ Plain::Gate) => add(&mut line, format_args!("autopath past memory: {plain}")),
        Some(plain) => add(&mut line, format_args!("no autopath: {plain}")),
        None => {}
    }
    line
}

fn add(line: &mut String, what: std::fmt::Arguments<'_>) {
    write!(line, "; {what}").expect("a string takes all");
}

fn ordinal(place: u8) -> String {
    let suffix = match (place % 10, place % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{place}{suffix}")
}

/// Milliseconds; microseconds where it is fewer than one.
fn short(took: Duration) -> String {
    match took.as_millis() {
        0 => format!("{}us", took.as_micros()),
        milliseconds => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_tells_its_age_its_candidate_and_its_source() {
        let recall = Recall {
            state: Recalled::Fresh,
            age: Duration::from_secs(12),
            life: Duration::from_secs(30),
            source: Source::Upstream(([10, 96, 0, 10], 53).into()),
            decided: Decided::Candidate(4),
        };
        let asked = |candidates, plain| Asked { block: "cluster.local".to_owned(), candidates, plain };
        let line = of_hit(&recall, &asked(Some(4), None));
        assert_eq!(line, "hit age 12s of 30; autopath 4 candidates, 4th; from 10.96.0.10:53; block cluster.local");
        let plain =
            Recall { state: Recalled::Stale, source: Source::Plugin("hosts"), decided: Decided::NoSearch, ..recall };
        let line = of_hit(&plain, &asked(None, Some(Plain::Dnssec)));
        assert_eq!(
            line,
            "stale age 12s of 30; made by hosts; block cluster.local; no autopath: the client wants signatures (DO)"
        );
    }

    #[test]
    fn places_are_counted_in_english() {
        for (place, word) in [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (22, "22nd")]
        {
            assert_eq!(ordinal(place), word);
        }
    }
}
