//! One private zone at work: its upstreams, and what is made of their answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contract::limits::STALE_RECHECK;
use contract::metrics::Counter;
use contract::wire::{Composer, Ede, Name, Rcode, RecordType, Section as Part, ede};
use contract::{Age, Answer, Blocks, Boxed, Clock, Context, Failure, Query, Remembered, Reply, Served, Source};
use upstream::Group;

use crate::chain::{self, Link, Places};
use crate::follow::Follow;
use crate::spec::SectionSpec;
use crate::vanished::Vanished;

/// While a name is missing its last answer is told for so long at once, seconds: so soon its return, or its end, is seen.
const VANISHED_TTL: u32 = 1;
/// An answer made of the cluster's objects is memorised for this long; then the resolver is tried again.
const MADE_FOR: Duration = Duration::from_secs(5);

/// A denial without an SOA is memorised for this long at most.
const BARE_DENIAL_FOR: Duration = Duration::from_secs(5);

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
        let bare = || reply.answer.message().section(Part::Answer).next().is_none();
        may && reply.answer.rcode() == Rcode::NXDOMAIN && bare()
    }

    /// Notes that it was handed on.
    pub(crate) fn handed_on(&self) {
        self.counters.fallthrough.increment();
    }

    /// Asks the zone's upstreams and makes a reply of their answer.
    pub(crate) async fn serve(&self, query: &Query, blocks: &dyn Blocks, places: &dyn Places) -> Served {
        if self.group.up() == 0
            && let Some(made) = self.made(query, blocks)
        {
            return self.whole(query, made, blocks, places).await;
        }
        let (answer, upstream) = match self.exchange(query).await {
            Ok(found) => found,
            Err(failure) => {
                let failure = self.told(failure);
                let is_away = !matches!(failure, Failure::Bound { .. });
                return match self.made(query, blocks).filter(|_| is_away) {
                    Some(made) => self.whole(query, made, blocks, places).await,
                    None => Err(failure),
                };
            }
        };
        let source = Source::Upstream(upstream);
        if !matches!(answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
            return match self.made(query, blocks).filter(|_| answer.rcode() == Rcode::SERVFAIL) {
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
                None => self.denied(reply),
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
                let owners: Vec<Name> = links[..=open].iter().map(|link| link.owner.clone()).collect();
                let rest = blocks.resolve(query.chase(&owners, links[open].target.clone())?).await?;
                let lifetime = joined.lifetime;
                joined = chain::join(query, &joined.answer, &links[..=open], &rest, |ttl| self.bounded(ttl))?;
                joined.lifetime = [lifetime, joined.lifetime].into_iter().flatten().min();
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

    /// The last answer of a name that has just vanished, unless that was meant. For the other type of address, of which the name
    /// had none, it is that it has none: a resolver that asks for both must not hear that there is no such name.
    fn last(&self, query: &Query, denial: &Reply, blocks: &dyn Blocks) -> Option<Reply> {
        let known = blocks.remembered(query).filter(|known| self.is_of_zone(query, known));
        let positive = |known: &Remembered| !known.reply.answer.is_negative();
        let sibling = || {
            let other = match query.rtype {
                RecordType::A => RecordType::AAAA,
                RecordType::AAAA => RecordType::A,
                _ => return None,
            };
            let query = Query { rtype: other, ..query.clone() };
            let known = blocks.remembered(&query).filter(|known| self.is_of_zone(&query, known) && positive(known))?;
            Some((query, known))
        };
        let (query, known, is_sibling) = match known {
            Some(known) if positive(&known) => (query.clone(), known, false),
            _ if denial.answer.rcode() == Rcode::NXDOMAIN => sibling().map(|(query, known)| (query, known, true))?,
            _ => return None,
        };
        if self.follow.as_ref().is_some_and(|follow| follow.was_meant(&query)) {
            return None;
        }
        let left = self.vanished.stands(&query.name, query.rtype, known.past_end, self.clock.as_ref())?;
        self.counters.vanished.increment();
        let text = format!("{} is missing from its zone for a moment, or for good", query.name);
        let answer = match is_sibling {
            false => Answer::clone(&known.reply.answer),
            true => without_records(&denial.answer),
        };
        let answer = answer.with_ttls(|_| VANISHED_TTL).with_ede(Ede::new(ede::STALE_ANSWER, text));
        let lifetime = left.min(Duration::from_secs(VANISHED_TTL.into()));
        Some(Reply { lifetime: Some(lifetime), ..Reply::fresh(answer, denial.source) })
    }

    /// Whether what is known is an answer of this zone.
    fn is_of_zone(&self, query: &Query, known: &Remembered) -> bool {
        known.reply.answer.rcode() == Rcode::NOERROR && !self.may_be_foreign(query, &known.reply)
    }

    /// Whether what is known may be of those to whom the question is handed on.
    fn may_be_foreign(&self, query: &Query, known: &Reply) -> bool {
        let is_own = match known.source {
            Source::Upstream(address) => self.group.upstreams().iter().any(|upstream| upstream.address() == address),
            Source::Store | Source::Plugin(_) => false,
        };
        !is_own && self.fallthrough.iter().any(|zone| zone.encloses(&query.name))
    }

    /// A denial, told and memorised no longer than may be. Without an SOA only one that says nothing is memorised at all, and
    /// briefly (`cache` does so by itself).
    fn denied(&self, reply: Reply) -> Reply {
        let most = self.negative_ttl_max;
        let answer = Answer::clone(&reply.answer).with_ttls(|ttl| ttl.min(most));
        let cap = Duration::from_secs(most.into());
        let cap = reply.lifetime.map_or(cap, |known| known.min(cap));
        let lifetime = match (answer.negative_ttl(), answer.rcode()) {
            (Some(_), _) => Some(cap),
            (None, Rcode::NOERROR) => Some(cap.min(BARE_DENIAL_FOR)),
            (None, _) => reply.lifetime,
        };
        Reply { answer: Arc::new(answer), lifetime, ..reply }
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

/// NOERROR without records in place of a denial of the name, with the same SOA.
fn without_records(denial: &Answer) -> Answer {
    let message = denial.message();
    let (name, rtype) = (message.question_name().expect("an answer has its question"), message.question_type());
    let mut composer = Composer::new(&name, rtype, message.question_class());
    for record in message.section(Part::Authority).filter(|record| record.rtype == RecordType::SOA) {
        composer.copy(&message, &record, record.ttl).expect("one SOA fits");
    }
    Answer::composed(composer.finish(), Rcode::NOERROR)
}
