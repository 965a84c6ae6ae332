//! What is done with the cluster's word on what ExternalDNS publishes.
//!
//! ```text
//!   Published --a name has changed--> Pursuit: asks the resolver until it shows that, then Blocks::renew and Blocks::forget
//!             --was_withdrawn--------> the name has not vanished for a moment: it was meant
//!             --covering-------------> an answer made of an object, while nobody else answers
//!
//!   the resolver's answers --> Sightings: since when the zone shows it
//!                          --> Linked: names inside of chains, which pods rest on without asking for them
//! ```

mod changed;
mod chase;
mod counts;
mod data;
mod forgetting;
mod linked;
mod look;
mod made;
mod pursuit;
mod pursuits;
mod said;
mod sightings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use contract::wire::{Class, Name};
use contract::{Answer, Blocks, Clock, Context, Moment, Published, Query};

use chase::{Ground, chase};
use counts::Counts;
use data::{View, targets};
use linked::Linked;
use said::{Said, records};
use sightings::Sightings;

/// The watch of one section at work.
#[derive(Debug)]
pub(crate) struct Follow {
    published: Arc<Published>,
    clock: Arc<dyn Clock>,
    /// Names that nobody can be asked for are answered from it.
    answers: bool,
    /// When this was made: what changes later is pursued, and what somebody before it may have been pursuing.
    since: Moment,
    sightings: Sightings,
    /// It outlives a reload, as memory does.
    linked: Arc<Linked>,
    counts: Counts,
}

impl Follow {
    /// `zone` is the section's first one, for the counters.
    pub(crate) fn new(published: Arc<Published>, answers: bool, zone: &Name, context: &Context) -> Self {
        let clock = Arc::clone(&context.clock);
        let since = clock.now();
        let linked = context.shelf.get_or_make(zone.clone(), Linked::default);
        let (sightings, counts) = (Sightings::default(), Counts::new(zone, context));
        Self { published, clock, answers, since, sightings, linked, counts }
    }

    /// Whether the records that this question asks for were taken away on purpose: those of its name, or those to which the
    /// chain of the last answer led.
    pub(crate) fn was_meant(&self, query: &Query, known: &Answer) -> bool {
        let now = self.clock.now();
        let is_gone = |name: &Name| self.published.was_withdrawn(name, query.rtype, now);
        is_gone(&query.name) || targets(known, &query.name, query.rtype).iter().any(is_gone)
    }

    /// An answer made of what objects say, if they say all that the zone would; EDE 29, a TTL of 30 s at most. One that
    /// says that there is no such address has no SOA: how long it holds is its asker's to say.
    pub(crate) fn answer(&self, query: &Query) -> Option<Answer> {
        if !self.answers {
            return None;
        }
        made::answer(&self.published, query)
    }

    /// The zone's resolver said this: it is noted since when what objects say is seen there, and on which names it rests.
    pub(crate) fn saw(&self, query: &Query, answer: &Answer) {
        if query.class != Class::IN {
            return;
        }
        let Some(view) = View::of(answer, &query.name, query.rtype) else { return };
        self.linked.note(targets(answer, &query.name, query.rtype));
        let said = Said::published(&self.published, &query.name);
        if self.sightings.note(&query.name, query.rtype, &view, &said, self.clock.now())
            && let Some(object) = said.objects().first()
        {
            tracing::debug!("privatezone: {} {} is seen in its zone as {object} says", query.name, query.rtype);
        }
    }

    /// Who publishes a name, and since when its zone is known to show it; `None` if nobody does.
    pub(crate) fn account(&self, name: &Name) -> Option<String> {
        let said = Said::published(&self.published, name);
        let objects = said.objects();
        let by = match objects.split_first()? {
            (first, []) => first.to_string(),
            (first, others) => format!("{first} and {} more", others.len()),
        };
        let seen = match self.sightings.since(name, &said) {
            Some(since) => format!("seen in the zone for {} s", self.clock.now().seconds_since(since)),
            None if said.publications().all(|one| records(one).is_none()) => {
                "which does not say all that the zone shows".to_owned()
            }
            None => "not seen in the zone yet".to_owned(),
        };
        Some(format!("published by {by}, {seen}"))
    }

    /// Has names that changed asked again, for as long as it is polled.
    pub(crate) async fn run(&self, blocks: Arc<dyn Blocks>) {
        let Self { published, clock, counts, linked, since, .. } = self;
        let (clock, blocks) = (clock.as_ref(), &blocks);
        chase(Ground { published, blocks, clock, counts, linked }, *since).await;
    }
}
