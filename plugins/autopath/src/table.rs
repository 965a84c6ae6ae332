//! The table of cuts: one entry for each name and type, its state, and when it is due.
//!
//! ```text
//!                 a second search wants it            NXDOMAIN
//!   Wanted --------------------------------> due ------------------> Denied --due, in use--> renewed
//!                                             |  exists, or no proof    |  `--due, not used--> rests, known
//!                                             v                         v  a name below it exists
//!                                           Useless, for a while      Suspicion: off at once --care looks again--> off | on
//! ```

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use contract::Moment;
use contract::limits::{CUT_CHECK_EVERY, CUT_RETRY, CUT_USED_WITHIN_LIVES, CUTS_MAX};
use contract::wire::{Name, RecordType};

use crate::cut::Cut;
use crate::cuts::{Suspicion, Way};

/// Uses no further apart than this are one: a look-up asks for two address families, and asks again when it waits.
const ONE_LOOK_UP: Duration = Duration::from_secs(1);

/// A cut's name in wire form, and the type that it denies; A stands for both address families.
pub(crate) type Key = (Box<[u8]>, RecordType);

/// All of them, and what is to be done when.
#[derive(Default)]
pub(crate) struct Table {
    /// By the name, then by type: what contradicts one type contradicts all.
    pub(crate) known: HashMap<Box<[u8]>, Vec<Entry>, foldhash::quality::RandomState>,
    /// What was planned, soonest first; what an entry no longer says is passed over.
    pub(crate) due: BinaryHeap<Reverse<(Moment, Key)>>,
    /// By search domain.
    pub(crate) suspicions: HashMap<Name, Suspicion>,
    /// When what nobody uses was last forgotten.
    pub(crate) tidied: Moment,
}

/// A cut for one type.
pub(crate) struct Entry {
    pub(crate) rtype: RecordType,
    pub(crate) cut: Cut,
    pub(crate) state: State,
    /// When it is to be asked; absent while that is under way, and while it rests.
    pub(crate) due: Option<Moment>,
    /// It is being asked because it was due.
    pub(crate) busy: bool,
    /// When somebody last leaned on it or wanted it.
    pub(crate) used: Moment,
    /// It is used again and again: then it is worth renewing ahead.
    pub(crate) regular: bool,
    pub(crate) renewals: u32,
    /// The next search that leans on it asks its candidate in full as well.
    pub(crate) check: bool,
    pub(crate) way: Way,
}

/// What is known of it.
pub(crate) enum State {
    /// A search, by its name's number, would have been shorter with it.
    Wanted(u64),
    /// It does not exist, and that is true until then; and how long it was when it was new.
    Denied(Moment, Duration),
    /// It exists, or nobody can prove that it does not. Not asked before then.
    Useless(Moment),
}

impl Table {
    pub(crate) fn entry(&mut self, name: &[u8], rtype: RecordType) -> Option<&mut Entry> {
        self.known.get_mut(name)?.iter_mut().find(|entry| entry.rtype == rtype)
    }

    /// Says when an entry is to be asked.
    pub(crate) fn plan(&mut self, name: &[u8], rtype: RecordType, at: Moment) {
        let Some(entry) = self.entry(name, rtype) else { return };
        entry.due = Some(at);
        self.due.push(Reverse((at, (name.into(), rtype))));
    }

    /// A cut above a name that is denied at this moment.
    pub(crate) fn denied_above(&self, name: &[u8], now: Moment) -> Option<Cut> {
        let mut above = name;
        loop {
            let length = usize::from(*above.first()?);
            above = above.get(1 + length..).filter(|_| length > 0)?;
            let entries = self.known.get(above).into_iter().flatten();
            let denied = |entry: &&Entry| matches!(entry.state, State::Denied(until, _) if now < until);
            if let Some(entry) = entries.into_iter().find(denied) {
                return Some(entry.cut.clone());
            }
        }
    }

    /// When there are many: forgets what is not in use, at most once a second.
    pub(crate) fn tidy(&mut self, now: Moment) {
        if self.known.len() >= CUTS_MAX && now.since(self.tidied) >= Duration::from_secs(1) {
            self.tidied = now;
            self.known.retain(|_, entries| {
                entries.iter().any(|entry| entry.busy || entry.due.is_some() || entry.is_in_use(now))
            });
        }
    }
}

impl Entry {
    /// Takes a denial in. It is a renewal if it lasts longer than what was known, and not the first one.
    pub(crate) fn deny(&mut self, life: Duration, now: Moment) {
        let until = now.after(life);
        let before = match self.state {
            State::Denied(until, whole) => Some((until, whole)),
            State::Wanted(_) | State::Useless(_) => None,
        };
        // to the second: the age of what memory says is told in whole ones
        let renewed = before.is_some_and(|(before, _)| until > before.after(Duration::from_secs(1)));
        self.renewals = self.renewals.wrapping_add(u32::from(renewed));
        self.check |= renewed && self.renewals.is_multiple_of(CUT_CHECK_EVERY);
        let whole = before.filter(|_| !renewed).map_or(life, |(_, whole)| whole.max(life));
        self.state = State::Denied(until, whole);
    }

    /// Marks a use.
    pub(crate) fn touch(&mut self, now: Moment) {
        let gap = now.since(self.used);
        if gap > ONE_LOOK_UP {
            self.regular = matches!(self.state, State::Denied(..)) && gap <= self.grace();
            self.used = now;
        }
    }

    /// True if it is used again and again and was so lately, or somebody waits for its first word.
    pub(crate) fn is_in_use(&self, now: Moment) -> bool {
        (self.regular || !matches!(self.state, State::Denied(..))) && now.since(self.used) <= self.grace()
    }

    /// A cut that was not used for so long is let go.
    pub(crate) fn grace(&self) -> Duration {
        match self.state {
            State::Denied(_, life) => life * CUT_USED_WITHIN_LIVES,
            State::Wanted(_) | State::Useless(_) => CUT_RETRY,
        }
    }
}

/// Both address families decide alike, so they are one.
pub(crate) fn family(rtype: RecordType) -> RecordType {
    if rtype == RecordType::AAAA { RecordType::A } else { rtype }
}
