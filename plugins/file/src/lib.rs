//! The directive `file`: zones from zone files (RFC 1035 5), answered with authority.
//!
//! ```text
//!   Corefile --check--> FileSpec --build--> File { zones: Source { ArcSwap<Zone> } each }
//!                                                           ^
//!                             run(): every `reload` look at the file; another serial replaces the zone whole, and memory
//!                                    forgets what it said of it, as it does at first unless the Corefile before said the same
//!   query --> longest zone --> look-up --> answer; a CNAME that leads out --> `Blocks::resolve`
//! ```
//!
//! Questions read the zones and never wait for a file.

mod follow;
mod lines;
mod lookup;
mod master;
mod reply;
mod source;
mod spec;
mod stamps;
mod standing;
#[cfg(test)]
mod tests;
mod zone;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use contract::limits::ZONE_SETTLES_AFTER;
use contract::wire::{Class, Name, Rcode};
use contract::{Answer, Blocks, Boxed, Clock, Next, Plugin, Query, Reply, Served, Source, What};

pub use spec::{FileSpec, ZoneSpec, check};

use lookup::{Asked, Outcome};
use source::{Look, ZoneFile};

/// Reads a zone out of the octets of its file, and what that includes: how many names it has beside its apex, or what is
/// wrong with it and where.
pub fn read(path: &Path, octets: &[u8], origin: &Name) -> Result<usize, String> {
    let zone = zone::Zone::read(path, octets, origin, None, &mut stamps::Stamps::default());
    zone.map(|zone| zone.map_or(0, |zone| zone.names())).map_err(|bad| bad.to_string())
}

/// The directive's name.
const NAME: &str = "file";

/// Answers from zones.
#[derive(Debug)]
pub(crate) struct File {
    zones: Vec<Arc<ZoneFile>>,
    /// Where a name that does not exist goes on.
    fallthrough: Vec<Name>,
    clock: Arc<dyn Clock>,
    /// The listeners' blocks, whose memory forgets a zone that changes.
    blocks: Mutex<Attached>,
}

/// Server blocks, which can be told but not printed.
#[derive(Default)]
struct Attached(Vec<Arc<dyn Blocks>>);

impl std::fmt::Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attached").field("listeners", &self.0.len()).finish()
    }
}

impl Plugin for File {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        let Some(file) = self.file_of(&query.name).filter(|_| query.class == Class::IN) else {
            return next.serve(query);
        };
        Box::pin(async move {
            let Some(zone) = file.zone() else {
                query.tell(|| What::Plugin { name: NAME, text: "the zone could not be read yet".into() });
                let answer = Answer::empty(&query.name, query.rtype, query.class, Rcode::SERVFAIL);
                return Ok(Reply::fresh(answer, Source::Plugin(NAME)).unstored());
            };
            let asked = Asked { name: &query.name, rtype: query.rtype, dnssec_ok: query.dnssec_ok };
            let found = zone.look_up(asked);
            let is_missing = matches!(found.outcome, Outcome::NameError | Outcome::Success);
            if is_missing && found.answer.is_empty() && self.fallthrough.iter().any(|zone| zone.encloses(&query.name)) {
                query.tell(|| What::Plugin { name: NAME, text: "not in the zone: handed on".into() });
                let served = next.serve(query).await;
                // a zone that has changed meanwhile may have the name
                return if file.is_current(&zone) { served } else { served.map(Reply::unstored) };
            }
            query.tell(|| What::Plugin { name: NAME, text: format!("from the zone {}", zone.origin).into() });
            let reply = reply::made(query, &zone, found, next.blocks()).await;
            // what was found elsewhere took a while: a zone that has changed meanwhile says something else now
            Ok(if file.is_current(&zone) { reply } else { reply.unstored() })
        })
    }

    fn attach(&self, blocks: Arc<dyn Blocks>) {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).0.push(blocks);
    }

    fn run(self: Arc<Self>) -> Boxed<'static, ()> {
        Box::pin(async move {
            let mut looks = tokio::task::JoinSet::new();
            for file in &self.zones {
                looks.spawn(Arc::clone(&self).watched(Arc::clone(file)));
            }
            while looks.join_next().await.is_some() {}
        })
    }
}

impl File {
    /// The file of the longest zone around a name; of two for one zone the last.
    fn file_of(&self, name: &Name) -> Option<&ZoneFile> {
        let around = self.zones.iter().filter(|file| file.origin().encloses(name));
        around.max_by_key(|file| file.origin().label_count()).map(|file| &**file)
    }

    /// Looks at a zone's file again and again.
    async fn watched(self: Arc<Self>, file: Arc<ZoneFile>) {
        let mut timer = file.reload().map(tokio::time::interval);
        if let Some(timer) = &mut timer {
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            timer.tick().await; // the first one is at once, and the file has just been read
        }
        let first = Arc::clone(&file);
        self.looked(&file, move || first.begin()).await;
        let Some(mut timer) = timer else { return };
        loop {
            timer.tick().await;
            let looked = Arc::clone(&file);
            self.looked(&file, move || looked.look() == Look::New).await;
        }
    }

    /// Looks once. If memory may know something else of the zone than it says now, it forgets that: at once and again when
    /// what was looked up just before is stored.
    async fn looked(self: &Arc<Self>, file: &Arc<ZoneFile>, look: impl FnOnce() -> bool + Send + 'static) {
        let (this, looked) = (Arc::clone(self), Arc::clone(file));
        // a large zone takes a while
        let look = tokio::task::spawn_blocking(move || {
            let is_other = look();
            if is_other {
                this.forget(looked.origin());
            }
            is_other
        });
        match look.await {
            Ok(false) => {}
            Ok(true) => {
                tokio::time::sleep(ZONE_SETTLES_AFTER).await;
                let (this, looked) = (Arc::clone(self), Arc::clone(file));
                let again = tokio::task::spawn_blocking(move || this.forget(looked.origin()));
                if again.await.is_ok() {
                    file.settle();
                }
            }
            Err(error) => tracing::error!(%error, "looking at a zone file failed"),
        }
    }

    /// Lets memory forget what it knows of a zone.
    fn forget(&self, origin: &Name) {
        let below = Name::join(b"\x01*", origin);
        let names: Vec<Name> = below.into_iter().chain([origin.clone()]).collect();
        let blocks: Vec<_> = self.blocks.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        for blocks in blocks {
            blocks.forget(&names, self.clock.now());
        }
    }
}
