//! The step of the chain: which section a name belongs to, and to whom it is handed on.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use contract::wire::{Name, Rcode};
use contract::{Blocks, Boxed, Next, Plugin, Query, Reply, Served, Standing};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::chain::{Place, Places};
use crate::section::Section;

/// The work beside the queries begins anew so long after it ended.
const ANEW_AFTER: Duration = Duration::from_secs(5);

/// All private zones of a server block at work.
#[derive(Debug)]
pub(crate) struct PrivateZone {
    sections: Vec<Section>,
    /// The way into the server blocks.
    blocks: Handle,
}

/// The server blocks, once they are there.
#[derive(Default)]
struct Handle {
    blocks: OnceLock<Arc<dyn Blocks>>,
    attached: Notify,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("attached", &self.blocks.get().is_some()).finish()
    }
}

impl PrivateZone {
    pub(crate) fn new(sections: Vec<Section>) -> Self {
        Self { sections, blocks: Handle::default() }
    }

    /// The sections that a name belongs to, the one with the longest zone first.
    fn sections(&self, name: &Name) -> Vec<&Section> {
        let mut found: Vec<_> =
            self.sections.iter().filter_map(|section| Some((section.depth(name)?, section))).collect();
        found.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
        found.into_iter().map(|(_, section)| section).collect()
    }

    /// The work on one section beside the queries, begun anew if it panics.
    async fn care(self: Arc<Self>, index: usize, blocks: Arc<dyn Blocks>) {
        loop {
            let (this, blocks) = (Arc::clone(&self), Arc::clone(&blocks));
            let mut work = JoinSet::new();
            work.spawn(async move { this.sections[index].run(blocks).await });
            let _ = work.join_next().await;
            tracing::error!("privatezone: the work on a zone ended; it begins anew in {} s", ANEW_AFTER.as_secs());
            tokio::time::sleep(ANEW_AFTER).await;
        }
    }

    async fn ask(&self, sections: Vec<&Section>, query: &Query, next: Next<'_>) -> Served {
        let blocks = next.blocks();
        let mut denial: Option<Reply> = None;
        for section in sections {
            let reply = section.serve(query, blocks, &Seen { zone: self, section, blocks }).await?;
            if !section.hands_on(query, &reply) {
                return Ok(resting_on(denial.as_ref(), reply));
            }
            section.handed_on(query);
            denial = Some(resting_on(denial.as_ref(), reply));
        }
        match denial {
            Some(denial) if next.name().is_none() => Ok(denial),
            denial => Ok(resting_on(denial.as_ref(), next.serve(query).await?)),
        }
    }
}

/// Whose name the target of a CNAME is, as seen from a section.
struct Seen<'s> {
    zone: &'s PrivateZone,
    section: &'s Section,
    blocks: &'s dyn Blocks,
}

impl Places for Seen<'_> {
    fn place(&self, target: &Name) -> Place {
        match self.zone.sections(target).first() {
            Some(first) if std::ptr::eq(*first, self.section) => Place::Here,
            Some(_) => Place::Private,
            None if !self.blocks.is_same_block(target, target) => Place::Outside, // nobody here answers for it
            None if self.blocks.is_same_block(target, &Name::root()) => Place::Outside,
            None => Place::Block,
        }
    }

    fn is_same_block(&self, one: &Name, other: &Name) -> bool {
        self.blocks.is_same_block(one, other)
    }
}

/// A reply that holds no longer than the denial for which somebody else was asked.
fn resting_on(denial: Option<&Reply>, reply: Reply) -> Reply {
    if !matches!(reply.answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
        return reply; // a failure rests on nothing, and is brief by itself
    }
    let lifetime =
        [denial.map(|denial| denial.true_for().unwrap_or_default()), reply.lifetime].into_iter().flatten().min();
    Reply { lifetime, ..reply }
}

impl Plugin for PrivateZone {
    fn name(&self) -> &'static str {
        "privatezone"
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        let sections = self.sections(&query.name);
        if sections.is_empty() {
            return next.serve(query);
        }
        Box::pin(self.ask(sections, query, next))
    }

    fn standings(&self) -> Vec<Standing> {
        self.sections.iter().flat_map(Section::standings).collect()
    }

    fn attach(&self, blocks: Arc<dyn Blocks>) {
        // one will do: what is memorised has the same key behind each listener
        if self.blocks.blocks.set(blocks).is_ok() {
            self.blocks.attached.notify_one();
        }
    }

    fn run(self: Arc<Self>) -> Boxed<'static, ()> {
        Box::pin(async move {
            let blocks = loop {
                match self.blocks.blocks.get() {
                    Some(blocks) => break Arc::clone(blocks),
                    None => self.blocks.attached.notified().await,
                }
            };
            let mut work = JoinSet::new();
            for index in 0..self.sections.len() {
                let (this, blocks) = (Arc::clone(&self), Arc::clone(&blocks));
                work.spawn(this.care(index, blocks));
            }
            work.join_all().await;
        })
    }
}

#[cfg(test)]
mod tests {
    use contract::wire::{Class, RecordType};
    use contract::{Answer, Source};

    use super::*;

    #[test]
    fn a_failure_rests_on_no_denial() {
        let name = Name::parse("a.example").unwrap();
        let reply = |rcode| Reply::fresh(Answer::empty(&name, RecordType::A, Class::IN, rcode), Source::Store);
        let denial = reply(Rcode::NXDOMAIN); // without an SOA: it is not known how long it holds
        let lifetime = |rcode| resting_on(Some(&denial), reply(rcode)).lifetime;
        assert_eq!((lifetime(Rcode::NOERROR), lifetime(Rcode::SERVFAIL)), (Some(Duration::ZERO), None));
    }
}
