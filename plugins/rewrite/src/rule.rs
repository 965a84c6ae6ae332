//! Rules as they were checked: each in its place, nothing looked up yet.

use std::borrow::Cow;

use contract::wire::{Class, Rcode, RecordType};

use crate::edns::EdnsRule;
use crate::swap::{Find, Swap};

/// One `rewrite`.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// No later rule is asked once this one did something.
    pub(crate) is_last: bool,
    pub(crate) action: Action,
}

/// What a rule does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Asks for another name.
    Name(NameRule),
    /// Asks for another type.
    Type { from: RecordType, to: RecordType },
    /// Asks in another class.
    Class { from: Class, to: Class },
    /// Says something about EDNS to upstreams.
    Edns(EdnsRule),
    /// Changes the reply if this is found in the question's name.
    Reply { find: Find, change: Change },
    /// Changes the reply to every question.
    Every { change: Change },
}

/// Asks for another name, and undoes that in the reply as far as it is told to.
#[derive(Clone, Debug)]
pub(crate) struct NameRule {
    pub(crate) swap: Swap,
    /// Owners and values in the reply that lie at or below the new name get the old one back.
    pub(crate) restores: bool,
    /// What else happens to names in the reply.
    pub(crate) changes: Vec<Change>,
}

/// What happens to a reply.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// To owners of records.
    Owner(Swap),
    /// To the names that records point to.
    Value(Swap),
    /// TTLs are brought between these, seconds.
    Ttl { min: u32, max: u32 },
    /// One RCODE becomes another.
    Rcode { from: Rcode, to: Rcode },
    /// A CNAME leads elsewhere, and what is there is looked up.
    Target(Swap),
}

/// A change that a question brought about.
pub(crate) type Due<'r> = Cow<'r, Change>;

impl Action {
    /// Its field, as it is written.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Type { .. } => "type",
            Self::Class { .. } => "class",
            Self::Edns(_) => "edns0",
            Self::Reply { change, .. } | Self::Every { change } => match change {
                Change::Ttl { .. } => "ttl",
                Change::Rcode { .. } => "rcode",
                Change::Target(_) => "cname",
                Change::Owner(_) | Change::Value(_) => "answer",
            },
        }
    }

    /// True if it does something to every question, whatever the name and whoever asks.
    pub(crate) fn is_unconditional(&self) -> bool {
        match self {
            Self::Every { .. } => true,
            Self::Edns(rule) => rule.is_unconditional(),
            Self::Name(_) | Self::Type { .. } | Self::Class { .. } | Self::Reply { .. } => false,
        }
    }

    /// True if what it does depends on who asks.
    pub(crate) fn is_personal(&self) -> bool {
        matches!(self, Self::Edns(rule) if rule.is_personal())
    }
}
