//! What a pod costs in memory, counted at the allocator.

use std::collections::HashSet;

use contract::wire::Name;
use contract::{Moment, PodIndex, SearchLists};

use super::Index;
use crate::kubelet::{Host, HostConf, NodeDns};
use crate::pod::PodObject;
use crate::words;

/// Octets that a pod may take, all of it: what is known of it, its share of the lists, and what queries read.
const POD_MAX: usize = 1_024;
const PODS: usize = 1_000;
const NAMESPACES: usize = 20;

fn node() -> NodeDns {
    let host = Host::File(HostConf { search: vec!["corp.example".into()], options: Vec::new() });
    NodeDns { cluster_domain: Some(Name::parse("cluster.local").unwrap()), host }
}

/// A list of pods, each with two addresses, names as a Deployment gives them, and much that is not needed.
fn listed() -> String {
    let pods: Vec<_> = (0..PODS)
        .map(|number| {
            let namespace = number % NAMESPACES;
            let (high, low) = (number / 250, number % 250);
            format!(
                r#"{{"metadata":{{"uid":"8b5c9a0e-4f1f-4a8e-9d57-{number:012}","name":"storefront-7d4b9c6f5-{number:05}",
                "namespace":"team-{namespace}","resourceVersion":"{version}","managedFields":[{{"x":"{filler}"}}]}},
                "spec":{{"containers":[{{"name":"web","env":[{{"name":"A","value":"{filler}"}}]}}]}},
                "status":{{"phase":"Running","podIPs":[{{"ip":"10.0.{high}.{low}"}},{{"ip":"fd00::{number:x}"}}],
                "conditions":[{{"type":"PodReadyToStartContainers","status":"True",
                "lastTransitionTime":"2026-03-01T00:00:03Z"}}],"containerStatuses":[{{"containerID":"containerd://{number}"}}]
                }}}}"#,
                version = 9_000_000 + number,
                filler = "x".repeat(1_000),
            )
        })
        .collect();
    format!(r#"{{"metadata":{{"resourceVersion":"9900000"}},"items":[{}]}}"#, pods.join(","))
}

/// Takes in a list and publishes it.
fn take_in(text: &str, known: &mut (Index, SearchLists, PodIndex)) {
    let (items, version) = words::list::<PodObject>(text.as_bytes()).unwrap();
    let (index, lists, out) = known;
    let claims = items.iter().filter_map(|pod| pod.claim(&node(), lists)).collect();
    index.list(claims, version, Moment(0), false);
    out.replace(&index.residents(false).pods);
}

#[test]
#[expect(clippy::print_stdout, reason = "its figures are read by people")]
fn a_pod_takes_at_most_a_kibibyte_and_pods_of_a_namespace_share_their_list() {
    let text = listed();
    let mut known = (Index::default(), SearchLists::default(), PodIndex::default());
    let kept = allocation_counter::measure(|| take_in(&text, &mut known));
    let each = usize::try_from(kept.bytes_current).unwrap() / PODS;
    let estimated = known.0.octets() / PODS;
    println!("{each} octets a pod ({PODS} pods, {NAMESPACES} namespaces); the index estimates {estimated}");
    assert_eq!(known.2.addresses(), 2 * PODS);
    assert!(each <= POD_MAX, "{each} octets a pod");
    assert!(estimated <= 2 * each && each <= 2 * estimated, "the estimate is far off: {estimated}");
    let lists: HashSet<_> = known.0.residents(false).pods.iter().map(|pod| pod.list.id).collect();
    assert_eq!(lists.len(), NAMESPACES);

    let again = allocation_counter::measure(|| (0..10).for_each(|_| take_in(&text, &mut known)));
    let more = again.bytes_current / i64::try_from(PODS).unwrap();
    println!("ten lists more keep {more} octets a pod more");
    assert!(more <= 16, "lists add up: {more} octets a pod");
}
