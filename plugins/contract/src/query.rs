//! A question on the miss path: owned, so that it can outlive the packet it came in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::clock::Moment;
use crate::failure::Failure;
use crate::limits;
use crate::scope::Scope;
use crate::story::{Step, Story, What};
use crate::wire::{Class, EdnsView, Name, RecordType};
use tokio::time::Instant;

/// How a question came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)] // RFC 9499's names
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    Https,
}

impl Transport {
    /// As CoreDNS's log and metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Https => "https",
        }
    }
}

/// Who asks, and over what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Client {
    /// The client's address and port.
    pub address: SocketAddr,
    /// Our address that was asked.
    pub local: SocketAddr,
    /// How.
    pub transport: Transport,
}

impl Client {
    /// The client's IP; an IPv4 address that came through an IPv6 socket is given as IPv4.
    pub fn ip(&self) -> IpAddr {
        self.address.ip().to_canonical()
    }
}

/// Where a question stands with the plugins ahead of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Past {
    /// They have not seen it, or it does not concern them.
    #[default]
    Not,
    /// They are done with it, and as it is now it would not concern them: memorised for everybody who asks so.
    Shared,
    /// They are done with it, but whoever asks it as it is now would be answered otherwise: memorised apart.
    Own,
}

/// EDNS options in wire form: one behind the other, each with code and length (RFC 6891 6.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What the client sent; absent if that was nothing.
    pub asked: Option<Arc<[u8]>>,
    /// What is to be sent to upstreams along with the question. A question that enters memory with some, and be they none
    /// (which others who ask the same may have), is not answered by memory, not shared, and not memorised.
    pub sent: Option<Arc<[u8]>>,
    /// What is sent is what goes along with this question whoever asks it: memory is asked all the same, and memorises.
    pub for_all: bool,
}

impl Options {
    /// The same without what is sent: for another question of the same client.
    #[must_use]
    pub fn unsent(&self) -> Self {
        Self { asked: self.asked.clone(), sent: None, for_all: false }
    }

    /// True if the answer is the same for all who ask: nothing is sent along that others would not send.
    pub fn are_shared(&self) -> bool {
        self.sent.is_none() || self.for_all
    }
}

/// A question to the plugin chain.
#[derive(Clone, Debug)]
pub struct Query {
    /// QNAME in lower case.
    pub name: Name,
    /// QTYPE.
    pub rtype: RecordType,
    /// QCLASS.
    pub class: Class,
    /// DO: the client wants DNSSEC records.
    pub dnssec_ok: bool,
    /// CD: the client checks by itself.
    pub checking_disabled: bool,
    /// For whom an answer will hold.
    pub scope: Scope,
    /// Who asks.
    pub client: Client,
    /// The client's own EDNS, as sent.
    pub edns: Option<EdnsView>,
    /// The flags of the client's header, and the id, for logs.
    pub header: (u16, u16),
    /// When it came.
    pub arrived: Moment,
    /// How often it has entered the server blocks anew.
    pub reentries: u8,
    /// It renews an answer that is being served: nobody waits, and stored facts in the second half of their life are
    /// asked for again.
    pub refresh: bool,
    /// The names whose CNAMEs led here, QNAME first; `None` if it is not the target of a CNAME.
    pub chased: Option<Arc<[Name]>>,
    /// Whether the plugins ahead of memory are done with it.
    pub past: Past,
    /// EDNS options beside those that [`EdnsView`] tells.
    pub options: Options,
    /// Where its steps are told, if somebody wants to know.
    pub story: Option<Arc<Story>>,
}

impl Query {
    /// The same client's question for another name, entering the server blocks anew as if the pod had asked it.
    pub fn candidate(&self, name: Name, rtype: RecordType) -> Self {
        let reentries = self.reentries + 1;
        let (past, options) = (Past::Not, self.options.unsent());
        Self { name, rtype, scope: Scope::Shared, reentries, chased: None, past, options, ..self.clone() }
    }

    /// The same client's question for the target of a CNAME, which stands behind `links`: owners of CNAMEs, the name of this
    /// question first. It enters the server blocks anew. An error if the target was passed already, or if the chain gets
    /// longer than [`limits::CHASED_LINKS_MAX`].
    pub fn chase(&self, links: &[Name], target: Name) -> Result<Self, Failure> {
        let passed: Arc<[Name]> = self.chased.iter().flat_map(|names| names.iter()).chain(links).cloned().collect();
        if passed.contains(&target) {
            return Err(Failure::CnameLoop { at: target.to_string() });
        }
        if passed.len() > limits::CHASED_LINKS_MAX {
            return Err(Failure::CnameTooLong { most: limits::CHASED_LINKS_MAX });
        }
        let (past, options) = (Past::Not, self.options.unsent());
        Ok(Self { name: target, scope: Scope::Shared, chased: Some(passed), past, options, ..self.clone() })
    }

    /// The time, if its steps are told: to be given to [`Query::tell_since`].
    pub fn step_begins(&self) -> Option<Instant> {
        self.story.as_ref().map(|_| Instant::now())
    }

    /// Tells a step that is over at once. Without a story nothing is done.
    pub fn tell(&self, what: impl FnOnce() -> What) {
        self.tell_since(self.step_begins(), what);
    }

    /// Tells a step that began at [`Query::step_begins`] and ends now.
    pub fn tell_since(&self, begun: Option<Instant>, what: impl FnOnce() -> What) {
        let Some((story, begun)) = self.story.as_ref().zip(begun) else { return };
        let depth = self.reentries.saturating_add(u8::from(self.chased.is_some()));
        story.add(Step {
            name: self.name.clone(),
            rtype: self.rtype,
            depth,
            begun: begun.saturating_duration_since(story.begun()),
            took: begun.elapsed(),
            what: what(),
        });
    }
}
