//! What a published name costs in memory, counted at the allocator, and what an event costs to read.

use std::hint::black_box;

use contract::metrics::Metrics;
use contract::wire::Name;
use contract::{FakeClock, Kind, Published};
use serde_json::{Value, json};

use super::*;
use crate::words::{self, Event};

/// Octets that a name with one address may take, with the DNSEndpoint that publishes it.
const NAME_MAX: usize = 256;
const NAMES: usize = 10_000;
const EVENTS: usize = 1_000;

/// A DNSEndpoint of one A record as the API server has it, with the fields that nobody needs here.
fn object(number: usize) -> Value {
    let name = format!("storefront-{number:05}");
    let (high, low) = (number / 250, number % 250);
    let fields = json!({"f:metadata": {"f:annotations": {".": {}}}, "f:spec": {".": {}, "f:endpoints": {}}});
    json!({
        "apiVersion": "externaldns.k8s.io/v1alpha1", "kind": "DNSEndpoint",
        "metadata": {"name": name, "namespace": format!("team-{}", number % 20), "generation": 1,
            "uid": format!("8b5c9a0e-4f1f-4a8e-9d57-{number:012}"), "resourceVersion": (9_000_000 + number).to_string(),
            "creationTimestamp": "2026-03-01T00:00:03Z", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x".repeat(400)},
            "managedFields": [{"manager": "kubectl", "operation": "Update", "time": "2026-03-01T00:00:03Z", "fieldsV1": fields}]},
        "spec": {"endpoints": [{"dnsName": format!("{name}.prod.corp.example"), "recordType": "A", "recordTTL": 60,
            "targets": [format!("10.1.{high}.{low}")]}]},
        "status": {"observedGeneration": 1}
    })
}

fn publisher() -> (Arc<Published>, Publisher<DnsEndpoint>) {
    let published = Arc::new(Published::new(&[Kind::DnsEndpoint]));
    let metrics = Arc::new(Metrics::default());
    let parts = Parts {
        out: Arc::downgrade(&published),
        zones: [Name::parse("corp.example").unwrap()].into(),
        namespace: None,
        clock: Arc::new(FakeClock::new()),
        shown: Arc::new(Shown::new(&metrics)),
        metrics,
    };
    (published, Publisher::new(parts))
}

fn take_in(text: &str, out: &Published, publisher: &mut Publisher<DnsEndpoint>) {
    let (items, _) = words::list::<DnsEndpoint>(text.as_bytes()).unwrap();
    // as `Publisher::take_in` does, on this thread, which is the one that is measured
    let objects = items.into_iter().map(|object| publisher.read(&object)).collect();
    out.replace(Kind::DnsEndpoint, objects, publisher.parts.clock.now());
}

#[test]
#[expect(clippy::print_stdout, reason = "its figures are read by people")]
fn a_published_name_takes_few_octets_and_lists_do_not_add_up() {
    let items: Vec<Value> = (0..NAMES).map(object).collect();
    let text = json!({"metadata": {"resourceVersion": "9900000"}, "items": items}).to_string();
    drop(items);
    let (published, mut publisher) = publisher();
    let all = allocation_counter::measure(|| take_in(&text, &published, &mut publisher));
    let changes = allocation_counter::measure(|| drop(black_box(published.changes_since(1))));
    let each = usize::try_from(all.bytes_current).unwrap() / NAMES;
    let most = usize::try_from(all.bytes_max).unwrap() / NAMES;
    println!(
        "{each} octets a name ({NAMES} DNSEndpoints of one A record); {most} while the list is taken in ({} in JSON)",
        text.len() / NAMES
    );
    assert_eq!((published.count(), changes.bytes_current), (NAMES, 0));
    assert!(each <= NAME_MAX, "{each} octets a name");

    let again = allocation_counter::measure(|| (0..3).for_each(|_| take_in(&text, &published, &mut publisher)));
    let more = again.bytes_current / i64::try_from(NAMES).unwrap();
    println!("three lists more keep {more} octets a name more");
    assert!(more <= 8, "lists add up: {more} octets a name");
}

/// A Service of a load balancer; nine in ten of a cluster have no annotation of ExternalDNS.
fn service(number: usize) -> Value {
    let annotations = match number % 10 {
        0 => json!({"external-dns.alpha.kubernetes.io/hostname": format!("web-{number}.corp.example")}),
        _ => json!({"meta.helm.sh/release-name": "web"}),
    };
    let ports: Vec<Value> =
        (0..3).map(|port| json!({"name": format!("p{port}"), "port": port, "protocol": "TCP"})).collect();
    let fields =
        json!({"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {"f:name": {}, "x": "x".repeat(800)}}}});
    json!({
        "metadata": {"name": format!("web-{number}"), "namespace": "shop", "uid": format!("8b5c9a0e-{number:012}"),
            "resourceVersion": "7", "annotations": annotations, "managedFields": [{"manager": "helm", "fieldsV1": fields}]},
        "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.7", "ports": ports},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}}
    })
}

/// Reads events and takes them in; how long each took, in microseconds, is only reported.
#[expect(clippy::disallowed_methods, reason = "a figure for people, and no logic")]
fn microseconds<T: Publishes>(objects: impl Iterator<Item = Value>) -> (f64, usize, usize) {
    let lines: Vec<String> = objects.map(|object| json!({"type": "MODIFIED", "object": object}).to_string()).collect();
    let (published, publisher) = publisher();
    let mut publisher = Publisher::<T>::new(publisher.parts);
    let begun = std::time::Instant::now();
    for line in &lines {
        let Ok(Event::Changed(object)) = words::event::<T>(line.as_bytes()) else { panic!("{line}") };
        publisher.hear(Word::Changed(object), &published);
    }
    let each = begun.elapsed().as_secs_f64() * 1e6 / lines.len() as f64;
    (each, lines.iter().map(String::len).sum::<usize>() / lines.len(), published.count())
}

#[test]
#[expect(clippy::print_stdout, reason = "its figures are read by people")]
fn events_are_read_and_taken_in() {
    let (each, octets, count) = microseconds::<DnsEndpoint>((0..EVENTS).map(object));
    println!("{EVENTS} events of DNSEndpoints, {octets} octets each: {each:.1} us each");
    assert_eq!(count, EVENTS);
    let (each, octets, count) = microseconds::<Service>((0..EVENTS).map(service));
    println!("{EVENTS} events of Services, {octets} octets each: {each:.1} us each");
    assert_eq!(count, EVENTS / 10);
}
