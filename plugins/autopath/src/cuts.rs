//! What is known of cuts: which names do not exist, until when that is proven, who uses them, and what contradicts them.

use std::cmp::Reverse;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::limits::{CUT_RETRY, CUTS_MAX, STALE_RECHECK};
use contract::wire::{Class, Name, Rcode, RecordType};
use contract::{Blocks, Clock, Context, Moment, Query, Served, Source};
use tokio::sync::Notify;

use crate::counts::Counts;
use crate::cut::{Cut, CutRules, renewed_after};
use crate::off::Off;
use crate::seen::Seen;
use crate::table::{Entry, State, Table, family};

/// A proof with next to no life is not renewed more often than this.
const RENEWALS_APART: Duration = Duration::from_millis(500);

/// All that one directive knows of cuts.
pub(crate) struct Cuts {
    pub(crate) seen: Seen,
    pub(crate) off: Arc<Off>,
    pub(crate) rules: CutRules,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counts: Counts,
    /// Rings when there is something to do before the next thing that is due.
    pub(crate) bell: Notify,
    table: Mutex<Table>,
    jitter: foldhash::fast::RandomState,
}

/// A question of the search for which the cut was learned last, and the blocks that it came through.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) query: Query,
    pub(crate) blocks: Arc<dyn Blocks>,
}

/// A cut to be asked.
pub(crate) struct Job {
    pub(crate) cut: Cut,
    pub(crate) rtype: RecordType,
    pub(crate) way: Way,
}

/// A name that exists below one that does not.
#[derive(Clone)]
pub(crate) struct Suspicion {
    pub(crate) cut: Cut,
    /// The question whose answer shows it.
    pub(crate) way: Way,
    /// Somebody looks into it.
    taken: bool,
}

/// How far a candidate may lean on its cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lean {
    /// Nothing is known: the candidate is asked.
    Unknown,
    /// The cut was denied when it was last asked: it is asked, and the candidate only if it exists by now.
    Denied,
    /// So it was, and it is time to ask the candidate all the same.
    Check,
}

/// What asking a cut said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It does not exist, for so long from now on.
    Denied(Duration),
    /// It exists, or its denial cannot be memorised.
    Useless,
    /// Nothing.
    Failed,
}

impl Cuts {
    pub(crate) fn new(context: &Context, rules: CutRules) -> Self {
        Self {
            seen: Seen::default(),
            off: Arc::new(Off::load(context)),
            rules,
            clock: Arc::clone(&context.clock),
            counts: Counts::new(context),
            bell: Notify::new(),
            table: Mutex::default(),
            jitter: foldhash::fast::RandomState::default(),
        }
    }

    /// True if questions of this kind use cuts: those that pods ask. Other kinds are memorised apart.
    pub(crate) fn suits(query: &Query) -> bool {
        query.class == Class::IN && !query.dnssec_ok && !query.checking_disabled
    }

    /// True if nothing speaks against cuts below this domain.
    pub(crate) fn is_trusted(&self, domain: &Name) -> bool {
        !self.off.has(domain) && !self.table().suspicions.contains_key(domain)
    }

    /// How far a search may lean on a cut; it counts as used.
    pub(crate) fn lean(&self, cut: &Cut, rtype: RecordType) -> Lean {
        let now = self.clock.now();
        let mut table = self.table();
        let Some(entry) = table.entry(cut.name().as_wire(), family(rtype)) else { return Lean::Unknown };
        if !matches!(entry.state, State::Denied(..)) {
            return Lean::Unknown;
        }
        entry.touch(now);
        if std::mem::take(&mut entry.check) { Lean::Check } else { Lean::Denied }
    }

    /// A search found a candidate missing that this cut might have proven missing. It is asked, beside the queries, once
    /// that is of use for more than one look-up: for another name (`by` is its number), or when the search is repeated.
    pub(crate) fn want(&self, cut: &Cut, by: u64, again: bool, query: &Query, blocks: &dyn Blocks) {
        let now = self.clock.now();
        let rtype = family(query.rtype);
        let mut table = self.table();
        let way = || Some(Way { query: query.clone(), blocks: blocks.handle()? });
        if table.entry(cut.name().as_wire(), rtype).is_none() {
            table.tidy(now);
            self.counts.publish(&table);
            let Some(way) = way() else { return };
            if table.known.len() >= CUTS_MAX && !table.known.contains_key(cut.name().as_wire()) {
                return self.counts.refused.increment();
            }
            let state = State::Wanted(by);
            let entry = Entry {
                rtype,
                cut: cut.clone(),
                state,
                due: None,
                busy: false,
                used: now,
                regular: false,
                renewals: 0,
                check: false,
                way,
            };
            table.known.entry(cut.name().as_wire().into()).or_default().push(entry);
            self.counts.publish(&table);
        }
        let entry = table.entry(cut.name().as_wire(), rtype).expect("it is there or was just put there");
        entry.touch(now);
        let wanted = match entry.state {
            State::Wanted(first) => again || first != by,
            State::Useless(until) => now >= until,
            State::Denied(..) => false,
        };
        if wanted && entry.due.is_none() && !entry.busy {
            entry.state = State::Useless(now.after(CUT_RETRY)); // until the answer is there
            if let Some(way) = way() {
                entry.way = way;
            }
            table.plan(cut.name().as_wire(), rtype, now);
            drop(table);
            self.bell.notify_one();
        }
    }

    /// What asking a cut said; `planned` if it was asked because it was due.
    pub(crate) fn note(&self, cut: &Cut, rtype: RecordType, told: Told, planned: bool) {
        let now = self.clock.now();
        let rtype = family(rtype);
        let mut table = self.table();
        let Some(entry) = table.entry(cut.name().as_wire(), rtype) else { return };
        let given_up = if planned { !entry.busy } else { !matches!(entry.state, State::Denied(..)) };
        if given_up {
            return; // it was asked before that, and may have been told by what was past
        }
        let wait = match told {
            Told::Denied(life) => {
                entry.deny(life, now);
                let jitter = self.jitter.hash_one((cut.name().as_wire(), entry.renewals));
                Some(renewed_after(life, jitter).max(life.min(RENEWALS_APART)))
            }
            Told::Useless => {
                entry.state = State::Useless(now.after(CUT_RETRY));
                entry.due = None;
                None
            }
            Told::Failed => Some(STALE_RECHECK).filter(|_| matches!(entry.state, State::Denied(..))),
        };
        entry.busy &= !planned;
        if entry.busy || entry.due.is_some() {
            return; // its next renewal is settled
        }
        if let Some(wait) = wait {
            table.plan(cut.name().as_wire(), rtype, now.after(wait));
            drop(table);
            self.bell.notify_one();
        }
    }

    /// What is due by now, at most `room` of it, and when the next is. What nobody has used for some lives rests.
    pub(crate) fn take_due(&self, room: usize) -> (Vec<Job>, Option<Moment>) {
        let now = self.clock.now();
        let mut table = self.table();
        let mut jobs = Vec::new();
        while jobs.len() < room
            && let Some(Reverse((at, (name, rtype)))) = table.due.peek().cloned()
            && at <= now
        {
            table.due.pop();
            let Some(entry) = table.entry(&name, rtype).filter(|entry| entry.due == Some(at)) else { continue };
            entry.due = None;
            if !entry.is_in_use(now) {
                continue;
            }
            entry.busy = true;
            jobs.push(Job { cut: entry.cut.clone(), rtype, way: entry.way.clone() });
        }
        let next = table.due.peek().map(|Reverse((at, _))| *at);
        (jobs, next)
    }

    /// A reply to anybody that shows that its name exists, though it stands below one that is denied: the cut is off below
    /// that search domain until it is looked into. What memory says shows nothing: it may be older than the denial.
    pub(crate) fn look(&self, query: &Query, served: &Served, blocks: &dyn Blocks) {
        let Ok(reply) = served else { return };
        if reply.answer.rcode() != Rcode::NOERROR || !reply.storable || reply.source == Source::Store {
            return;
        }
        let now = self.clock.now();
        let mut table = self.table();
        let Some(cut) = table.denied_above(query.name.as_wire(), now) else { return };
        if self.off.has(&cut.domain) || table.suspicions.contains_key(&cut.domain) {
            return;
        }
        let Some(blocks) = blocks.handle() else { return };
        let way = Way { query: query.clone(), blocks };
        table.suspicions.insert(cut.domain.clone(), Suspicion { cut, way, taken: false });
        self.counts.publish(&table);
        drop(table);
        self.bell.notify_one();
    }

    /// True if there is anything to contradict.
    pub(crate) fn is_in_use(&self) -> bool {
        !self.table().known.is_empty()
    }

    /// Suspicions that nobody looks into yet.
    pub(crate) fn take_suspicions(&self) -> Vec<Suspicion> {
        let mut table = self.table();
        let new = table.suspicions.values_mut().filter(|one| !one.taken);
        new.map(|one| {
            one.taken = true;
            one.clone()
        })
        .collect()
    }

    /// The name of the cut has come to exist: what was known of it, and what is being asked, is past for all types.
    pub(crate) fn give_up(&self, cut: &Cut) {
        let until = self.clock.now().after(CUT_RETRY);
        for entry in self.table().known.get_mut(cut.name().as_wire()).into_iter().flatten() {
            entry.state = State::Useless(until);
            entry.due = None;
            entry.busy = false;
        }
    }

    /// The end of a suspicion: confirmed, or not.
    pub(crate) fn close(&self, domain: &Name, confirmed: bool) {
        if confirmed {
            self.off.add(domain);
            self.counts.contradictions.increment();
        }
        let mut table = self.table();
        table.suspicions.remove(domain);
        self.counts.publish(&table);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Cuts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cuts").field("known", &self.table().known.len()).finish_non_exhaustive()
    }
}
