//! One name that is pursued: what its looks mean, and when the next one is due. No questions are asked here.
//!
//! ```text
//!   look --the zone shows something else than memory--> forget now, and again a second later
//!        --it shows what objects say------------------> once all that is forgotten, one last look
//!        --it does not--------------------------------> again after a pause, for 60 s
//!        --nobody answers-----------------------------> again after a pause, for longer: what changed meanwhile is not lost
//! ```

use std::time::Duration;

use contract::Moment;
use contract::limits::{
    PURSUIT_FORGETS_MAX, PURSUIT_OUTAGE_MAX, PURSUIT_PAUSE_MAX, PURSUIT_PAUSE_MIN, PURSUIT_PAUSE_OUTAGE,
    PURSUIT_SETTLES_AFTER, PURSUIT_WITHIN,
};
use contract::wire::RecordType;

use super::data::View;
use super::said::Said;

/// What was found out about a name at one moment.
#[derive(Debug)]
pub(super) struct Look {
    /// Before the first question.
    pub(super) began: Moment,
    /// Answers for other names rest on this one.
    pub(super) is_linked: bool,
    /// What memory had, and what the resolver says; only types that memory has, unless it is a wildcard or is linked.
    pub(super) types: Vec<Seen>,
}

/// The same for one type.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) rtype: RecordType,
    /// What memory had in its variants (DO, CD), before the question.
    pub(super) memory: Vec<View>,
    /// What the resolver says; `None` if it says nothing that can be used.
    pub(super) shown: Option<View>,
}

/// What follows from a look.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What memory has from before the look is to go.
    pub(super) forget: bool,
    pub(super) next: Next,
    /// The zone shows it, for the first time in this pursuit.
    pub(super) newly_seen: bool,
}

/// How it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    LookAt(Moment),
    /// Nothing is left to do, or time is over. True if the zone was asked and never showed it.
    End(bool),
}

/// The pursuit of one name.
#[derive(Debug)]
pub(super) struct Pursuit {
    is_wildcard: bool,
    since: Moment,
    looks: u32,
    /// What the zone showed last, or memory at first.
    known: Vec<(RecordType, View)>,
    /// Memory is to forget once more then.
    again_at: Option<Moment>,
    /// How often memory was to forget.
    forgotten: u32,
    /// The latest question got no answer.
    unanswered: bool,
    was_asked: bool,
    was_seen: bool,
}

impl Pursuit {
    pub(super) fn new(is_wildcard: bool, now: Moment) -> Self {
        let (known, again_at, forgotten, unanswered) = (Vec::new(), None, 0, false);
        let (was_asked, was_seen) = (false, false);
        Self { is_wildcard, since: now, looks: 0, known, again_at, forgotten, unanswered, was_asked, was_seen }
    }

    /// Objects say something else again.
    pub(super) fn begin_anew(&mut self, now: Moment) {
        let known = std::mem::take(&mut self.known);
        *self = Self { known, again_at: self.again_at, ..Self::new(self.is_wildcard, now) };
    }

    /// Judges a look by what objects say after it. `jitter` spreads pauses.
    pub(super) fn judge(&mut self, look: &Look, said: &Said, now: Moment, jitter: u64) -> Verdict {
        let (mut changed, mut whole, mut agrees) = (false, true, true);
        for seen in &look.types {
            self.was_asked = true;
            let (differs, agreed) = self.judge_type(seen, look.is_linked, said);
            changed |= differs;
            whole &= seen.shown.is_some();
            agrees &= agreed;
        }
        // nothing is remembered any more: it is as it was when that was forgotten
        agrees &= !look.types.is_empty() || self.was_seen;
        let newly_seen = agrees && !self.was_seen;
        self.was_seen |= agrees;
        let again = !changed && whole && self.again_at.is_some_and(|at| at <= look.began);
        if changed {
            self.again_at = Some(now.after(PURSUIT_SETTLES_AFTER));
        } else if again {
            self.again_at = None;
        }
        let forget = changed || again;
        self.forgotten += u32::from(forget);
        self.unanswered = !whole;
        let next = self.next(agrees, again, now, jitter);
        Verdict { forget, next, newly_seen }
    }

    /// Whether the zone shows something else than was known, and whether it agrees with objects.
    fn judge_type(&mut self, seen: &Seen, is_linked: bool, said: &Said) -> (bool, bool) {
        let at = self.known.iter().position(|(rtype, _)| *rtype == seen.rtype);
        let shown_before = at.map(|at| self.known.swap_remove(at).1);
        // what other answers have of this name may be older than what memory has under it
        let is_first_of_linked = is_linked && shown_before.is_none();
        let known = shown_before.or_else(|| seen.memory.first().filter(|_| !is_linked).cloned());
        let Some(shown) = &seen.shown else {
            self.known.extend(known.map(|known| (seen.rtype, known)));
            return (false, false);
        };
        let agrees = said.agrees(seen.rtype, shown);
        // nobody knows what the names below a wildcard were before: they may be older than what it shows now
        let is_first = self.is_wildcard && known.is_none() && agrees && said.speaks_of(seen.rtype);
        let differs = is_first || is_first_of_linked || seen.memory.iter().chain(&known).any(|before| before != shown);
        self.known.push((seen.rtype, shown.clone()));
        (differs, agrees)
    }

    fn next(&mut self, agrees: bool, again: bool, now: Moment, jitter: u64) -> Next {
        if self.is_over(again, now) {
            return Next::End(self.was_asked && !self.was_seen);
        }
        match self.again_at {
            _ if !agrees => Next::LookAt(now.after(self.pause(now, jitter))),
            Some(at) => Next::LookAt(at.max(now.after(PURSUIT_PAUSE_MIN))),
            None if again => Next::LookAt(now.after(PURSUIT_SETTLES_AFTER)),
            None => Next::End(false),
        }
    }

    fn is_over(&self, again: bool, now: Moment) -> bool {
        let within = match self.again_at {
            _ if self.unanswered => PURSUIT_OUTAGE_MAX,
            // what has changed at the last moment is forgotten twice all the same
            Some(_) => PURSUIT_WITHIN + 3 * PURSUIT_SETTLES_AFTER,
            None => PURSUIT_WITHIN,
        };
        // records that are others each time are the zone's way to spread clients, and no change
        self.forgotten >= PURSUIT_FORGETS_MAX || !again && now.since(self.since) >= within
    }

    /// A quarter of a second, then a half, then whole ones, each up to a tenth shorter; longer ones in an outage.
    fn pause(&mut self, now: Moment, jitter: u64) -> Duration {
        let most = match now.since(self.since) < PURSUIT_WITHIN {
            true => PURSUIT_PAUSE_MAX,
            false => PURSUIT_PAUSE_OUTAGE,
        };
        let whole = PURSUIT_PAUSE_MIN.saturating_mul(1 << self.looks.min(16)).min(most);
        self.looks = self.looks.saturating_add(1);
        let spread = u32::try_from(jitter % 64).expect("below 64");
        whole - whole / 10 * spread / 64
    }
}
