//! The step of the chain: whether a name is forwarded, and what becomes of the reply.

use std::sync::Arc;

use contract::labels::FORWARD_UPSTREAM;
use contract::metrics::Counter;
use contract::wire::{Name, Rcode, Section};
use contract::{
    About, Answer, Bound, Boxed, Context, Labels, Next, Plugin, Query, Reply, Served, Source, Standing, What,
};
use tokio::sync::Semaphore;
use upstream::Group;

use crate::follow::Follow;
use crate::spec::ForwardSpec;

/// A `forward` at work.
#[derive(Debug)]
pub(crate) struct Forward {
    from: Name,
    except: Vec<Name>,
    group: Group,
    /// Where its upstreams come from, if they come and go.
    follow: Option<Follow>,
    next: Vec<Rcode>,
    next_on_nodata: bool,
    /// `max_concurrent`, and its number.
    concurrent: Option<(Semaphore, usize)>,
    rejects: Arc<Counter>,
}

impl Forward {
    pub(crate) fn new(spec: &ForwardSpec, group: Group, follow: Option<Follow>, context: &Context) -> Self {
        let rejects = context.metrics.counter(
            "coredns_forward_max_concurrent_rejects_total",
            "Questions refused because max_concurrent was reached.",
            &[],
        );
        Self {
            from: spec.from.clone(),
            except: spec.except.clone(),
            group,
            follow,
            next: spec.next.clone(),
            next_on_nodata: spec.next_on_nodata,
            concurrent: spec.max_concurrent.map(|count| (Semaphore::new(count.min(Semaphore::MAX_PERMITS)), count)),
            rejects,
        }
    }

    /// Whether a name is forwarded. FROM itself is, whatever `except` says.
    fn takes(&self, name: &Name) -> bool {
        self.from == *name || self.from.encloses(name) && !self.except.iter().any(|zone| zone.encloses(name))
    }

    /// Asks the upstreams, unless as many questions as may be are under way.
    async fn exchange(&self, query: &Query) -> Served {
        let _under_way = match &self.concurrent {
            None => None,
            Some((concurrent, most)) => Some(concurrent.try_acquire().map_err(|_| {
                self.rejects.increment();
                query.tell(|| step(format!("nobody is asked: max_concurrent {most} is reached")));
                Bound::MaxConcurrent.reached_at(*most, None)
            })?),
        };
        query.tell(|| step(self.choice()));
        let (answer, upstream) = self.group.exchange(query).await?;
        let truncated = answer.is_truncated();
        let reply = Reply::fresh(answer, Source::Upstream(upstream));
        Ok(if truncated { reply.unstored() } else { reply })
    }

    /// Who is asked, for people.
    fn choice(&self) -> String {
        let count = self.group.upstreams().len();
        format!("zone {}: {} of {count} upstreams are up", self.from, self.group.up())
    }

    /// Why a name is not forwarded, for people.
    fn refusal(&self, name: &Name) -> String {
        match self.except.iter().find(|zone| self.from.encloses(name) && zone.encloses(name)) {
            Some(zone) => format!("not asked: zone {}, except {zone}", self.from),
            None => format!("not asked: zone {} does not enclose it", self.from),
        }
    }

    /// Whether the next `forward` is to be asked instead (`next`, `next_on_nodata`).
    fn passes_on(&self, answer: &Answer) -> bool {
        let bare = || answer.message().section(Section::Answer).next().is_none();
        self.next.contains(&answer.rcode()) || self.next_on_nodata && answer.rcode() == Rcode::NOERROR && bare()
    }
}

impl Labels for Forward {
    fn label(&self, name: &str, about: &About<'_>) -> Option<String> {
        (name == FORWARD_UPSTREAM).then_some(about.upstream)?.map(|upstream| upstream.to_string())
    }
}

impl Plugin for Forward {
    fn name(&self) -> &'static str {
        "forward"
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        if !self.takes(&query.name) {
            query.tell(|| step(self.refusal(&query.name)));
            return next.serve(query);
        }
        Box::pin(async move {
            let reply = self.exchange(query).await?;
            match next.name() == Some(self.name()) && self.passes_on(&reply.answer) {
                true => {
                    query.tell(|| step(format!("{}: the next forward is asked", reply.answer.rcode())));
                    next.serve(query).await
                }
                false => Ok(reply),
            }
        })
    }

    fn labels(&self) -> Option<&dyn Labels> {
        Some(self)
    }

    fn run(self: Arc<Self>) -> Boxed<'static, ()> {
        let caring = self.group.run();
        Box::pin(async move {
            match &self.follow {
                None => caring.await,
                Some(follow) => {
                    tokio::join!(caring, follow.run(&self.group));
                }
            }
        })
    }

    fn is_ready(&self) -> bool {
        self.group.has_members()
    }

    fn standings(&self) -> Vec<Standing> {
        self.group.standings("forward", &self.from.to_string())
    }
}

fn step(text: String) -> What {
    What::Plugin { name: "forward", text: text.into() }
}
