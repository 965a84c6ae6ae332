//! What one server block wants of the store: caps of TTLs, capacities, and what is done with answers past their end.

use std::time::Duration;

use contract::limits::{EXCHANGE_WITHIN, SERVFAIL_MAX, STALE_AFTER, STALE_MAX, STALE_RECHECK, STALE_TTL};
use contract::wire::Name;
use contract::{Age, Moment, Reply};

use crate::{Entry, judge};

/// How many answers of a class a block memorises (CoreDNS's default: 256 shards of 39).
pub(crate) const CAPACITY: usize = 9_984;
/// TTLs of answers with records are cut to this, seconds.
const SUCCESS_TTL_MAX: u32 = 3_600;
/// TTLs of denials are cut to this, seconds.
const DENIAL_TTL_MAX: u32 = 1_800;
/// TTLs are raised to this, seconds.
pub(crate) const TTL_MIN: u32 = 5;
/// Questions further apart than this do not make a name popular.
pub(crate) const PREFETCH_GAP: Duration = Duration::from_secs(60);
/// The share of its life that is left when an answer is fetched anew, per cent.
pub(crate) const PREFETCH_SHARE: u8 = 10;

/// The directive `cache` of one block. Its default is the directive without arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Only names in these zones are memorised; `None`: all names of the block.
    pub zones: Option<Box<[Name]>>,
    /// Answers with records of the type asked for.
    pub success: ClassPolicy,
    /// NXDOMAIN and NOERROR without such records (RFC 2308).
    pub denial: ClassPolicy,
    /// Answers asked for often are fetched anew before their end; absent if they are not.
    pub prefetch: Option<Prefetch>,
    /// Answers past their end (RFC 8767).
    pub stale: StalePolicy,
    /// How long a SERVFAIL is memorised (RFC 9520); zero: no failure is.
    pub servfail: Duration,
    /// TTLs are not aged while an answer is fresh.
    pub keep_ttl: bool,
    /// A denial does not replace an answer with records before that answer's stale end.
    pub prefer_positive: bool,
}

/// Settings of one class of answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassPolicy {
    /// How many answers the block memorises.
    pub capacity: usize,
    /// TTLs are cut to this, seconds.
    pub ttl_max: u32,
    /// TTLs are raised to this, seconds; `ttl_max` wins.
    pub ttl_min: u32,
    /// Names in these zones are not memorised; the bounds of TTLs hold for them too.
    pub disabled: Box<[Name]>,
}

/// When an answer is fetched anew before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefetch {
    /// How many questions make it popular.
    pub amount: u32,
    /// A longer gap between two of them starts the count anew.
    pub gap: Duration,
    /// What is left of its life then, per cent; at least one second.
    pub share: u8,
}

/// What is done with answers past their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StalePolicy {
    /// How long past its end an answer may be served; zero: never.
    pub max: Duration,
    /// When.
    pub mode: StaleMode,
    /// How long a client waits for a fresh answer before the stale one goes out.
    pub patience: Duration,
    /// The TTL of stale records, seconds.
    pub ttl: u32,
    /// How long after a failed or slow attempt upstream is left alone.
    pub recheck: Duration,
}

/// When a stale answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleMode {
    /// When upstream failed or is slow; from then on at once, until upstream has answered.
    Failing,
    /// At once, and upstream is asked beside it.
    Immediate,
    /// When upstream, asked first, failed or is slow; asked first again after each recheck period.
    Verify,
}

impl Default for Policy {
    fn default() -> Self {
        let class = |ttl_max| ClassPolicy { capacity: CAPACITY, ttl_max, ttl_min: TTL_MIN, disabled: [].into() };
        Self {
            zones: None,
            success: class(SUCCESS_TTL_MAX),
            denial: class(DENIAL_TTL_MAX),
            prefetch: None,
            stale: StalePolicy {
                max: STALE_MAX,
                mode: StaleMode::Failing,
                patience: STALE_AFTER,
                ttl: STALE_TTL,
                recheck: STALE_RECHECK,
            },
            servfail: SERVFAIL_MAX,
            keep_ttl: false,
            prefer_positive: false,
        }
    }
}

impl Policy {
    /// True if the name (wire form, lower case) is one that is memorised.
    pub fn covers(&self, name: &[u8]) -> bool {
        self.zones.as_deref().is_none_or(|zones| encloses(zones, name))
    }

    /// A reply for a name (wire form, lower case) that bypasses the store, with its TTLs as the store would bound them.
    pub fn bounded(&self, name: &[u8], reply: Reply) -> Reply {
        if self.covers(name) { judge::bounded(reply, self).0 } else { reply }
    }

    /// How long a client waits for a fresh answer when a stale one is at hand: until then the client's own patience
    /// is not at risk.
    pub fn patience(&self) -> Duration {
        self.stale.patience.min(EXCHANGE_WITHIN)
    }

    /// How a stale answer is written.
    pub fn stale_age(&self) -> Age {
        if self.stale.ttl == STALE_TTL { Age::Stale } else { Age::StaleWith(self.stale.ttl) }
    }

    /// How an entry that is fresh is written.
    pub(crate) fn fresh_age(&self, entry: &Entry, now: Moment) -> Age {
        if self.keep_ttl { Age::Kept } else { Age::Fresh(entry.age(now)) }
    }
}

impl ClassPolicy {
    /// True if the name (wire form, lower case) is in no disabled zone.
    pub(crate) fn takes(&self, name: &[u8]) -> bool {
        !encloses(&self.disabled, name)
    }

    /// A TTL within its bounds, seconds; `floor_max` keeps the minimum from outliving what the answer rests on.
    pub(crate) fn bounded(&self, ttl: u32, floor_max: u32) -> u32 {
        ttl.max(self.ttl_min.min(floor_max)).min(self.ttl_max)
    }
}

fn encloses(zones: &[Name], name: &[u8]) -> bool {
    zones.iter().any(|zone| Name::strip(name, zone.as_wire()).is_some())
}
