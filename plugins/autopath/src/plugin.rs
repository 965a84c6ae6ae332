//! The plugin: tells scopes on the hit path, walks on the miss path, looks after its file beside both.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use contract::labels::{CLIENT_NAMESPACE, CLIENT_POD};
use contract::wire::{Name, RecordType};
use contract::{
    About, Blocks, Boxed, Context, Decided, Labels, ListId, Next, Plain, Plugin, PodIndex, Query, Reply, Resident,
    Scope, Scoper, SearchList, Served,
};

use futures_util::future::join;

use crate::ask::Asking;
use crate::care::care;
use crate::counters::Counters;
use crate::cut::CutRules;
use crate::cuts::Cuts;
use crate::judge::{Judge, judge};
use crate::qualify;
use crate::shown::Shown;
use crate::source::FileSource;
use crate::walk::{End, walk};

/// How often the file is looked at, and told how old the index is.
const REFRESH_EVERY: Duration = Duration::from_secs(1);

/// The directive at work.
#[derive(Debug)]
pub struct Autopath {
    zones: Vec<Name>,
    index: Arc<PodIndex>,
    source: Option<FileSource>,
    /// What operators see of the index.
    shown: Shown,
    counters: Counters,
    judge: Judge,
    /// Absent if the cut is off.
    cuts: Option<Cuts>,
}

impl Autopath {
    /// Serves `zones` with what the index holds. Whoever fills the index otherwise than from a file gives no `source`.
    pub fn new(zones: Vec<Name>, index: Arc<PodIndex>, source: Option<FileSource>, context: &Context) -> Self {
        let counters = Counters::new(&context.metrics, &context.server);
        Self { zones, index, source, shown: Shown::new(context), counters, judge, cuts: None }
    }

    /// The same, with proofs at the shortest name below a search domain (RFC 8020), by these rules.
    #[must_use]
    pub fn with_cut(mut self, rules: CutRules, context: &Context) -> Self {
        self.cuts = Some(Cuts::new(context, rules));
        self
    }

    /// The same with another rule of judgement: for tests that break the rule on purpose.
    #[doc(hidden)]
    #[must_use]
    pub fn with_judge(mut self, judge: Judge) -> Self {
        self.judge = judge;
        self
    }

    /// Who has an address.
    pub fn index(&self) -> &Arc<PodIndex> {
        &self.index
    }

    async fn search(&self, query: &Query, list: &SearchList, blocks: &dyn Blocks) -> Option<Served> {
        let first = list.domains.first()?;
        let rest = Name::strip(query.name.as_wire(), first.as_wire()).filter(|rest| !rest.is_empty())?;
        let labels = query.name.label_count() - first.label_count();
        let asking = Asking { query, blocks, judge: self.judge, labels };
        let (end, served) = walk(asking, rest, list, &self.zones, self.cuts.as_ref()).await;
        self.counters.count(end);
        let decided = match end {
            End::Decided(position) => Decided::Candidate(position.place(list)),
            End::None => Decided::Nobody,
            End::Failed => Decided::NoSearch,
        };
        Some(served.map(|reply| Reply { decided, ..reply }))
    }

    /// A question for the next plugins as it is. Its answer may contradict a cut.
    fn pass<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        let Some(cuts) = self.cuts.as_ref().filter(|cuts| cuts.is_in_use()) else { return next.serve(query) };
        Box::pin(async move {
            let served = next.serve(query).await;
            cuts.look(query, &served, next.blocks());
            served
        })
    }

    async fn look_after_index(self: Arc<Self>) {
        loop {
            self.shown.show(&self.index);
            tokio::time::sleep(REFRESH_EVERY).await;
            if self.source.is_none() {
                continue;
            }
            let this = Arc::clone(&self);
            let refresh = tokio::task::spawn_blocking(move || {
                if let Some(source) = &this.source {
                    source.refresh(&this.index);
                }
            });
            if refresh.await.is_err() {
                tracing::error!("autopath: reading the file of search lists panicked; the lists read before stay");
            }
        }
    }
}

impl Labels for Autopath {
    fn label(&self, name: &str, about: &About<'_>) -> Option<String> {
        let pod = self.index.at(about.client.ip(), |resident| resident.pod.clone()).ok()??;
        let (namespace, pod) = pod.split_once('/')?;
        match name {
            CLIENT_NAMESPACE => Some(namespace.to_owned()),
            CLIENT_POD => Some(pod.to_owned()),
            _ => None,
        }
    }
}

impl Plugin for Autopath {
    fn name(&self) -> &'static str {
        "autopath"
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        let Scope::Search(id) = query.scope else { return self.pass(query, next) };
        Box::pin(async move {
            // a story may ask as somebody with a list that nobody has
            let told = || query.story.as_ref()?.list(id).cloned();
            if let Some(list) = self.index.list(id).or_else(told)
                && let Some(served) = self.search(query, &list, next.blocks()).await
            {
                return served;
            }
            // the pods with this list have gone meanwhile: resolved as asked, and not memorised for the list
            let as_asked = query.candidate(query.name.clone(), query.rtype);
            next.blocks().resolve(as_asked).await.map(Reply::unstored)
        })
    }

    fn labels(&self) -> Option<&dyn Labels> {
        Some(self)
    }

    fn scoper(&self) -> Option<&dyn Scoper> {
        Some(self)
    }

    fn run(self: Arc<Self>) -> Boxed<'static, ()> {
        Box::pin(async move {
            let cares = async {
                if let Some(cuts) = &self.cuts {
                    care(cuts, self.judge).await;
                }
            };
            join(Arc::clone(&self).look_after_index(), cares).await;
        })
    }
}

impl Autopath {
    /// What a question says by itself of whether it is a first step; `Ok`: that depends on the client.
    fn may_search(&self, name: &[u8], rtype: RecordType) -> Result<(), Plain> {
        if !qualify::is_searched(rtype) {
            return Err(Plain::Type);
        }
        match self.zones.iter().any(|zone| Name::strip(name, zone.as_wire()).is_some()) {
            true => Ok(()),
            false => Err(Plain::Zone),
        }
    }
}

fn list_of(resident: &Resident, name: &[u8], rtype: RecordType) -> Result<ListId, Plain> {
    let first = resident.list.domains.first().ok_or(Plain::Name)?;
    qualify::rest(name, first, resident.ndots, rtype).map(|_| resident.list.id)
}

impl Scoper for Autopath {
    fn search(&self, client: IpAddr, name: &[u8], rtype: RecordType, dnssec_ok: bool) -> Result<ListId, Plain> {
        // a client that checks signatures is given the names as they are signed
        if dnssec_ok {
            return Err(Plain::Dnssec);
        }
        self.may_search(name, rtype)?;
        self.index.at(client, |resident| list_of(resident, name, rtype)).flatten()
    }

    fn search_as(&self, resident: &Resident, name: &[u8], rtype: RecordType) -> Result<ListId, Plain> {
        self.may_search(name, rtype)?;
        list_of(resident, name, rtype)
    }

    fn list(&self, id: ListId) -> Option<Arc<SearchList>> {
        self.index.list(id)
    }

    fn index(&self) -> Option<&Arc<PodIndex>> {
        Some(&self.index)
    }
}
