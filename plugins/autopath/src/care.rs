//! The work beside the queries: proofs in use are renewed ahead of their end, and contradictions are looked into.

use std::sync::Arc;
use std::time::Duration;

use contract::limits::{CUT_LOOKS_APART_MAX, CUT_LOOKS_MAX, CUT_RENEWALS_MAX, STALE_RECHECK};
use contract::wire::{Name, Rcode};
use contract::{Blocks, Boxed, Query, Served};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;

use crate::ask::{Asking, Outcome};
use crate::cut::{self, Cut};
use crate::cuts::{Cuts, Job, Suspicion, Told, Way};
use crate::judge::Judge;

/// Cares for cuts until it is dropped.
pub(crate) async fn care(cuts: &Cuts, judge: Judge) {
    let mut renewals = FuturesUnordered::new();
    let mut trials = FuturesUnordered::new();
    loop {
        let (due, next) = cuts.take_due(CUT_RENEWALS_MAX - renewals.len());
        renewals.extend(due.into_iter().map(|job| renew(cuts, judge, job)));
        trials.extend(cuts.take_suspicions().into_iter().map(|one| try_suspicion(cuts, judge, one)));
        let next = next.filter(|_| renewals.len() < CUT_RENEWALS_MAX);
        let timer = async {
            match next {
                Some(at) => sleep(at.since(cuts.clock.now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = timer => {}
            () = cuts.bell.notified() => {}
            Some(()) = renewals.next() => {}
            Some(()) = trials.next() => {}
        }
    }
}

/// Asks a cut as a search would; the store memorises it for everybody.
async fn renew(cuts: &Cuts, judge: Judge, job: Job) {
    let Job { cut, rtype, way } = job;
    let query = Query { rtype, refresh: true, arrived: cuts.clock.now(), ..way.query };
    let outcome = ask(&cut, judge, &query, way.blocks.as_ref()).await;
    let unknown = cut::says_nothing(&outcome);
    let proof = cut::proof(outcome, cuts.rules);
    let mut told = cut::told(proof.as_deref(), unknown);
    let asked = query.candidate(cut.name().clone(), rtype);
    // memory tells fresh proofs only: a stale one is not there either, but has told nothing new
    if matches!(told, Told::Denied(_)) && way.blocks.stored(&asked).is_none() {
        told = Told::Useless; // nothing is memorised there, so nobody would have the use
    }
    cuts.counts.renewed.increment();
    cuts.note(&cut, rtype, told, true);
}

async fn ask(cut: &Cut, judge: Judge, query: &Query, blocks: &dyn Blocks) -> Outcome {
    let labels = 2; // of a rest that has a cut, at least
    Asking { query, blocks, judge, labels }.ask(&cut.candidate).await
}

/// What one look at a suspicion shows.
enum Sight {
    /// The name exists, and the cut does not, which is true for so long by what its server says.
    Contradiction(Duration),
    /// Both exist: what memory says of the cut is past.
    CutExists,
    /// It was a name that had just come or gone.
    Harmless,
    /// Nobody answers.
    Unclear,
}

/// Tells a server that breaks RFC 8020 from a name that came or went a moment ago: caches and servers on the way may tell
/// the denial until it ends, so the second look comes after that. Where that is too long to wait for, or nobody answers for
/// long, it stays unconfirmed.
async fn try_suspicion(cuts: &Cuts, judge: Judge, suspicion: Suspicion) {
    let Suspicion { cut, way, .. } = &suspicion;
    let mut seen_before = false;
    for _ in 0..CUT_LOOKS_MAX {
        let wait = match look(cuts, judge, cut, way).await {
            Sight::Contradiction(_) if seen_before => {
                cuts.close(&cut.domain, true);
                return tell(cuts, cut, &way.query.name).await;
            }
            Sight::Contradiction(life) if life <= CUT_LOOKS_APART_MAX => {
                seen_before = true;
                life + Duration::from_secs(1)
            }
            Sight::CutExists => {
                cuts.give_up(cut);
                break;
            }
            Sight::Contradiction(_) | Sight::Harmless => break,
            Sight::Unclear => STALE_RECHECK,
        };
        sleep(wait).await;
    }
    cuts.close(&cut.domain, false);
}

/// Asks for the name, the cut and the name again, past the store: what exists before and after exists in between.
async fn look(cuts: &Cuts, judge: Judge, cut: &Cut, way: &Way) -> Sight {
    let anew = Anew(way.blocks.as_ref());
    let query = || Query { arrived: cuts.clock.now(), refresh: false, ..way.query.clone() };
    match exists(&anew.0.ask_anew(query()).await) {
        Some(true) => {}
        Some(false) => return Sight::Harmless,
        None => return Sight::Unclear,
    }
    let life = match ask(cut, judge, &query(), &anew).await {
        outcome if cut::says_nothing(&outcome) => return Sight::Unclear,
        outcome => match cut::proof(outcome, cuts.rules) {
            Some(proof) => proof.iter().filter_map(contract::Reply::true_for).max().unwrap_or_default(),
            None => return Sight::CutExists,
        },
    };
    match exists(&anew.0.ask_anew(query()).await) {
        Some(true) => Sight::Contradiction(life),
        Some(false) => Sight::Harmless,
        None => Sight::Unclear,
    }
}

/// Whether a name exists; `None` if its server does not tell.
fn exists(served: &Served) -> Option<bool> {
    match served.as_ref().ok()?.answer.rcode() {
        Rcode::NOERROR => Some(true),
        Rcode::NXDOMAIN => Some(false),
        _ => None,
    }
}

async fn tell(cuts: &Cuts, cut: &Cut, name: &Name) {
    let domain = &cut.domain;
    let kept = cuts.off.path().map_or("until the next reload or start".to_owned(), |path| {
        format!("until {} is deleted and the daemon started anew", path.display())
    });
    tracing::warn!(
        "autopath: {name} exists although {} does not, so the servers of {domain} break RFC 8020: names below it are \
         asked one by one from now on, {kept}; `nxdomain_cut off` turns the cut off by hand",
        cut.name()
    );
    let off = Arc::clone(&cuts.off);
    let saved = tokio::task::spawn_blocking(move || off.save()).await;
    if let Err(error) = saved.unwrap_or_else(|lost| Err(std::io::Error::other(lost))) {
        let path = cuts.off.path().map(|path| path.display().to_string()).unwrap_or_default();
        tracing::warn!("autopath: {path} cannot be written, so this is found again after the next start: {error}");
    }
}

/// The blocks, past the store.
struct Anew<'b>(&'b dyn Blocks);

impl Blocks for Anew<'_> {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        self.0.ask_anew(query)
    }
}
