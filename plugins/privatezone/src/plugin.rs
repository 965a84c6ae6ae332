//! The step of the chain: which section a name belongs to, and to whom it is handed on.

use std::sync::{Arc, OnceLock};

use contract::wire::Name;
use contract::{Blocks, Boxed, Next, Plugin, Query, Reply, Served};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::chain::Place;
use crate::section::Section;

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

    /// Whose name the target of a CNAME is, as seen from a section.
    fn place(&self, section: &Section, target: &Name, blocks: &dyn Blocks) -> Place {
        let is_first = |one: &&Section| std::ptr::eq(*one, section);
        match self.sections(target).first() {
            Some(first) if is_first(first) => Place::Here,
            Some(_) => Place::Elsewhere,
            None if !blocks.is_same_block(target, target) => Place::Outside, // nobody here answers for it
            None if blocks.is_same_block(target, &Name::root()) => Place::Outside,
            None => Place::Elsewhere,
        }
    }

    async fn ask(&self, sections: Vec<&Section>, query: &Query, next: Next<'_>) -> Served {
        let blocks = next.blocks();
        let mut denial: Option<Reply> = None;
        for section in sections {
            let owner = |target: &Name| self.place(section, target, blocks);
            let reply = section.serve(query, blocks, &owner).await?;
            if !section.hands_on(query, &reply) {
                return Ok(resting_on(denial.as_ref(), reply));
            }
            section.handed_on();
            denial = Some(resting_on(denial.as_ref(), reply));
        }
        match denial {
            Some(denial) if next.name().is_none() => Ok(denial),
            denial => Ok(resting_on(denial.as_ref(), next.serve(query).await?)),
        }
    }
}

/// A reply that holds no longer than the denial for which somebody else was asked.
fn resting_on(denial: Option<&Reply>, reply: Reply) -> Reply {
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
                work.spawn(async move { this.sections[index].run(blocks).await });
            }
            while let Some(ended) = work.join_next().await {
                ended.unwrap_or_else(|error| tracing::error!("privatezone: the work on a zone ended: {error}"));
            }
        })
    }
}
