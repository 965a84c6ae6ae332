//! What stands ahead of memory: plugins that change questions before memory is asked, or replies that memory gives.
//!
//! ```text
//!   question --> always? --yes--------------------------------------------+
//!                  | no                                                   v
//!                memory --hit--> arrange --> reply          the chain up to memory --> (another) question
//!                  | nothing                                    ^                          |
//!                touches? --yes---------------------------------+                          v
//!                  | no                                                  gates --> memory --> the rest of the chain
//!                  v
//!                the whole chain --> memorised under the question as asked
//! ```
//!
//! What is memorised under a question as it was asked is the proof that nothing ahead of memory touches it: so a hit is as
//! fast with a hundred rules as with none.

use std::fmt::Debug;

use crate::query::Client;
use crate::wire::{Class, EdnsView, RecordType};

/// A plugin that stands ahead of memory.
pub trait Ahead: Send + Sync {
    /// False if [`Ahead::always`] never is true: then hits do not ask.
    fn may_be_first(&self) -> bool {
        true
    }

    /// True for questions that it must see even where memory knows an answer. Asked of every question, so it takes a few
    /// instructions and looks at no name.
    fn always(&self, _client: &Client, _rtype: RecordType) -> bool {
        false
    }

    /// True if what it does depends on who asks: then memorised walks of AutoPath are not for everybody with the same list.
    fn is_personal(&self) -> bool {
        false
    }

    /// True for questions that it changes, or whose replies it changes. Depends on nothing but what is given; asked where
    /// memory knows nothing. `name` is in wire form and lower case.
    fn touches(&self, name: &[u8], rtype: RecordType, class: Class) -> bool;
}

/// Puts the records of a reply in another order, where it lies: hits too. A block without one pays nothing.
pub trait Arranger: Send + Sync {
    /// `reply` is a whole message of ours. Its length stays. No lock, no allocation; what it cannot arrange it leaves.
    fn arrange(&self, reply: &mut [u8]);
}

/// Says whether a server block is for a question at all (`view`), beside its zone.
pub trait Selector: Send + Sync + Debug {
    /// The name of the view, as metrics and logs have it.
    fn view(&self) -> &str;

    /// True if what it says depends on who asks.
    fn is_personal(&self) -> bool {
        true
    }

    /// True if the block is for this question. No lock; asked of every question in zones that have views.
    fn selects(&self, looked: &Looked<'_>) -> bool;
}

/// A question as a [`Selector`] sees it.
#[derive(Clone, Copy, Debug)]
pub struct Looked<'q> {
    /// Who asks.
    pub client: &'q Client,
    /// QNAME in wire form, lower case.
    pub name: &'q [u8],
    /// QTYPE.
    pub rtype: RecordType,
    /// QCLASS.
    pub class: Class,
    /// The client's EDNS.
    pub edns: Option<EdnsView>,
    /// The query's id and flags.
    pub header: (u16, u16),
    /// Octets of the query as it came; 0 for a question of our own.
    pub size: usize,
}
