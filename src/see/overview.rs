//! How the daemon is doing, gathered from wherever it is counted, when somebody asks.

use std::collections::BTreeMap;

use cache::Class;
use contract::metrics::{Labels, Metrics, SECONDS};
use contract::wire::{Rcode, RecordType};
use contract::{Moment, Plain, PodIndex, Standing};

use super::api::{FailsafeState, Histogram, IndexState, Overview, StoreState, UpstreamState};
use crate::admin::State;
use crate::assembly::Register;
use crate::listening::Meters;
use crate::serve::tally::{TRANSPORT_LABELS, TYPES, Totals};
use crate::serve::udp::HIT_SECONDS;
use crate::serve::zones::Shared;

/// What memory did, in the order of [`Totals::store`].
const WAYS: [&str; 4] = ["success", "denial", "stale", "miss"];

/// All of it at this moment.
pub(super) fn overview(
    state: &State,
    started: Moment,
    pods: Option<&PodIndex>,
    failsafe: Option<FailsafeState>,
) -> Overview {
    let (shared, meters) = (state.shared(), state.meters());
    let now = shared.clock.now();
    let totals: Vec<Totals> = state.register().tallies().iter().map(|(_, tally)| tally.totals()).collect();
    let queries = requests(&totals).map(|(_, count)| count).sum();
    Overview {
        node: shared.node_name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: now.since(started).as_secs_f64(),
        queries,
        ways: ways(&totals, queries),
        rcodes: sums(
            totals.iter().flat_map(|one| &one.rcodes).map(|(&rcode, &count)| (Rcode(rcode).to_string(), count)),
        ),
        types: sums(requests(&totals).map(|((_, rtype), count)| (type_label(rtype), count))),
        transports: sums(requests(&totals).map(|((via, _), count)| (TRANSPORT_LABELS[via].to_owned(), count))),
        latency: latency(&totals),
        hit_latency: hit_latency(meters),
        store: store(shared, state.register()),
        autopath: by_label(&shared.metrics, "nearpath_autopath_results_total"),
        plain: plain(&totals),
        coalesced: shared.coalesced.value(),
        stale: shared.stale.value(),
        panics: shared.panics.value(),
        bounds: by_label(&shared.metrics, "nearpath_bounds_reached_total"),
        udp: udp(meters),
        misses_outstanding: shared.turnstile.inside() as u64,
        connections_open: meters.connections.counts().open,
        upstreams: upstreams(state),
        index: pods.map(|pods| index(pods, now)),
        failsafe,
        failures: shared.taps.causes().told(now),
        health: state.complaint(),
        not_ready: state.not_ready().into_iter().map(str::to_owned).collect(),
    }
}

/// Queries by transport and type, as [`Totals::requests`] numbers them.
fn requests(totals: &[Totals]) -> impl Iterator<Item = ((usize, usize), u64)> {
    let requests = totals.iter().flat_map(|totals| &totals.requests);
    requests.map(|(&(transport, _, rtype), &count)| ((transport, rtype), count))
}

fn sums(counts: impl Iterator<Item = (String, u64)>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    counts.for_each(|(label, count)| *sums.entry(label).or_default() += count);
    sums
}

fn type_label(index: usize) -> String {
    TYPES.get(index).map_or("other".to_owned(), RecordType::to_string)
}

/// What memory did; `none` of those that it had no part in.
fn ways(totals: &[Totals], queries: u64) -> BTreeMap<String, u64> {
    let way = |(index, label): (usize, &str)| (label.to_owned(), totals.iter().map(|one| one.store[index]).sum());
    let mut ways: BTreeMap<String, u64> = WAYS.into_iter().enumerate().map(way).collect();
    let used = ways.values().sum();
    ways.insert("none".to_owned(), queries.saturating_sub(used));
    ways
}

/// What AutoPath did not search for, by why; what did not occur is left out.
fn plain(totals: &[Totals]) -> BTreeMap<String, u64> {
    let counts = totals.iter().flat_map(|totals| Plain::ALL.iter().zip(totals.plain));
    sums(counts.filter(|(_, count)| *count > 0).map(|(plain, count)| (plain.label().to_owned(), count)))
}

fn latency(totals: &[Totals]) -> Histogram {
    let mut latency = Histogram { bounds_s: SECONDS.to_vec(), counts: vec![0; SECONDS.len() + 1], sum_s: 0.0 };
    for (counts, microseconds) in totals.iter().map(|totals| &totals.seconds) {
        latency.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        latency.sum_s += *microseconds as f64 / 1e6;
    }
    latency
}

fn hit_latency(meters: &Meters) -> Histogram {
    let (counts, nanoseconds) = meters.udp.hits();
    Histogram { bounds_s: HIT_SECONDS.to_vec(), counts, sum_s: nanoseconds as f64 / 1e9 }
}

fn store(shared: &Shared, register: &Register) -> StoreState {
    // failures are counted with the denials
    let of_block = |(id, _): (cache::BlockId, String)| {
        [Class::Success, Class::Denial].map(|class| shared.store.entries(id, class) as u64).iter().sum::<u64>()
    };
    StoreState {
        octets: shared.store.bytes(),
        bound: shared.store.bound(),
        entries: register.fingerprints().into_iter().map(of_block).sum(),
    }
}

/// The counters of a name by their only label; those at zero are left out.
fn by_label(metrics: &Metrics, name: &str) -> BTreeMap<String, u64> {
    let of = |(labels, count): (Labels, f64)| labels.into_iter().next().map(|(_, value)| (value, count as u64));
    sums(metrics.values(name).into_iter().filter_map(of).filter(|(_, count)| *count > 0))
}

fn udp(meters: &Meters) -> BTreeMap<String, u64> {
    let udp = meters.udp.counts();
    let counts = [
        ("received", udp.received),
        ("sent", udp.sent),
        ("unsent", udp.unsent),
        ("batches", udp.batches),
        ("silent", udp.silent),
        ("panicked", udp.panicked),
    ];
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

/// Those who are asked, each once for each directive and its zones.
fn upstreams(state: &State) -> Vec<UpstreamState> {
    let mut standings: Vec<Standing> = state.plugins().iter().flat_map(|plugin| plugin.standings()).collect();
    let place = |one: &Standing| (one.plugin, one.zones.clone(), one.address, one.protocol);
    standings.sort_by_key(place);
    standings.dedup_by_key(|one| place(one));
    let told = |one: Standing| UpstreamState {
        address: one.address.to_string(),
        protocol: one.protocol.to_owned(),
        plugin: one.plugin.to_owned(),
        zones: one.zones,
        is_up: one.is_up,
        since_s: one.since.map(|since| since.as_secs_f64()),
        round_trip_s: one.round_trip.map(|took| took.as_secs_f64()),
        outstanding: one.outstanding as u64,
        last_failure: one.last_failure.map(|failure| failure.to_string()),
    };
    standings.into_iter().map(told).collect()
}

/// How much is known of who has which address.
fn index(index: &PodIndex, now: Moment) -> IndexState {
    let census = index.census();
    IndexState {
        synced: census.is_synced,
        pods: census.pods as u64,
        addresses: census.addresses as u64,
        age_s: index.age(now).unwrap_or_default().as_secs_f64(),
        conflicts: census.conflicts as u64,
        doubts: census.doubts as u64,
    }
}
