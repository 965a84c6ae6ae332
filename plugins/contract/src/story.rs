//! What happened to a question on its way, step by step: kept only where somebody wants to know (`+nsid`, `explain`, `trace`).
//!
//! ```text
//!   block --> scope --> gate --> memory --> candidates (each: block, gate, memory, ...) --> plugins --> upstreams --> reply
//! ```
//!
//! A question without a story pays for it with one look at a pointer.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::STORY_STEPS_MAX;
use crate::plugin::{Source, Verdict};
use crate::scope::{ListId, SearchList};
use crate::wire::{Name, Rcode, RecordType};

/// The steps of one question, and of those that it led to.
#[derive(Debug)]
pub struct Story {
    begun: Instant,
    /// The search list that its question is asked with, where somebody asks on behalf of others.
    list: Option<Arc<SearchList>>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    steps: Vec<Step>,
    left_out: usize,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The name that was asked for in this step: a candidate of AutoPath and the target of a CNAME have their own.
    pub name: Name,
    /// The type.
    pub rtype: RecordType,
    /// How often the question had entered the server blocks anew.
    pub depth: u8,
    /// When it began, since the story did.
    pub begun: Duration,
    /// How long it took; zero for what is known at once.
    pub took: Duration,
    /// What happened.
    pub what: What,
}

/// What happened in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It entered the server block of the longest zone.
    Block {
        /// The block's zones, as written in its key.
        zones: String,
    },
    /// An access list spoke.
    Gate {
        /// What it said; never [`Verdict::Allow`].
        verdict: Verdict,
    },
    /// Memory answered, or had something.
    Remembered(Recall),
    /// Somebody else asked the same at that moment, and was waited for.
    Coalesced,
    /// A plugin did something by itself.
    Plugin {
        /// The directive.
        name: &'static str,
        /// What it did.
        text: Cow<'static, str>,
    },
    /// AutoPath judged a candidate.
    Candidate {
        /// Its place in the search, from 1 on.
        position: u8,
        /// How many candidates there are.
        of: u8,
        /// The candidate.
        name: Name,
        /// What became of it: `answers`, `does not exist`, `exists, without such records`, `failed`; and how that is known.
        result: Cow<'static, str>,
    },
    /// An upstream was asked.
    Asked {
        /// Who.
        upstream: SocketAddr,
        /// Over what: `udp`, `tcp`, `tls`.
        protocol: &'static str,
        /// True if it was asked because another one was slow.
        hedge: bool,
        /// What it said, or why it said nothing.
        outcome: Result<Rcode, String>,
    },
}

/// What memory had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recall {
    /// What it was good for.
    pub state: Recalled,
    /// How long it has been memorised.
    pub age: Duration,
    /// How long it is true from the time that it was memorised.
    pub life: Duration,
    /// Who said it.
    pub source: Source,
    /// Which candidate of a search it is the answer of.
    pub decided: Decided,
}

/// What became of a memorised answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recalled {
    /// True, and told.
    Fresh,
    /// Past its end, and told.
    Stale,
    /// Past its end: upstream is asked first, and it is told if that fails.
    Kept,
    /// A failure that is not asked for again yet (RFC 9520).
    Failed,
}

/// Which candidate of a search an answer is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decided {
    /// No search was walked.
    #[default]
    NoSearch,
    /// The candidate in this place, from 1 on.
    Candidate(u8),
    /// No candidate exists.
    Nobody,
}

impl Decided {
    /// As one octet.
    pub fn number(self) -> u8 {
        match self {
            Self::NoSearch => 0,
            Self::Candidate(place) => place.clamp(1, u8::MAX - 1),
            Self::Nobody => u8::MAX,
        }
    }

    /// Out of [`Decided::number`].
    pub fn from_number(number: u8) -> Self {
        match number {
            0 => Self::NoSearch,
            u8::MAX => Self::Nobody,
            place => Self::Candidate(place),
        }
    }
}

impl Story {
    /// A story that begins now.
    pub fn begin() -> Self {
        Self::begin_as(None)
    }

    /// The same of a question that is asked as somebody with this search list would: a scope with its number means it, whether
    /// or not anybody has it.
    pub fn begin_as(list: Option<Arc<SearchList>>) -> Self {
        Self { begun: Instant::now(), list, told: Mutex::default() }
    }

    /// The list with this number, if the question is asked with it.
    pub fn list(&self, id: ListId) -> Option<&Arc<SearchList>> {
        self.list.as_ref().filter(|list| list.id == id)
    }

    /// Adds a step. Beyond [`STORY_STEPS_MAX`] they are only counted.
    pub fn add(&self, step: Step) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match told.steps.len() < STORY_STEPS_MAX {
            true => told.steps.push(step),
            false => told.left_out += 1,
        }
    }

    /// When it began.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// The steps so far, in the order of their ends, and how many there was no room for.
    pub fn steps(&self) -> (Vec<Step>, usize) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        (told.steps.clone(), told.left_out)
    }
}
