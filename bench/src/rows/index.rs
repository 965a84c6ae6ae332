//! Memory of the index of pods: the same daemon with what it watches and without.

use std::time::Duration;

use anyhow::Result;
use nearpath_tests::{CoreDns, place};

use super::{Column, Row};
use crate::bench::Bench;
use crate::cluster::{Cluster, Node, Watching, guarded};
use crate::goals::{Figure, Goal, Reach};
use crate::record::{Record, Values};

/// Pods of the node that is measured, and those of them that are replaced at once.
const ON_NODE: usize = 256;
const REPLACED: usize = 110;
/// Before memory is read it may be tidied up for this long.
const SETTLE: Duration = Duration::from_secs(3);
/// Octets.
const KIB: f64 = 1_024.0;
const KB: f64 = 1e3;
const MB: f64 = 1e6;

const WITHOUT: &str = "nearpath, no watch";
const WITH: &str = "nearpath, its pods";

pub(super) const ROW: Row = Row {
    name: "index",
    title: "Memory of the index of pods",
    about: "A node with 256 pods in a cluster of 5,000, before a real kube-apiserver: resident memory (VmRSS) of a daemon with \
            `autopath @kubernetes`, beside the same without that line, once the pods are known and after 110 of them were \
            replaced at once. Peak: the most that was ever resident (VmHWM). Index: what the daemon says of it \
            (`nearpath_kubernetes_index_bytes`).",
    columns: &[
        Column { key: "resident", head: "resident, MB", decimals: 2 },
        Column { key: "more", head: "more than without, MB", decimals: 2 },
        Column { key: "index", head: "index, KB", decimals: 0 },
        Column { key: "after", head: "after 110 were replaced, MB", decimals: 2 },
        Column { key: "after_more", head: "more than without, MB", decimals: 2 },
        Column { key: "peak", head: "peak, MB", decimals: 2 },
    ],
    compared: None,
    goals: &[
        Goal {
            says: "memory, 256 pods known, more than without, MB",
            figure: Figure::Value { column: "more", of: WITH },
            reach: Reach::AtMost(8.0),
        },
        Goal {
            says: "memory, 110 of them replaced, more than without, MB",
            figure: Figure::Value { column: "after_more", of: WITH },
            reach: Reach::AtMost(8.0),
        },
    ],
    measure,
};

fn measure(bench: &Bench, record: &mut Record) -> Result<()> {
    guarded(|| {
        let cluster = Cluster::start(bench, ON_NODE)?;
        let some: Vec<_> = (0..REPLACED).collect();
        for round in 1..=bench.options.rounds() {
            let start = |watching| Node::start(bench, &cluster.plane, 0, watching);
            let mut nodes = vec![(WITHOUT, start(Watching::Nothing)?), (WITH, start(Watching::Pods)?)];
            nodes.push(("nearpath, its pods and endpoints", start(Watching::PodsAndEndpoints)?));
            std::thread::sleep(SETTLE);
            let before = nodes.iter().map(|(_, node)| node.memory()).collect::<Result<Vec<_>>>()?;
            cluster.replace(&some);
            std::thread::sleep(SETTLE);
            let after = nodes.iter().map(|(_, node)| node.memory()).collect::<Result<Vec<_>>>()?;
            for (place, (label, node)) in nodes.iter().enumerate() {
                let known = node.metric("nearpath_kubernetes_addresses");
                record.measure(round, label, || {
                    anyhow::ensure!(place == 0 || known == ON_NODE as f64, "{known} addresses are known");
                    Ok(Values::from([
                        ("resident", before[place].resident / MB),
                        ("more", (before[place].resident - before[0].resident) / MB),
                        ("index", node.metric("nearpath_kubernetes_index_bytes") / KB),
                        ("after", after[place].resident / MB),
                        ("after_more", (after[place].resident - after[0].resident) / MB),
                        ("peak", after[place].peak / MB),
                    ]))
                });
            }
        }
        let centre = CoreDns::start_at(place::socket(), &cluster.plane, super::apiserver::CENTRE);
        std::thread::sleep(SETTLE);
        record.note(format!(
            "CoreDNS with `pods verified` in the same cluster: {:.0} MB.",
            centre.resident() as f64 * KIB / MB
        ));
        Ok(())
    })
}
