//! What a node that watches published names costs the API server, and what these names take in the node.

mod arithmetic;

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Column, Row};
use crate::bench::Bench;
use crate::cluster::{CHANGED, Counts, Meter, Node, Published, PublishingCluster, SETTLE, Watching, guarded};
use crate::record::{Record, Values};

/// Daemons of a line; told is a mean.
const NODES: usize = 5;
/// Time in which nothing changes; what comes in it is told for ten minutes, in seconds.
const QUIET: Duration = Duration::from_secs(300);
const QUIET_SHORT: Duration = Duration::from_secs(60);
const TEN_MINUTES: f64 = 600.0;
/// Octets.
const KB: f64 = 1e3;
const MB: f64 = 1e6;
/// Milliseconds of a second.
const MS: f64 = 1e3;

/// The lines of the table.
const WITHOUT: (&str, Published) = ("no watch", Published::Nothing);
const ONE_NAMESPACE: (&str, Published) = ("DNSEndpoints of one namespace", Published::OneNamespace);
const ENDPOINTS: (&str, Published) = ("DNSEndpoints", Published::Endpoints);
const SERVICES: (&str, Published) = ("DNSEndpoints, Services", Published::Services);
const INGRESSES: (&str, Published) = ("DNSEndpoints, Services, Ingresses", Published::Ingresses);
const LINES: &[(&str, Published)] = &[WITHOUT, ONE_NAMESPACE, ENDPOINTS, SERVICES, INGRESSES];

pub(super) const ROW: Row = Row {
    name: "published",
    title: "What the watch of a private zone costs",
    about: "`privatezone { watch }` before a real kube-apiserver with 2,000 DNSEndpoints of one A record, 5,000 Services of which \
            500 are published, and 500 Ingresses, in 40 namespaces. Five daemons beside each other; told is what each of them \
            costs. Start: requests begun, objects and octets sent until all is listed. Quiet: ten minutes in which nothing \
            changes. Churn: 500 objects of each kind are changed; a DNSEndpoint is two events, for ExternalDNS writes its \
            status. Memory: resident (VmRSS) more than without a watch.",
    columns: &[
        Column { key: "watches", head: "watches held", decimals: 0 },
        Column { key: "requests", head: "start, requests", decimals: 0 },
        Column { key: "objects", head: "objects", decimals: 0 },
        Column { key: "start", head: "start, KB", decimals: 1 },
        Column { key: "start_cpu", head: "start, API server's CPU, ms", decimals: 0 },
        Column { key: "quiet", head: "quiet, KB", decimals: 1 },
        Column { key: "events", head: "churn, events", decimals: 0 },
        Column { key: "churn", head: "churn, KB", decimals: 1 },
        Column { key: "cpu", head: "churn, its CPU, ms", decimals: 1 },
        Column { key: "names", head: "names kept", decimals: 0 },
        Column { key: "resident", head: "resident, MB", decimals: 2 },
        Column { key: "more", head: "more than without, MB", decimals: 2 },
        Column { key: "peak", head: "peak, MB", decimals: 2 },
    ],
    compared: None,
    goals: &[],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> Result<()> {
    guarded(|| {
        let cluster = PublishingCluster::start(bench)?;
        let quiet = bench.options.pick(QUIET, QUIET_SHORT);
        let meter = Meter::new(&cluster.plane, quiet);
        // what the API server's own watches take of a churn
        let (churned, ()) = meter.during(|| cluster.change());
        let course = Course { bench, cluster: &cluster, meter, churned, quiet };
        for round in 1..=bench.options.rounds_of_slow_rows() {
            for (name, published) in LINES {
                let idle = record.figures(WITHOUT.0, "resident").get(round - 1).copied().flatten();
                record.measure(round, name, || course.run(*published, idle));
            }
        }
        for note in caveats(quiet).into_iter().chain(arithmetic::notes(record)) {
            record.note(note);
        }
        Ok(())
    })
}

/// One cluster, and what its API server does when nobody asks.
struct Course<'c> {
    bench: &'c Bench,
    cluster: &'c PublishingCluster,
    meter: Meter<'c>,
    /// Its own watches within a churn.
    churned: Counts,
    quiet: Duration,
}

impl Course<'_> {
    /// A line; `idle`: what is resident without a watch, MB.
    fn run(&self, published: Published, idle: Option<f64>) -> Result<Values> {
        let start = |number| Node::start(self.bench, &self.cluster.plane, number, Watching::Published(published));
        let (first, nodes) = self.meter.less_own(|| (0..NODES).map(start).collect::<Result<Vec<_>>>());
        let nodes = nodes?;
        let each = 1.0 / NODES as f64;
        let mean = |of: &dyn Fn(&Node) -> Result<f64>| {
            Ok::<_, anyhow::Error>(nodes.iter().map(of).sum::<Result<f64>>()? * each)
        };
        let (quiet, ()) = self.meter.less_own(|| std::thread::sleep(self.quiet));
        let resident = mean(&|node| Ok(node.memory()?.resident / MB))?;
        let before = mean(&Node::cpu)?;
        let churned = self.meter.during(|| self.cluster.change()).0 - self.churned;
        let cpu = mean(&Node::cpu)? - before;
        for node in &nodes {
            let (heard, names) = (node.heard("changed"), node.metric("nearpath_kubernetes_published_names"));
            let expected = (published.events() as f64, published.names() as f64);
            ensure!((heard, names) == expected, "{heard} changes heard and {names} names known, not {expected:?}");
        }
        let (first, churned) = (first.times(each), churned.times(each));
        let objects = published.objects() as f64;
        ensure!(first.events.round() >= objects, "{} objects were streamed, not {objects}", first.events);
        let quiet = quiet.times(each * TEN_MINUTES / self.quiet.as_secs_f64());
        let mut values = Values::from([
            ("watches", first.watches),
            ("requests", first.requests),
            ("objects", first.events),
            ("start", first.streamed() / KB),
            ("start_cpu", first.cpu * MS),
            ("quiet", quiet.streamed() / KB),
            ("events", churned.events),
            ("churn", churned.streamed() / KB),
            ("cpu", cpu * MS),
            ("names", published.names() as f64),
            ("resident", resident),
            ("peak", mean(&|node| Ok(node.memory()?.peak / MB))?),
        ]);
        values.extend(idle.map(|idle| ("more", resident - idle)));
        drop(nodes);
        std::thread::sleep(SETTLE); // until their watches have ended
        Ok(values)
    }
}

/// What a reader must know to read the figures right.
fn caveats(quiet: Duration) -> Vec<String> {
    vec![
        format!(
            "Quiet: {} s, told for ten minutes: bookmarks. A watch is renewed after 5 to 10 minutes, and after 6 to 12 hours \
             all is listed again.",
            quiet.as_secs()
        ),
        format!(
            "Octets are those of the JSON before TLS, in watches: lists are streamed in them, and the API server's own list of all \
             Services each three minutes is none. The churn of {CHANGED} objects of each kind takes some seconds, and so the \
             daemon's CPU time has bookmarks and the reading of its metrics in it: the line without a watch shows them. No name \
             is in memory, so none is asked for again."
        ),
        "What is resident more than without a watch is for the most part TLS, HTTP and JSON with their buffers, which are there \
         for the first object; and what a list took while it was read."
            .to_owned(),
    ]
}
