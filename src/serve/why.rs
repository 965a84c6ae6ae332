//! Why a name gets the answer that it gets: the first question that a client's stub resolver sends for it, asked here and now, with
//! everything that happens to it on its way.
//!
//! ```text
//!   Typed --dots, ndots, first search domain--> first question --gates--> Entrance::answer --Story--> Why
//!                                                                  '--out of memory as a whole: walked once more, past it
//! ```

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use contract::limits::ANSWER_WITHIN;
use contract::wire::{Class, Flags, Name, RecordType};
use contract::{
    Client, Failure, Known, Plain, Plugin, PodIndex, Query, Recall, Recalled, Resident, Scope, Served, Source, Step,
    Story, What,
};
use tokio::time::{Instant, timeout_at};

use super::ahead::Asking;
use super::block::Block;
use super::entrance::Entrance;
use super::way::{self, Asked};
use super::zones::Zones;

/// Whose search list counts.
#[derive(Clone, Debug)]
pub enum Who {
    /// Whoever has the client's address.
    Itself,
    /// Somebody with this search list, wherever the question comes from.
    List(Resident),
}

/// A name as a program gives it to its stub resolver.
#[derive(Clone, Debug)]
pub struct Typed {
    /// The name.
    pub name: Name,
    /// What is asked about it.
    pub rtype: RecordType,
    /// True if it was written with a dot at its end: then no list is searched.
    pub is_absolute: bool,
    /// True if the client wants signatures (DO): then nobody searches for it.
    pub dnssec_ok: bool,
}

/// What happened to a question.
pub struct Why {
    /// The search list that counted, and whose it is.
    pub resident: Option<Resident>,
    /// Why there is none; absent where no block has AutoPath.
    pub absent: Option<Plain>,
    /// The first question that the stub sends; its scope says whether AutoPath searches.
    pub query: Query,
    /// Why the question is no first step of a search, where its block has AutoPath.
    pub plain: Option<Plain>,
    /// The server block that it enters.
    pub block: Option<Arc<Block>>,
    /// Its steps, the walk among them.
    pub story: Arc<Story>,
    /// The end.
    pub served: Served,
    /// How long that took, without the second walk.
    pub took: Duration,
}

/// A candidate of the walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Its place, from 1 on.
    pub position: u8,
    /// How many candidates there are.
    pub of: u8,
    /// The candidate.
    pub name: Name,
    /// What became of it, and whether memory knew that or somebody was asked.
    pub result: String,
}

impl Entrance {
    /// Asks what a stub resolver of that client would ask first, and tells everything that happens. Takes no longer than
    /// [`ANSWER_WITHIN`]. The gates speak of the client; to be called under a bound, such as the turnstile's.
    pub async fn why(&self, client: Client, who: Who, typed: &Typed) -> Why {
        let known = match &who {
            Who::Itself => self.0.known(&client).map(|(_, known)| known),
            Who::List(resident) => Some(Ok(resident.clone())),
        };
        let (resident, absent) = match known {
            Some(Ok(resident)) => (Some(resident), None),
            Some(Err(plain)) => (None, Some(plain)),
            None => (None, None),
        };
        let name = first_question(resident.as_ref(), typed);
        let block = self.0.find_as(&client, name.as_wire(), typed.rtype).cloned();
        let (scope, mut plain) = match (&block, &who) {
            (Some(block), Who::Itself) => block.scope(client.ip(), name.as_wire(), typed.rtype, typed.dnssec_ok),
            (Some(block), Who::List(resident)) => {
                block.scope_as(resident, name.as_wire(), typed.rtype, typed.dnssec_ok)
            }
            (None, _) => (Scope::Shared, None),
        };
        let story = Arc::new(Story::begin_as(resident.as_ref().map(|resident| Arc::clone(&resident.list))));
        let query = self.question(client, scope, (name, typed), &story);
        let until = Instant::now() + ANSWER_WITHIN;
        let too_late = Err(Failure::TooLate { waited: ANSWER_WITHIN });
        let served = timeout_at(until, self.as_asked(block.as_ref(), &query)).await.unwrap_or(too_late);
        let took = story.begun().elapsed();
        if let Some(block) = &block {
            let list = resident.as_ref().map(|resident| &resident.list).filter(|_| scope != Scope::Shared);
            if list.is_some_and(|list| !self.0.gates_let_pass(list, &client, query.name.as_wire(), query.rtype)) {
                plain = Some(Plain::Gate);
            }
            let is_told = served.as_ref().is_ok_and(|reply| reply.source != Source::Plugin("acl"));
            if scope != Scope::Shared && is_told && !was_walked(&story) {
                // memory had the end of the walk: what it is made of is seen by walking
                let _ = timeout_at(until, self.ask(block, &query, None)).await;
            }
        }
        Why { resident, absent, query, plain, block, story, served, took }
    }

    fn question(&self, client: Client, scope: Scope, (name, typed): (Name, &Typed), story: &Arc<Story>) -> Query {
        Query {
            name,
            rtype: typed.rtype,
            class: Class::IN,
            dnssec_ok: typed.dnssec_ok,
            checking_disabled: false,
            scope,
            client,
            edns: None,
            header: (0, Flags::RD),
            arrived: self.0.shared().clock.now(),
            reentries: 0,
            refresh: false,
            chased: None,
            past: contract::Past::Not,
            options: contract::Options::default(),
            story: Some(Arc::clone(story)),
        }
    }

    /// As the front door does it: gates, then memory and the chain.
    async fn as_asked(&self, block: Option<&Arc<Block>>, query: &Query) -> Served {
        let Some(block) = block else {
            return Err(Failure::NoBlock { name: query.name.to_string() });
        };
        query.tell(|| What::Block { zones: block.label() });
        match self.enter(Arc::clone(block), query.clone(), Asking::AsUsual).await {
            Err(Failure::Silent) => Err(Failure::Prohibited),
            served => served,
        }
    }
}

impl Zones {
    /// Whoever has the client's address, as the blocks with AutoPath know it: the first that knows somebody, and its index.
    /// `None` without such blocks.
    pub fn known(&self, client: &Client) -> Option<(&Arc<PodIndex>, Known)> {
        let mut first = None;
        for index in self.indexes() {
            let known = index.at(client.ip(), Resident::clone);
            if known.is_ok() {
                return Some((index, known));
            }
            first = first.or(Some((index, known)));
        }
        first
    }

    /// Who has which address, as each block with AutoPath knows it, the longest zone first.
    pub fn indexes(&self) -> impl Iterator<Item = &Arc<PodIndex>> {
        let scopers = self.blocks().filter_map(|block| block.scoper.as_deref().and_then(Plugin::scoper));
        scopers.filter_map(|scoper| scoper.index())
    }
}

impl Why {
    /// AutoPath's candidates in the order of their places, as far as they were judged.
    pub fn walk(&self) -> Vec<Walked> {
        let (steps, _) = self.story.steps();
        let mut walk: Vec<Walked> = Vec::new();
        for step in &steps {
            let What::Candidate { position, of, name, result } = &step.what else { continue };
            if step.depth > 0 || walk.iter().any(|walked| walked.position == *position) {
                continue;
            }
            let result = format!("{result}; {}", how_known(&steps, name, self.query.rtype));
            walk.push(Walked { position: *position, of: *of, name: name.clone(), result });
        }
        walk.sort_by_key(|walked| walked.position);
        walk
    }

    /// The way in a line, as `+nsid` tells it.
    pub fn way(&self) -> String {
        let Some(block) = &self.block else { return "refused; no server block".to_owned() };
        let is_searched = self.query.scope != Scope::Shared;
        let candidates = self.resident.as_ref().filter(|_| is_searched).map(|one| one.list.domains.len() + 1);
        let asked = Asked { block: block.label(), candidates, plain: self.plain };
        let (steps, _) = self.story.steps();
        let own = steps.iter().find_map(|step| match &step.what {
            What::Remembered(recall) if step.depth == 0 => Some(recall),
            _ => None,
        });
        match own {
            Some(recall @ Recall { state: Recalled::Fresh | Recalled::Stale, .. }) => way::of_hit(recall, &asked),
            _ => way::of_story(&self.story, &self.served, self.took, &asked),
        }
    }
}

/// The name that a stub resolver sends first (resolv.conf(5)): with fewer dots than `ndots` the search list comes before the name
/// itself. A name that gets too long is passed over.
fn first_question(resident: Option<&Resident>, typed: &Typed) -> Name {
    let wire = typed.name.as_wire();
    let labels = &wire[..wire.len() - 1];
    let dots = typed.name.label_count().saturating_sub(1);
    let searches = |resident: &&Resident| !typed.is_absolute && !labels.is_empty() && dots < resident.ndots.into();
    let domains = resident.filter(searches).map(|resident| resident.list.domains.iter());
    domains.into_iter().flatten().find_map(|domain| Name::join(labels, domain)).unwrap_or_else(|| typed.name.clone())
}

fn was_walked(story: &Story) -> bool {
    story.steps().0.iter().any(|step| step.depth == 0 && matches!(step.what, What::Candidate { .. }))
}

/// Whether memory knew what a candidate came to, or who was asked.
fn how_known(steps: &[Step], candidate: &Name, rtype: RecordType) -> String {
    let mut known = String::new();
    let own = steps.iter().filter(|step| step.depth > 0 && step.name == *candidate && step.rtype == rtype);
    for step in own {
        let told = match &step.what {
            What::Remembered(Recall { age, life, .. }) => {
                write!(known, "memory, age {}s of {}", age.as_secs(), life.as_secs())
            }
            What::Coalesced => write!(known, "asked by somebody else at that moment"),
            What::Asked { upstream, protocol, .. } => write!(known, "asked {protocol} {upstream}"),
            What::Gate { verdict } => write!(known, "acl {}", format!("{verdict:?}").to_lowercase()),
            What::Block { .. } | What::Plugin { .. } | What::Candidate { .. } => continue,
        };
        told.expect("a string takes all");
        return known;
    }
    let entered = steps.iter().any(|step| step.depth > 0 && step.name == *candidate);
    if entered { "asked".to_owned() } else { "by what is known above it".to_owned() }
}
