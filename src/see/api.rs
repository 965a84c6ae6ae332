//! What is told to whoever asks the daemon about itself: one shape for the unix socket, the page and `--json`.
//!
//! Times are seconds, counts run since the start. Fields are only ever added.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the daemon is doing (`/v1/overview`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Overview {
    /// The node's name.
    pub node: String,
    /// The daemon's version.
    pub version: String,
    /// Since its start.
    pub uptime_s: f64,
    /// Questions that were answered.
    pub queries: u64,
    /// The same by what memory did: `success`, `denial`, `stale`, `miss`, `none`.
    pub ways: BTreeMap<String, u64>,
    /// The same by RCODE.
    pub rcodes: BTreeMap<String, u64>,
    /// The same by type.
    pub types: BTreeMap<String, u64>,
    /// The same by transport.
    pub transports: BTreeMap<String, u64>,
    /// From arrival to reply; a hit counts as zero.
    pub latency: Histogram,
    /// What a hit takes from its datagram to its reply, as measured on a few of them.
    pub hit_latency: Histogram,
    /// The answer store.
    pub store: StoreState,
    /// Searches by the position that decided: `1`, `2`, .. `absolute`, `none`, `failed`.
    pub autopath: BTreeMap<String, u64>,
    /// Questions that were no first step of a search, by why.
    pub plain: BTreeMap<String, u64>,
    /// Questions that waited for an identical one.
    pub coalesced: u64,
    /// Replies past their end.
    pub stale: u64,
    /// Queries lost to an internal error.
    pub panics: u64,
    /// Questions refused, by the bound that was reached.
    pub bounds: BTreeMap<String, u64>,
    /// What the sockets counted.
    pub udp: BTreeMap<String, u64>,
    /// Clients' questions under way.
    pub misses_outstanding: u64,
    /// Clients' connections.
    pub connections_open: u64,
    /// Those who are asked.
    pub upstreams: Vec<UpstreamState>,
    /// Who has an address; absent without AutoPath.
    pub index: Option<IndexState>,
    /// The kernel's failsafe; absent where nothing of the node is set up.
    pub failsafe: Option<FailsafeState>,
    /// Failures by cause, the most frequent first.
    pub failures: Vec<FailureSeen>,
    /// Why `/health` is not well, if it is not.
    pub health: Option<String>,
    /// Who is not ready.
    pub not_ready: Vec<String>,
}

/// Counts of observations up to each bound.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// Upper bounds, ascending.
    pub bounds_s: Vec<f64>,
    /// One more than there are bounds: the last is of what is above.
    pub counts: Vec<u64>,
    /// The sum of all.
    pub sum_s: f64,
}

/// The answer store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StoreState {
    /// Octets that the answers take.
    pub octets: u64,
    /// Octets that they may take.
    pub bound: u64,
    /// How many there are.
    pub entries: u64,
}

/// Somebody who is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct UpstreamState {
    /// `IP:PORT`.
    pub address: String,
    /// `udp`, `tcp` or `tls`.
    pub protocol: String,
    /// The directive that asks.
    pub plugin: String,
    /// For which zones.
    pub zones: String,
    /// False if its health checks fail.
    pub is_up: bool,
    /// For how long, if that has changed since the start.
    pub since_s: Option<f64>,
    /// What it usually takes to answer.
    pub round_trip_s: Option<f64>,
    /// Questions to it under way.
    pub outstanding: u64,
    /// Why it was last without an answer.
    pub last_failure: Option<String>,
}

/// Who has an address.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct IndexState {
    /// False until the pods of this node are known.
    pub synced: bool,
    /// Pods that are known.
    pub pods: u64,
    /// Addresses that have a search list.
    pub addresses: u64,
    /// Since the last word of the API server, or of the file.
    pub age_s: f64,
    /// Addresses that two pods claim.
    pub conflicts: u64,
    /// Addresses that the kernel doubts.
    pub doubts: u64,
}

/// The kernel's failsafe.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FailsafeState {
    /// True if questions go to the central servers once no daemon is there.
    pub armed: bool,
    /// `nftables`, `iptables` or `none`.
    pub rules: String,
    /// The addresses that pods ask.
    pub addresses: Vec<String>,
    /// Since it was last renewed.
    pub renewed_s: Option<f64>,
}

/// A cause of failures.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FailureSeen {
    /// What was said to clients.
    pub cause: String,
    /// How often.
    pub count: u64,
    /// Since the last time.
    pub last_s: f64,
}

/// Who and what is asked for most, of late (`/v1/top`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Top {
    /// The time that it is about.
    pub window_s: f64,
    /// One of so many queries was looked at.
    pub one_of: u64,
    /// Names, the most frequent first.
    pub names: Vec<TopName>,
    /// Clients, the most frequent first.
    pub clients: Vec<TopClient>,
}

/// A name that is asked for often.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TopName {
    /// The name.
    pub name: String,
    /// The type.
    pub rtype: String,
    /// How often, estimated from above.
    pub queries: u64,
    /// By how much that may be too much.
    pub error: u64,
}

/// A client that asks often.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TopClient {
    /// Its address.
    pub ip: String,
    /// `NAMESPACE/NAME`, if it is known.
    pub pod: Option<String>,
    /// How often, estimated from above.
    pub queries: u64,
    /// By how much that may be too much.
    pub error: u64,
}

/// The last quarter of an hour (`/v1/history`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct History {
    /// From point to point.
    pub step_s: f64,
    /// The oldest first.
    pub points: Vec<Point>,
}

/// What happened in one step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Point {
    /// How long ago it ended.
    pub ago_s: f64,
    /// Questions in it.
    pub queries: u64,
    /// Those that memory answered, stale ones too.
    pub hits: u64,
    /// Those that were told SERVFAIL or REFUSED.
    pub failures: u64,
    /// Half of all took no longer; absent where there were none.
    pub p50_s: Option<f64>,
    /// 99 of 100 took no longer.
    pub p99_s: Option<f64>,
}

/// Why a name gets the answer that it gets (`/v1/explain`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Explained {
    /// What was asked of the server blocks: the first step of the client's search, where it searches.
    pub asked: Asked,
    /// On whose behalf.
    pub client: ClientAs,
    /// The server block that the name entered.
    pub block: String,
    /// Its directives in query order.
    pub chain: Vec<String>,
    /// AutoPath's walk, candidate by candidate.
    pub walk: Vec<Walked>,
    /// Every step in the order of their ends.
    pub steps: Vec<StepTold>,
    /// Steps that there was no room for.
    pub left_out: usize,
    /// The reply.
    pub reply: Told,
}

/// A question.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Asked {
    /// The name.
    pub name: String,
    /// The type.
    pub rtype: String,
}

/// A client, as far as it decides an answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClientAs {
    /// Its address.
    pub ip: Option<String>,
    /// `NAMESPACE/NAME`.
    pub pod: Option<String>,
    /// Its search domains.
    pub search: Vec<String>,
    /// Names with fewer dots are searched.
    pub ndots: u8,
    /// Why its questions are resolved as asked, if they are.
    pub plain: Option<String>,
}

/// A candidate of a search.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Walked {
    /// Its place, from 1 on.
    pub position: u8,
    /// How many there are.
    pub of: u8,
    /// The candidate.
    pub name: String,
    /// What became of it.
    pub result: String,
}

/// A step of a question's way.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StepTold {
    /// The name that this step was about.
    pub name: String,
    /// The type.
    pub rtype: String,
    /// How often the question had entered the server blocks anew.
    pub depth: u8,
    /// When it began, since the question came.
    pub begun_s: f64,
    /// How long it took.
    pub took_s: f64,
    /// `block`, `gate`, `memory`, `coalesced`, `plugin`, `candidate` or `upstream`.
    pub kind: String,
    /// What happened.
    pub text: String,
}

/// A reply.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Told {
    /// The RCODE.
    pub rcode: String,
    /// The records as dig prints them.
    pub records: Vec<String>,
    /// The Extended DNS Errors.
    pub ede: Vec<String>,
    /// How long it took.
    pub took_s: f64,
    /// The way in a line, as `+nsid` tells it.
    pub way: String,
}

/// A query that was seen (`/v1/watch`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sighted {
    /// When, by the clock on the wall (RFC 3339).
    pub at: String,
    /// Who asked.
    pub client: String,
    /// `NAMESPACE/NAME`, if it is known.
    pub pod: Option<String>,
    /// `udp`, `tcp`, `tls` or `https`.
    pub transport: String,
    /// The name.
    pub name: String,
    /// The type.
    pub rtype: String,
    /// What the reply said.
    pub rcode: String,
    /// How it came about: a label of `contract::Way`.
    pub way: String,
    /// From arrival to reply.
    pub took_s: f64,
    /// For how many queries it stands.
    pub weight: u32,
}

/// What the index holds (`/v1/pods`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pods {
    /// By address.
    pub pods: Vec<PodTold>,
    /// Those that there was no room for.
    pub left_out: usize,
    /// Since the last word of the API server, or of the file.
    pub age_s: f64,
}

/// Whoever has an address.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PodTold {
    /// `NAMESPACE/NAME`, if it is known.
    pub pod: Option<String>,
    /// The address.
    pub address: String,
    /// The search domains.
    pub search: Vec<String>,
    /// Names with fewer dots are searched.
    pub ndots: u8,
    /// Why its questions are resolved as asked, if they are.
    pub plain: Option<String>,
}

/// What is wrong with a request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Refusal {
    /// In words, with what was expected.
    pub error: String,
}
