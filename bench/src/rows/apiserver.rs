//! What a node costs the API server, counted by the API server, beside a CoreDNS that watches the whole cluster.

use std::time::Duration;

use anyhow::Result;
use nearpath_tests::{CoreDns, place};

use super::{Column, Compared, Row};
use crate::bench::Bench;
use crate::cluster::{Cluster, Counts, EVENTS_PER_REPLACEMENT, Meter, NODES, Node, PODS, SETTLE, Watching, guarded};
use crate::record::{Record, Values};
use crate::spread::grouped;

/// Pods of each node.
const PER_NODE: usize = PODS / NODES;
/// Pods of each node that are replaced in one churn.
const REPLACED: usize = 10;
/// Times in which no pod changes; what comes in them is told for ten minutes, in seconds.
const QUIET: Duration = Duration::from_secs(600);
const QUIET_SHORT: Duration = Duration::from_secs(120);
const TEN_MINUTES: f64 = 600.0;
/// Octets.
const KIB: f64 = 1_024.0;
const KB: f64 = 1e3;
const MB: f64 = 1e6;
/// Milliseconds of a second.
const MS: f64 = 1e3;

/// The lines of the table; several at once, to see that N cost N times as much.
const NOBODY: &str = "nobody";
const ONE_NODE: &str = "nearpath";
const MANY_NODES: (&str, usize) = ("nearpath, 10 nodes, each", 10);
const ONE_CENTRE: &str = "coredns";
const MANY_CENTRES: (&str, usize) = ("coredns, 3 of them, each", 3);

/// Nodes that the arithmetic is for.
const LARGE: f64 = 10_000.0;
/// Pods that are replaced in a minute there, of all.
const CHURN: f64 = 0.01;
/// The first requests of all nodes after an outage are spread over this, seconds.
const SPREAD: f64 = 5.0;
/// Watches are renewed after 300 to 600 s: on average so many seconds.
const RENEWED: f64 = 450.0;

/// The central server with AutoPath, as CoreDNS demands it: `pods verified`.
pub(super) const CENTRE: &str = "\
.:PORT {
    bind IP
    errors
    autopath @kubernetes
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig KUBECONFIG
        pods verified
        fallthrough in-addr.arpa ip6.arpa
    }
    cache 30
}
";

pub(super) const ROW: Row = Row {
    name: "apiserver",
    title: "What a node costs the API server",
    about: "A real kube-apiserver with 5,000 pods on 50 nodes and in 40 namespaces; its own metrics, per process that watches. \
            Start: requests begun (get, list, watch), objects and octets sent until all is listed (streamed lists are events). \
            Quiet: ten minutes in which no pod changes. Churn: 500 pods, ten of each node, are replaced by others, six events \
            each. nobody: what the API server's own watches take in the same churn, which is taken off the other lines.",
    columns: &[
        Column { key: "requests", head: "start, requests", decimals: 0 },
        Column { key: "objects", head: "objects", decimals: 0 },
        Column { key: "start", head: "start, KB", decimals: 1 },
        Column { key: "again", head: "restart, KB", decimals: 1 },
        Column { key: "watches", head: "watches held", decimals: 0 },
        Column { key: "quiet_requests", head: "quiet, requests", decimals: 1 },
        Column { key: "quiet", head: "quiet, KB", decimals: 1 },
        Column { key: "events", head: "churn, events", decimals: 0 },
        Column { key: "churn", head: "churn, KB", decimals: 1 },
        Column { key: "cpu", head: "churn, API server's CPU, ms", decimals: 0 },
        Column { key: "memory", head: "its memory, MB", decimals: 1 },
    ],
    compared: Some(Compared { column: "churn", to: ONE_NODE }),
    goals: &[],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> Result<()> {
    guarded(|| {
        let cluster = Cluster::start(bench, PER_NODE)?;
        let nodes = |count: usize| -> Result<Vec<Node>> {
            (0..count).map(|number| Node::start(bench, &cluster.plane, number, Watching::PodsAndEndpoints)).collect()
        };
        let centres = |count: usize| -> Result<Vec<CoreDns>> {
            Ok((0..count).map(|_| CoreDns::start_at(place::socket(), &cluster.plane, CENTRE)).collect())
        };
        let of_node = |node: &Node| Ok(node.memory()?.resident);
        let of_centre = |centre: &CoreDns| Ok(centre.resident() as f64 * KIB);
        let (long, short) = bench.options.pick((QUIET, QUIET_SHORT), (QUIET_SHORT, QUIET_SHORT / 4));
        for round in 1..=bench.options.rounds_of_slow_rows() {
            let course = Course::before(&cluster, short);
            record.measure(round, NOBODY, || Ok(course.alone()));
            record.measure(round, ONE_NODE, || course.run(|| nodes(1), of_node, None));
            record.measure(round, MANY_NODES.0, || course.run(|| nodes(MANY_NODES.1), of_node, Some(long)));
            record.measure(round, ONE_CENTRE, || course.run(|| centres(1), of_centre, None));
            record.measure(round, MANY_CENTRES.0, || course.run(|| centres(MANY_CENTRES.1), of_centre, Some(short)));
        }
        for note in caveats(long, short).into_iter().chain(arithmetic(record)) {
            record.note(note);
        }
        Ok(())
    })
}

/// One cluster, and what its API server does when nobody asks.
struct Course<'c> {
    cluster: &'c Cluster,
    meter: Meter<'c>,
    /// The pods of a churn.
    churn: Vec<usize>,
    /// Its own watches within a churn.
    churned: Counts,
}

impl<'c> Course<'c> {
    fn before(cluster: &'c Cluster, quiet: Duration) -> Self {
        let churn = cluster.some_of_each_node(REPLACED);
        let meter = Meter::new(&cluster.plane, quiet);
        let mut course = Self { cluster, meter, churn, churned: Counts::default() };
        course.churned = course.churn();
        course
    }

    /// The line of nobody: the same for all of the cluster.
    fn alone(&self) -> Values {
        let ten_minutes = self.meter.own.times(TEN_MINUTES);
        Values::from([
            ("watches", Counts::of(&self.cluster.plane).watches),
            ("quiet_requests", ten_minutes.requests),
            ("quiet", ten_minutes.octets / KB),
            ("events", self.churned.events),
            ("churn", self.churned.octets / KB),
            ("cpu", self.churned.cpu * MS),
        ])
    }

    /// The line of processes that watch, told for each of them.
    fn run<T>(
        &self,
        start: impl Fn() -> Result<Vec<T>>,
        memory: impl Fn(&T) -> Result<f64>,
        quiet: Option<Duration>,
    ) -> Result<Values> {
        let (first, running) = self.meter.less_own(&start);
        drop(running?);
        std::thread::sleep(SETTLE);
        let (again, running) = self.meter.less_own(&start);
        let running = running?;
        let each = 1.0 / running.len() as f64;
        let mut values = Values::new();
        if let Some(quiet) = quiet {
            let (counts, ()) = self.meter.less_own(|| std::thread::sleep(quiet));
            let told = counts.times(each * TEN_MINUTES / quiet.as_secs_f64());
            values.extend([("quiet_requests", told.requests), ("quiet", told.octets / KB)]);
        }
        let churned = (self.churn() - self.churned).times(each);
        let all = running.iter().map(memory).sum::<Result<f64>>()?;
        let (first, again) = (first.times(each), again.times(each));
        values.extend([
            ("requests", first.requests),
            ("objects", first.events),
            ("start", first.octets / KB),
            ("again", again.octets / KB),
            ("watches", again.watches),
            ("events", churned.events),
            ("churn", churned.octets / KB),
            ("cpu", churned.cpu * MS),
            ("memory", all * each / MB),
        ]);
        Ok(values)
    }

    fn churn(&self) -> Counts {
        self.meter.during(|| self.cluster.replace(&self.churn)).0
    }
}

/// What a reader must know to read the figures right.
fn caveats(long: Duration, short: Duration) -> Vec<String> {
    vec![
        format!(
            "Quiet: {} s for nearpath, {} s for nobody and CoreDNS, told for ten minutes. A watch is renewed after 5 to 10 \
             minutes, so a short window shows no renewals.",
            long.as_secs(),
            short.as_secs()
        ),
        "Octets are those of the encoded objects before TLS: nearpath reads JSON, CoreDNS protobuf. The pods are as large as a \
         Deployment's with a dozen variables, two volumes and two probes. There are two Services: in a real cluster CoreDNS \
         watches thousands, and their endpoints change as pods do."
            .to_owned(),
        "Each churn is the same 500 pods with other addresses. CPU is that of the whole API server, which also takes the \
         writers' 3,000 requests; what a line adds is the difference of two churns, and small ones are noise."
            .to_owned(),
    ]
}

/// From these figures to those of a large cluster, in words.
fn arithmetic(record: &Record) -> Vec<String> {
    let of = |server, column| record.spread(server, column).map(|spread| spread.median);
    let line = |server| {
        Some(Line {
            requests: of(server, "requests")?,
            start: of(server, "start")? * KB,
            watches: of(server, "watches")?,
            churn: of(server, "churn")? * KB,
        })
    };
    match (line(ONE_NODE), line(ONE_CENTRE)) {
        (Some(node), Some(centre)) => sentences(&node, &centre),
        _ => Vec::new(),
    }
}

/// What of a measured line goes into the arithmetic; octets.
struct Line {
    requests: f64,
    start: f64,
    watches: f64,
    churn: f64,
}

fn sentences(node: &Line, centre: &Line) -> Vec<String> {
    let pods = LARGE * PER_NODE as f64;
    let replaced = pods * CHURN / 60.0;
    let events = replaced * EVENTS_PER_REPLACEMENT as f64;
    // a churn replaces REPLACED pods of the one node, and as many of every other
    let of_nodes = replaced * node.churn / REPLACED as f64;
    let of_centres = replaced * LARGE * centre.churn / (REPLACED * NODES) as f64;
    let listed = LARGE * node.start;
    let listed_everywhere = LARGE * centre.start * (LARGE / NODES as f64);
    let number = |figure: f64| grouped(figure, 0);
    vec![
        format!(
            "By arithmetic, {} nodes with {PER_NODE} pods each ({} pods), where 1 % of the pods is replaced each minute: {} events \
             a second, each sent to one node, {} MB/s together. If each node had a watch of the whole cluster as CoreDNS has: \
             {} million events a second, {} GB/s.",
            number(LARGE),
            number(pods),
            number(events),
            grouped(of_nodes / MB, 1),
            number(events * LARGE / 1e6),
            number(of_centres / 1e9),
        ),
        format!(
            "The same nodes hold {} watches and renew {} a second ({} on each node; a cluster-wide one would hold {}).",
            number(LARGE * node.watches),
            number(LARGE * node.watches / RENEWED),
            number(node.watches),
            number(LARGE * centre.watches),
        ),
        format!(
            "After an outage in which all versions were forgotten all of them list anew, at random within {SPREAD:.0} s: {} \
             requests a second, {} GB in all, to be shared by the API servers. With cluster-wide lists: {} TB.",
            number(LARGE * node.requests / SPREAD),
            grouped(listed / 1e9, 1),
            number(listed_everywhere / 1e12),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_pays_for_its_own_pods_and_a_wide_watch_for_all() {
        let node = Line { requests: 3.0, start: 500e3, watches: 2.0, churn: 240e3 };
        let centre = Line { requests: 4.0, start: 20e6, watches: 4.0, churn: 6e6 };
        let said = sentences(&node, &centre);
        // 1,000,000 pods: 167 replaced a second; 24 KB each; a wide watch has 12 KB of each
        assert!(said[0].contains("(1,000,000 pods)") && said[0].contains("1,000 events a second"), "{}", said[0]);
        assert!(said[0].contains("4.0 MB/s") && said[0].contains("10 million events a second, 20 GB/s"), "{}", said[0]);
        assert!(said[1].contains("20,000 watches and renew 44 a second"), "{}", said[1]);
        assert!(said[2].contains("6,000 requests a second, 5.0 GB in all"), "{}", said[2]);
        assert!(said[2].contains("40 TB"), "{}", said[2]);
    }
}
