//! All names that have changed: who is pursued, who waits for a place, and who is not asked for because nobody here has.
//!
//! ```text
//!   changed --memory knows it--> Waiting --a place--> Idle <--look--> Asked --> gone
//!           --it does not------> Dormant --it does by now--> Waiting     '--after 60 s--> gone
//! ```

use std::collections::{BTreeSet, HashMap, VecDeque};

use contract::Moment;
use contract::limits::{
    PUBLISHED_NAMES_MAX, PURSUED_WILDCARDS_MAX, PURSUIT_PAUSE_MAX, PURSUIT_WITHIN, PURSUITS_DORMANT_MAX, PURSUITS_MAX,
};
use contract::wire::{Name, RecordType};

use super::pursuit::{Next, Pursuit, Verdict};

/// The state of the work.
#[derive(Debug)]
pub(super) struct Pursuits {
    names: HashMap<Name, State>,
    /// Dormant and idle names by when they are looked at.
    due: BTreeSet<(Moment, Name)>,
    plain: Lane,
    wildcards: Lane,
    dormant: usize,
}

/// Places, and who waits for one.
#[derive(Debug)]
struct Lane {
    places: usize,
    waiting: VecDeque<Name>,
}

#[derive(Debug)]
enum State {
    /// Nobody here has asked for one of these types of it.
    Dormant {
        types: Box<[RecordType]>,
        until: Moment,
        due: Moment,
    },
    Waiting,
    Idle {
        pursuit: Pursuit,
        due: Moment,
    },
    /// A look is under way. True: it has changed meanwhile.
    Asked {
        pursuit: Pursuit,
        again: bool,
    },
}

/// What is to be done with a name now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// See whether memory has one of these types by now, then [`Pursuits::found`] or [`Pursuits::sleep_on`].
    Dormant(Name, Box<[RecordType]>),
    /// Look at it, then [`Pursuits::judged`].
    Look(Name),
}

impl Pursuits {
    pub(super) fn new() -> Self {
        let lane = |places| Lane { places, waiting: VecDeque::new() };
        let (plain, wildcards) = (lane(PURSUITS_MAX), lane(PURSUED_WILDCARDS_MAX));
        Self { names: HashMap::new(), due: BTreeSet::new(), plain, wildcards, dormant: 0 }
    }

    /// A name has changed: if it is pursued or waits for that, it begins anew. False if it is to be looked into.
    pub(super) fn changed_again(&mut self, name: &Name, now: Moment) -> bool {
        match self.names.get_mut(name) {
            Some(State::Idle { pursuit, due }) => {
                pursuit.begin_anew(now);
                self.due.remove(&(*due, name.clone()));
                *due = now;
                self.due.insert((now, name.clone()));
                true
            }
            Some(State::Asked { again, .. }) => {
                *again = true;
                true
            }
            Some(State::Waiting) => true,
            Some(State::Dormant { .. }) => {
                self.wake(name);
                false
            }
            None => false,
        }
    }

    /// A name has changed that memory knows, or a wildcard. False if there is no room for it.
    pub(super) fn found(&mut self, name: Name, now: Moment) -> bool {
        self.wake(&name);
        if self.names.len() >= PUBLISHED_NAMES_MAX {
            return false;
        }
        self.names.insert(name.clone(), State::Waiting);
        self.lane(&name).waiting.push_back(name.clone());
        self.admit(&name, now);
        true
    }

    /// A name has changed that memory does not know. False if there is no room for it.
    pub(super) fn sleep(&mut self, name: Name, types: Vec<RecordType>, now: Moment) -> bool {
        let fits = self.dormant < PURSUITS_DORMANT_MAX;
        if fits {
            let (due, until) = (now.after(PURSUIT_PAUSE_MAX), now.after(PURSUIT_WITHIN));
            self.due.insert((due, name.clone()));
            self.names.insert(name, State::Dormant { types: types.into(), until, due });
            self.dormant += 1;
        }
        fits
    }

    /// A dormant name is so no more.
    fn wake(&mut self, name: &Name) {
        if let Some(State::Dormant { due, .. }) = self.names.remove(name) {
            self.due.remove(&(due, name.clone()));
            self.dormant -= 1;
        }
    }

    /// Memory still does not know it.
    pub(super) fn sleep_on(&mut self, name: Name, now: Moment) {
        let Some(State::Dormant { until, due, .. }) = self.names.get_mut(&name) else { return };
        if *until <= now {
            return self.wake(&name);
        }
        *due = now.after(PURSUIT_PAUSE_MAX);
        self.due.insert((*due, name));
    }

    /// When something is to be done.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.due.first().map(|(due, _)| *due)
    }

    /// What is to be done now.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<Due> {
        self.next_due().filter(|due| *due <= now)?;
        let (_, name) = self.due.pop_first()?;
        match self.names.remove(&name)? {
            State::Idle { pursuit, .. } => {
                self.names.insert(name.clone(), State::Asked { pursuit, again: false });
                Some(Due::Look(name))
            }
            State::Dormant { types, until, due } => {
                self.names.insert(name.clone(), State::Dormant { types: types.clone(), until, due });
                Some(Due::Dormant(name, types))
            }
            other => unreachable!("{name} is not due: {other:?}"),
        }
    }

    /// A look has come back.
    pub(super) fn judged(&mut self, name: &Name, now: Moment, judge: impl FnOnce(&mut Pursuit) -> Verdict) -> Verdict {
        let Some(State::Asked { mut pursuit, again }) = self.names.remove(name) else {
            unreachable!("{name} was not looked at")
        };
        let mut verdict = judge(&mut pursuit);
        if again {
            // what it was asked for is past
            pursuit.begin_anew(now);
            (verdict.next, verdict.newly_seen) = (Next::LookAt(now), false);
        }
        match verdict.next {
            Next::LookAt(due) => {
                self.due.insert((due, name.clone()));
                self.names.insert(name.clone(), State::Idle { pursuit, due });
            }
            Next::End(_) => {
                self.lane(name).places += 1;
                self.admit(name, now);
            }
        }
        verdict
    }

    /// Gives places to those who wait where this name does.
    fn admit(&mut self, like: &Name, now: Moment) {
        while self.lane(like).places > 0
            && let Some(name) = self.lane(like).waiting.pop_front()
        {
            self.lane(like).places -= 1;
            let pursuit = Pursuit::new(is_wildcard(&name), now);
            self.due.insert((now, name.clone()));
            self.names.insert(name, State::Idle { pursuit, due: now });
        }
    }

    fn lane(&mut self, name: &Name) -> &mut Lane {
        if is_wildcard(name) { &mut self.wildcards } else { &mut self.plain }
    }
}

/// True if it stands for all names below.
pub(super) fn is_wildcard(name: &Name) -> bool {
    name.as_wire().starts_with(b"\x01*")
}
