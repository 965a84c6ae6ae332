//! What was asked a moment ago, kept over a restart: the hot part of the store in a file of the state directory.
//!
//! ```text
//!   every five minutes, and at the end: store --write--> warm.new --fsync, rename--> warm
//!   at the start, before a socket is bound: warm --looked at--> store
//! ```

mod file;
mod stamp;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cache::warm::{Kept, Names, Warm};
use cache::{BlockId, Policy};
use contract::limits::{WARM_AGE_MAX, WARM_EVERY, WARM_OCTETS_MAX};
use contract::{Scope, SearchList};

use crate::assembly::Register;
use crate::daemon::Options;
use crate::serve::entrance::Entrance;
use crate::serve::zones::Shared;

/// The share of the store's bound that is kept at most: both are in memory while they are written or read.
const SHARE: u64 = 4;

/// What keeps the store warm over restarts. Without a state directory it does nothing.
pub struct Warmth {
    folder: Option<PathBuf>,
    shared: Arc<Shared>,
    register: Arc<Register>,
    /// Lists whose answers were put back: their numbers must not be forgotten before somebody else holds them.
    held: Mutex<Vec<Arc<SearchList>>>,
}

/// A block of this process, as kept answers find it.
struct Block {
    id: BlockId,
    policy: Policy,
}

impl Warmth {
    /// Nothing is read or written yet.
    pub fn new(options: &Options, shared: &Arc<Shared>, register: &Arc<Register>) -> Self {
        let (shared, register) = (Arc::clone(shared), Arc::clone(register));
        Self { folder: options.state_dir.clone(), shared, register, held: Mutex::default() }
    }

    /// Puts the answers of an earlier process back into the store, as far as these blocks want them. A file that is of no use
    /// is told in one line.
    pub fn restore(&self, entrances: impl Iterator<Item = Entrance>) {
        let Some(folder) = &self.folder else { return };
        let begun = Instant::now();
        let octets = match file::read(folder) {
            Ok(Some(octets)) => octets,
            Ok(None) => return,
            Err(error) => return tracing::warn!("hot answers of before are not read: {error}"),
        };
        match self.take_over(&octets, &self.blocks(entrances)) {
            Ok((count, age)) => tracing::info!(
                "{count} hot answers of {} s ago taken over in {} ms",
                age.as_secs(),
                begun.elapsed().as_millis()
            ),
            Err(why) => tracing::warn!("{} is ignored: {why}", file::path(folder).display()),
        }
    }

    /// Keeps what is hot, again and again.
    pub async fn keep_regularly(self: Arc<Self>) {
        while self.folder.is_some() {
            tokio::time::sleep(WARM_EVERY).await;
            let this = Arc::clone(&self);
            let kept = tokio::task::spawn_blocking(move || this.keep_now(true)).await;
            debug_assert!(kept.is_ok(), "keeping what is hot panicked");
        }
    }

    /// To be told before the blocks go: the lists that they know are held until what is hot is kept a last time.
    pub fn leaving(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = self.shared.lists.held();
    }

    /// Keeps what is hot a last time.
    pub fn keep(&self) {
        self.keep_now(false);
    }

    fn keep_now(&self, cool: bool) {
        let Some(folder) = &self.folder else { return };
        let share = usize::try_from(self.shared.store.bound() / SHARE).unwrap_or(usize::MAX);
        let names = Names { blocks: self.register.fingerprints(), lists: self.shared.lists.held() };
        let (now, stamp) = (self.shared.clock.now(), stamp::now());
        let bounds = (WARM_EVERY, cool, share.min(WARM_OCTETS_MAX));
        let (octets, count) = cache::warm::write(&self.shared.store, now, &names, &stamp, bounds);
        if cool {
            // by now somebody else holds the lists that pods still have
            self.held.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        match file::write(folder, &octets) {
            Ok(()) => tracing::debug!("{count} hot answers kept"),
            Err(error) => tracing::warn!("hot answers are not kept: {error}"),
        }
    }

    fn take_over(&self, octets: &[u8], blocks: &[(String, Block)]) -> Result<(usize, Duration), String> {
        let warm = Warm::read(octets).map_err(|unusable| unusable.to_string())?;
        let passed = stamp::now().since(&warm.stamp).map(Duration::from_millis);
        let passed = passed.ok_or("it is from the future: the clock was set back")?;
        if passed > WARM_AGE_MAX {
            return Err(format!("it is {} s old", passed.as_secs()));
        }
        let here = |fingerprint: &&str| blocks.iter().find(|(own, _)| own == fingerprint).map(|(_, block)| block);
        let known: Vec<Option<&Block>> = warm.blocks.iter().map(here).collect();
        let lists: Vec<Arc<SearchList>> = warm.lists.iter().map(|domains| self.shared.lists.intern(domains)).collect();
        let now = self.shared.clock.now();
        let put_back = |kept: &Kept<'_>| {
            let block = known.get(kept.block).copied().flatten();
            let scope = match kept.list {
                None => Some(Scope::Shared),
                Some(list) => lists.get(list).map(|list| Scope::Search(list.id)),
            };
            block.zip(scope).is_some_and(|(block, scope)| {
                kept.put_back(&self.shared.store, (block.id, scope), &block.policy, passed, now)
            })
        };
        let count = warm.answers().filter(put_back).count();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = lists;
        Ok((count, passed))
    }

    /// The blocks with a store, each under all of its numbers.
    fn blocks(&self, entrances: impl Iterator<Item = Entrance>) -> Vec<(String, Block)> {
        let fingerprints = self.register.fingerprints();
        let mut blocks = Vec::new();
        for entrance in entrances {
            for block in entrance.blocks() {
                let Some(policy) = &block.store else { continue };
                let own = block.ahead.as_ref().map(|ahead| *ahead.own_id);
                for id in [*block.id, *block.walk_id].into_iter().chain(own) {
                    let own = fingerprints.iter().find(|(known, _)| *known == id);
                    blocks.extend(own.map(|(_, text)| (text.clone(), Block { id, policy: policy.clone() })));
                }
            }
        }
        blocks
    }
}
