//! One private zone at work: its upstreams, and what is made of their answers.

use std::sync::Arc;
use std::time::Duration;

use contract::metrics::Counter;
use contract::wire::{Ede, Name, Rcode, ede};
use contract::{Answer, Blocks, Boxed, Clock, Context, Failure, Query, Reply, Served, Source};
use upstream::Group;

use crate::chain::{self, Place};
use crate::follow::Follow;
use crate::spec::SectionSpec;
use crate::vanished::Vanished;

/// While a name is missing its last answer is told for so long at once, seconds: so soon its return, or its end, is seen.
const VANISHED_TTL: u32 = 1;
/// An answer made of the cluster's objects is memorised for this long; then the resolver is tried again.
const MADE_FOR: Duration = Duration::from_secs(5);

/// One statement at work.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) zones: Vec<Name>,
    group: Group,
    ttl: (u32, u32),
    negative_ttl_max: u32,
    fallthrough: Vec<Name>,
    vanished: Vanished,
    follow: Option<Follow>,
    clock: Arc<dyn Clock>,
    counters: Counters,
}

/// What is counted.
#[derive(Debug)]
struct Counters {
    vanished: Arc<Counter>,
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

/// Whose name it is, for a chain that leads out of a zone.
pub(crate) type Owner<'o> = dyn Fn(&Name) -> Place + Send + Sync + 'o;

impl Section {
    pub(crate) fn new(spec: &SectionSpec, group: Group, follow: Option<Follow>, context: &Context) -> Self {
        let zone = spec.zones.first().map(ToString::to_string).unwrap_or_default();
        Self {
            zones: spec.zones.clone(),
            group,
            ttl: (spec.ttl_min, spec.ttl_max),
            negative_ttl_max: spec.negative_ttl_max,
            fallthrough: spec.fallthrough.clone(),
            vanished: Vanished::new(spec.vanish_grace),
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
        let bare = || reply.answer.message().section(contract::wire::Section::Answer).next().is_none();
        may && reply.answer.rcode() == Rcode::NXDOMAIN && bare()
    }

    /// Notes that it was handed on.
    pub(crate) fn handed_on(&self) {
        self.counters.fallthrough.increment();
    }

    /// Asks the zone's upstreams and makes a reply of their answer.
    pub(crate) async fn serve(&self, query: &Query, blocks: &dyn Blocks, owner: &Owner<'_>) -> Served {
        if self.group.up() == 0
            && let Some(made) = self.made(query, blocks)
        {
            return self.whole(query, made, blocks, owner).await;
        }
        let (answer, upstream) = match self.group.exchange(query).await {
            Ok(found) => found,
            Err(failure) => {
                let failure = self.told(failure);
                let is_away = !matches!(failure, Failure::Bound { .. });
                return match self.made(query, blocks).filter(|_| is_away) {
                    Some(made) => self.whole(query, made, blocks, owner).await,
                    None => Err(failure),
                };
            }
        };
        let source = Source::Upstream(upstream);
        if !matches!(answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
            return match self.made(query, blocks).filter(|_| answer.rcode() == Rcode::SERVFAIL) {
                Some(made) => self.whole(query, made, blocks, owner).await,
                None => Ok(Reply::fresh(answer, source)),
            };
        }
        if let Some(follow) = &self.follow {
            follow.saw(query, &answer);
        }
        self.whole(query, Reply::fresh(answer.without_authority(), source), blocks, owner).await
    }

    /// The reply with its chain followed to the end, its TTLs within their bounds; or the last answer where the name has just
    /// vanished.
    async fn whole(&self, query: &Query, reply: Reply, blocks: &dyn Blocks, owner: &Owner<'_>) -> Served {
        let answer = &reply.answer;
        if answer.is_truncated() {
            return Ok(reply.unstored());
        }
        let links = chain::links(query, answer)?;
        if let Some(open) = chain::open_end(answer, &links, owner) {
            // rare, and boxed: its state would make every question as large
            return self.followed(query, &reply, &links[..=open], blocks).await;
        }
        if answer.is_negative() {
            return Ok(match self.last(query, &reply, blocks) {
                Some(last) => last,
                None => self.denied(reply),
            });
        }
        self.vanished.is_there(&query.name, query.rtype);
        let answer = Answer::clone(&reply.answer).with_ttls(|ttl| self.bounded(ttl));
        Ok(Reply { answer: Arc::new(answer), ..reply })
    }

    /// The chain up to its open end, and behind it what the server blocks say.
    fn followed<'a>(
        &'a self,
        query: &'a Query,
        reply: &'a Reply,
        links: &'a [chain::Link],
        blocks: &'a dyn Blocks,
    ) -> Boxed<'a, Served> {
        Box::pin(async move {
            self.counters.chased.increment();
            let owners: Vec<Name> = links.iter().map(|link| link.owner.clone()).collect();
            let target = links.last().map(|link| link.target.clone()).expect("an open end stands behind a link");
            let rest = blocks.resolve(query.chase(&owners, target)?).await?;
            let joined = chain::join(query, &reply.answer, links, &rest, |ttl| self.bounded(ttl))?;
            let lifetime = [reply.lifetime, joined.lifetime].into_iter().flatten().min();
            if !joined.answer.is_negative() {
                self.vanished.is_there(&query.name, query.rtype);
            }
            // the CNAME is ours: when it vanishes its last answer stands
            Ok(Reply { lifetime, source: reply.source, ..joined })
        })
    }

    /// The last answer of a name that has just vanished, unless that was meant.
    fn last(&self, query: &Query, denial: &Reply, blocks: &dyn Blocks) -> Option<Reply> {
        let known = blocks.remembered(query).map(|known| known.reply).filter(|known| {
            known.answer.rcode() == Rcode::NOERROR && !known.answer.is_negative() && !self.may_be_foreign(query, known)
        })?;
        if self.follow.as_ref().is_some_and(|follow| follow.was_meant(query, &known.answer)) {
            return None;
        }
        let left = self.vanished.stands(&query.name, query.rtype, self.clock.as_ref())?;
        self.counters.vanished.increment();
        let text = format!("{} is missing from its zone for a moment, or for good", query.name);
        let answer =
            Answer::clone(&known.answer).with_ttls(|_| VANISHED_TTL).with_ede(Ede::new(ede::STALE_ANSWER, text));
        let lifetime = left.min(Duration::from_secs(VANISHED_TTL.into()));
        Some(Reply { lifetime: Some(lifetime), ..Reply::fresh(answer, denial.source) })
    }

    /// Whether what is known may be of those to whom the question is handed on.
    fn may_be_foreign(&self, query: &Query, known: &Reply) -> bool {
        let is_own = match known.source {
            Source::Upstream(address) => self.group.upstreams().iter().any(|upstream| upstream.address() == address),
            Source::Store | Source::Plugin(_) => false,
        };
        !is_own && self.fallthrough.iter().any(|zone| zone.encloses(&query.name))
    }

    /// A denial, told and memorised no longer than may be.
    fn denied(&self, reply: Reply) -> Reply {
        let most = self.negative_ttl_max;
        let answer = Answer::clone(&reply.answer).with_ttls(|ttl| ttl.min(most));
        let cap = Duration::from_secs(most.into());
        let lifetime = answer.negative_ttl().map(|_| reply.lifetime.map_or(cap, |known| known.min(cap)));
        Reply { answer: Arc::new(answer), lifetime: lifetime.or(reply.lifetime), ..reply }
    }

    /// What the cluster's objects say, where nobody can be asked and nothing is known.
    fn made(&self, query: &Query, blocks: &dyn Blocks) -> Option<Reply> {
        let follow = self.follow.as_ref()?;
        let is_known =
            blocks.remembered(query).is_some_and(|known| known.reply.source != Source::Plugin("privatezone"));
        let answer = (!is_known).then(|| follow.answer(query)).flatten()?;
        self.counters.synthesized.increment();
        Some(Reply { lifetime: Some(MADE_FOR), ..Reply::fresh(answer, Source::Plugin("privatezone")) })
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
                zone: self.zones.first().map(ToString::to_string).unwrap_or_default(),
                count: self.group.upstreams().len(),
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
