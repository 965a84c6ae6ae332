//! One private zone at work: its upstreams, and what is made of their answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contract::limits::STALE_RECHECK;
use contract::metrics::Counter;
use contract::wire::{Name, Rcode, Section as Part};
use contract::{Age, Answer, Blocks, Boxed, Clock, Context, Failure, Query, Reply, Served, Source, Standing, What};
use upstream::Group;

use crate::chain::{self, Link, Places};
use crate::follow::Follow;
use crate::spec::SectionSpec;
use crate::vanished::Vanished;

/// An answer made of the cluster's objects is memorised for this long; then the resolver is tried again.
const MADE_FOR: Duration = Duration::from_secs(5);

/// One statement at work.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) zones: Vec<Name>,
    pub(crate) group: Group,
    ttl: (u32, u32),
    pub(crate) negative_ttl_max: u32,
    pub(crate) fallthrough: Vec<Name>,
    /// It outlives a reload, as memory does.
    pub(crate) vanished: Arc<Vanished>,
    pub(crate) follow: Option<Follow>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Counters,
}

/// What is counted.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) vanished: Arc<Counter>,
    chased: Arc<Counter>,
    fallthrough: Arc<Counter>,
    synthesized: Arc<Counter>,
}

impl Counters {
    fn new(zone: &str, context: &Context) -> Self {
        let of = |name, help| context.metrics.counter(name, help, &[("zone", zone)]);
        Self {
            vanished: of("nearpath_privatezone_vanished_total", "Answers that stood although the zone denied them."),
            chased: of("nearpath_privatezone_chased_total", "CNAMEs followed out of the zone."),
            fallthrough: of(
                "nearpath_privatezone_fallthrough_total",
                "Questions handed on, as the zone has no such name.",
            ),
            synthesized: of(
                "nearpath_privatezone_synthesized_total",
                "Answers made of what the cluster's objects say.",
            ),
        }
    }
}

impl Section {
    pub(crate) fn new(spec: &SectionSpec, group: Group, follow: Option<Follow>, context: &Context) -> Self {
        let zone = spec.zones.first().map(ToString::to_string).unwrap_or_default();
        let asked: Vec<SocketAddr> = spec.upstreams.iter().map(|upstream| upstream.address).collect();
        let key = (spec.zones.clone(), spec.vanish_grace, asked); // others may see the same zone otherwise
        Self {
            zones: spec.zones.clone(),
            group,
            ttl: (spec.ttl_min, spec.ttl_max),
            negative_ttl_max: spec.negative_ttl_max,
            fallthrough: spec.fallthrough.clone(),
            vanished: context.shelf.get_or_make(key, || Vanished::new(spec.vanish_grace)),
            follow,
            clock: Arc::clone(&context.clock),
            counters: Counters::new(&zone, context),
        }
    }

    /// How many labels the longest of its zones around a name has; `None` if the name is in none.
    pub(crate) fn depth(&self, name: &Name) -> Option<usize> {
        self.zones.iter().filter(|zone| zone.encloses(name)).map(Name::label_count).max()
    }

    /// Whether somebody else is to be asked, since the zone has no such name.
    pub(crate) fn hands_on(&self, query: &Query, reply: &Reply) -> bool {
        let may = self.fallthrough.iter().any(|zone| zone.encloses(&query.name));
        let bare = || reply.answer.message().section(Part::Answer).next().is_none();
        may && reply.answer.rcode() == Rcode::NXDOMAIN && bare()
    }

    /// Notes that it was handed on.
    pub(crate) fn handed_on(&self, query: &Query) {
        query.tell(|| step("the zone has no such name: handed on (fallthrough)".to_owned()));
        self.counters.fallthrough.increment();
    }

    /// Asks the zone's upstreams and makes a reply of their answer.
    pub(crate) async fn serve(&self, query: &Query, blocks: &dyn Blocks, places: &dyn Places) -> Served {
        query.tell(|| step(self.choice(query)));
        if self.group.up() == 0
            && let Some(made) = self.made(query, blocks)
        {
            return self.whole(query, made, blocks, places).await;
        }
        let (answer, upstream) = match self.exchange(query).await {
            Ok(found) => found,
            Err(failure) => {
                // too much may be asked; or all is full because nobody answers
                let is_away = !matches!(failure, Failure::Bound { .. }) || self.group.is_ailing();
                return match is_away.then(|| self.made(query, blocks)).flatten() {
                    Some(made) => self.whole(query, made, blocks, places).await,
                    None => Err(self.told(failure)),
                };
            }
        };
        let source = Source::Upstream(upstream);
        if !matches!(answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
            let is_away = answer.rcode() == Rcode::SERVFAIL;
            return match is_away.then(|| self.made(query, blocks)).flatten() {
                Some(made) => self.whole(query, made, blocks, places).await,
                None => Ok(Reply::fresh(answer, source)),
            };
        }
        if let Some(follow) = &self.follow {
            follow.saw(query, &answer);
        }
        self.whole(query, Reply::fresh(answer.without_authority(), source), blocks, places).await
    }

    /// The reply with its chain followed to the end, its TTLs within their bounds; or the last answer where the name has just
    /// vanished.
    async fn whole(&self, query: &Query, reply: Reply, blocks: &dyn Blocks, places: &dyn Places) -> Served {
        let answer = &reply.answer;
        if answer.is_truncated() {
            return Ok(reply.unstored());
        }
        let links = chain::links(query, answer)?;
        if let Some(open) = chain::open_end(answer, &links, 0, places) {
            // rare, and boxed: its state would make every question as large
            return self.followed(query, reply, (links, open), blocks, places).await;
        }
        if answer.is_negative() {
            return Ok(match self.last(query, &reply, blocks) {
                Some(last) => last,
                None => {
                    query.tell(|| step(format!("denied, told for {} s at most", self.negative_ttl_max)));
                    self.denied(reply)
                }
            });
        }
        self.vanished.is_there(&query.name, query.rtype);
        let answer = Answer::clone(&reply.answer).with_ttls(|ttl| self.bounded(ttl));
        Ok(Reply { answer: Arc::new(answer), ..reply })
    }

    /// The chain up to its open end, and behind it what the server blocks say; again, for as long as that leads to somebody
    /// else's names.
    fn followed<'a>(
        &'a self,
        query: &'a Query,
        reply: Reply,
        (mut links, mut open): (Vec<Link>, usize),
        blocks: &'a dyn Blocks,
        places: &'a dyn Places,
    ) -> Boxed<'a, Served> {
        Box::pin(async move {
            let (source, mut joined) = (reply.source, reply);
            loop {
                self.counters.chased.increment();
                query.tell(|| step(format!("its CNAME leads to {}, which is asked for apart", links[open].target)));
                let owners: Vec<Name> = links[..=open].iter().map(|link| link.owner.clone()).collect();
                let rest = blocks.resolve(query.chase(&owners, links[open].target.clone())?).await?;
                let (lifetime, personal) = (joined.lifetime, joined.personal);
                joined = chain::join(query, &joined.answer, &links[..=open], &rest, |ttl| self.bounded(ttl))?;
                joined.lifetime = [lifetime, joined.lifetime].into_iter().flatten().min();
                joined.personal |= personal;
                links = chain::links(query, &joined.answer)?;
                match chain::open_end(&joined.answer, &links, open + 1, places) {
                    Some(more) => open = more,
                    None => break,
                }
            }
            if !joined.answer.is_negative() {
                self.vanished.is_there(&query.name, query.rtype);
            }
            if joined.is_stale() && blocks.remembered(query).is_none() {
                // nothing older stands in: it is told for as long as a stale answer keeps its upstream from being asked
                joined = Reply { age: Age::Fresh(0), lifetime: Some(STALE_RECHECK), ..joined };
            }
            // the CNAME is ours: when it vanishes its last answer stands
            Ok(Reply { source, ..joined })
        })
    }

    /// Asks the upstreams, and once more whenever one of them is back: a question that was asked of a dead one would wait to its
    /// end, and all who ask the same with it.
    async fn exchange(&self, query: &Query) -> Result<(Answer, SocketAddr), Failure> {
        let mut recoveries = self.group.recoveries();
        loop {
            tokio::select! {
                biased;
                outcome = self.group.exchange(query) => return outcome,
                Ok(()) = recoveries.changed() => {}
            }
        }
    }

    /// What the cluster's objects say, where nobody can be asked and nothing is known.
    fn made(&self, query: &Query, blocks: &dyn Blocks) -> Option<Reply> {
        let follow = self.follow.as_ref()?;
        let is_known =
            blocks.remembered(query).is_some_and(|known| known.reply.source != Source::Plugin("privatezone"));
        let answer = (!is_known).then(|| follow.answer(query)).flatten()?;
        self.counters.synthesized.increment();
        query.tell(|| step("nobody answers and nothing is remembered: made of what objects say".to_owned()));
        Some(Reply { lifetime: Some(MADE_FOR), ..Reply::fresh(answer, Source::Plugin("privatezone")) })
    }

    /// Which zone it is, who can be asked, and who publishes the name, for people.
    fn choice(&self, query: &Query) -> String {
        let (zone, count) = (self.label(), self.group.upstreams().len());
        let by = self.follow.as_ref().and_then(|follow| follow.account(&query.name));
        let by = by.map_or_else(String::new, |by| format!("; {by}"));
        format!("zone {zone}: {} of {count} upstreams are up{by}", self.group.up())
    }

    /// Its first zone.
    fn label(&self) -> String {
        self.zones.first().map(ToString::to_string).unwrap_or_default()
    }

    /// How those are doing that it asks.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        let zones: Vec<String> = self.zones.iter().map(ToString::to_string).collect();
        self.group.standings("privatezone", &zones.join(" "))
    }

    fn bounded(&self, ttl: u32) -> u32 {
        let (least, most) = self.ttl;
        ttl.max(least).min(most)
    }

    /// A failure as the client is told it: that the zone's upstreams do not answer.
    fn told(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Timeout { .. }
            | Failure::Unreachable { .. }
            | Failure::BrokenReply { .. }
            | Failure::AllDown { .. } => Failure::NoneAnswered {
                zone: self.label(),
                count: self.group.upstreams().len(),
                longest: self.group.longest_down(),
                last: failure.to_string().into(),
            },
            other => other,
        }
    }

    /// Cares for the upstreams, and has names asked again that changed or failed.
    pub(crate) async fn run(&self, blocks: Arc<dyn Blocks>) {
        let follow = async {
            match &self.follow {
                Some(follow) => follow.run(Arc::clone(&blocks)).await,
                None => std::future::pending().await,
            }
        };
        let returns = async {
            let mut recoveries = self.group.recoveries();
            while recoveries.changed().await.is_ok() {
                let (blocks, zones) = (Arc::clone(&blocks), self.zones.clone());
                // it looks at every memorised answer
                let _ = tokio::task::spawn_blocking(move || blocks.forgive(&zones)).await;
            }
        };
        tokio::join!(self.group.run(), follow, returns);
    }
}

/// A step of a question's story.
pub(crate) fn step(text: String) -> What {
    What::Plugin { name: "privatezone", text: text.into() }
}

#[cfg(test)]
mod tests;
