//! A scripted API server, and what is known then.

use std::sync::{Arc, Weak};
use std::time::Duration;

use contract::limits::PUBLISHED_PER_OBJECT_MAX;
use contract::metrics::Metrics;
use contract::wire::{Name, RecordType};
use contract::{Changes, FakeClock, Kind, Published};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::super::{DnsEndpoint, Ingress, Parts, Publishes, Service, Shown, follow};
use super::shown;
use crate::reflector::script::{Reply, Script, Way, at_once, bookmark, end, gone};
use crate::trouble::Trouble;

/// A watch of one kind at work.
pub(super) struct Scene {
    pub(super) script: Arc<Script>,
    published: Option<Arc<Published>>,
    metrics: Arc<Metrics>,
    parts: Parts,
    works: Vec<JoinHandle<()>>,
}

impl Scene {
    /// Of DNSEndpoints, in the zones `z` and `y`.
    pub(super) fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut scene = Self::of(&[Kind::DnsEndpoint], None, Script::new(replies));
        scene.follow::<DnsEndpoint>(Arc::clone(&scene.script));
        scene
    }

    pub(super) fn of(kinds: &[Kind], namespace: Option<&str>, script: Arc<Script>) -> Self {
        let published = Arc::new(Published::new(kinds));
        let metrics = Arc::new(Metrics::default());
        let parts = Parts {
            out: Arc::downgrade(&published),
            zones: ["z", "y"].map(name).into(),
            namespace: namespace.map(Arc::from),
            clock: Arc::new(FakeClock::new()),
            metrics: Arc::clone(&metrics),
            shown: Arc::new(Shown::new(&metrics)),
        };
        Self { script, published: Some(published), metrics, parts, works: Vec::new() }
    }

    pub(super) fn follow<T: Publishes>(&mut self, script: Arc<Script>) {
        self.works.push(tokio::spawn(follow::<T>(Way(script), self.parts.clone())));
    }

    fn published(&self) -> &Published {
        self.published.as_ref().unwrap()
    }

    pub(super) async fn after(&self, seconds: u64) -> &Self {
        sleep(Duration::from_secs(seconds)).await;
        self
    }

    /// What is published under these names, and by whom.
    fn at(&self, names: &[&str]) -> Vec<String> {
        let all = names.iter().flat_map(|one| self.published().at(&name(one)));
        all.map(|(object, one)| format!("{object}: {}", shown(&one))).collect()
    }

    fn was_withdrawn(&self, asked: &str) -> bool {
        self.published().was_withdrawn(&name(asked), RecordType::A, self.parts.clock.now())
    }

    /// A line of the metrics.
    fn metric(&self, name: &str) -> Option<u64> {
        let text = self.metrics.text();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// The paths that were asked for, without their queries.
    fn paths(&self) -> Vec<String> {
        let asked = self.script.asked();
        asked.iter().map(|(_, path)| path.split('?').next().unwrap().to_owned()).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.works.iter().for_each(JoinHandle::abort);
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// A DNSEndpoint with an address for each of these names.
pub(super) fn object(object: &str, names: &[&str]) -> Value {
    let endpoints: Vec<Value> =
        names.iter().map(|name| json!({"dnsName": name, "recordType": "A", "targets": ["192.0.2.1"]})).collect();
    json!({"metadata": {"name": object, "namespace": "shop", "uid": object, "resourceVersion": "7"}, "spec": {"endpoints": endpoints}})
}

fn event(kind: &str, version: u64, mut object: Value) -> (Duration, String) {
    object["metadata"]["resourceVersion"] = json!(version.to_string());
    at_once(json!({"type": kind, "object": object}).to_string())
}

fn later(seconds: u64, (_, line): (Duration, String)) -> (Duration, String) {
    (Duration::from_secs(seconds), line)
}

/// A streamed list, open as a watch with these lines.
pub(super) fn stream(objects: &[Value], lines: impl IntoIterator<Item = (Duration, String)>) -> Reply {
    let added = objects.iter().map(|object| event("ADDED", 7, object.clone()));
    Reply::Hangs(added.chain([at_once(end(10))]).chain(lines).collect())
}

pub(super) fn absent() -> Reply {
    Reply::Refused(Trouble::Status {
        status: 404,
        message: "the server could not find the requested resource".to_owned(),
    })
}

pub(super) fn denied() -> Reply {
    Reply::Refused(Trouble::Denied { status: 403, message: "forbidden".to_owned() })
}

#[tokio::test(start_paused = true)]
async fn a_list_then_a_change_then_an_end() {
    let lines = [
        later(10, event("MODIFIED", 11, object("one", &["a.z", "c.z"]))),
        later(10, event("DELETED", 12, object("two", &["d.y"]))),
        later(10, event("ADDED", 13, object("three", &["*.z", "not-ours.example"]))),
    ];
    let scene = Scene::new([stream(&[object("one", &["a.z", "b.z", "x.example"]), object("two", &["d.y"])], lines)]);
    assert!(!scene.published().is_listed());
    let all = ["a.z", "b.z", "c.z", "d.y", "*.z", "x.example", "not-ours.example"];
    let by = |object: &str, name: &str| format!("DNSEndpoint shop/{object}: {name}. A 192.0.2.1");
    assert_eq!(scene.after(1).await.at(&all), [by("one", "a.z"), by("one", "b.z"), by("two", "d.y")]);
    assert!(scene.published().is_listed());
    let (version, _) = scene.published().changes_since(0);
    assert_eq!(scene.after(10).await.at(&all), [by("one", "a.z"), by("one", "c.z"), by("two", "d.y")]);
    assert_eq!(scene.published().changes_since(version).1, Changes::Names(vec![name("b.z"), name("c.z")]));
    assert!(scene.was_withdrawn("b.z") && !scene.was_withdrawn("a.z"));
    assert_eq!(scene.after(10).await.at(&all), [by("one", "a.z"), by("one", "c.z")]);
    assert!(scene.was_withdrawn("d.y"));
    assert_eq!(scene.after(10).await.at(&all), [by("one", "a.z"), by("one", "c.z"), by("three", "*.z")]);
    assert_eq!(scene.metric("nearpath_kubernetes_published_names"), Some(3));
    for (kind, count) in [("list", 1), ("changed", 2), ("deleted", 1)] {
        let line = format!("nearpath_kubernetes_published_events_total{{kind=\"dnsendpoints\",type=\"{kind}\"}}");
        assert_eq!(scene.metric(&line), Some(count), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_after_an_outage_drops_what_is_gone_and_tells_of_nothing_else() {
    let (one, two) = (object("one", &["a.z"]), object("two", &["b.z"]));
    let first = stream(&[one.clone(), two], [later(5, at_once(gone()))]);
    let second = stream(std::slice::from_ref(&one), []);
    let scene = Scene::new([first, second]);
    let mut versions = scene.published().versions();
    scene.after(2).await;
    assert_eq!(*versions.borrow_and_update(), 2);
    scene.after(20).await;
    assert_eq!(*versions.borrow_and_update(), 3, "one change more");
    assert_eq!(scene.published().changes_since(2).1, Changes::Names(vec![name("b.z")]));
    assert_eq!(scene.at(&["a.z", "b.z"]), ["DNSEndpoint shop/one: a.z. A 192.0.2.1"]);
    assert!(scene.was_withdrawn("b.z") && !scene.was_withdrawn("a.z"));
    let failed = r#"nearpath_kubernetes_watch_failures_total{kind="dnsendpoints",reason="gone"}"#;
    assert_eq!(scene.metric(failed), Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_installed_or_not_allowed_is_asked_for_about_once_a_minute_and_found_once_it_is_there() {
    for (refusal, reason) in [(absent as fn() -> Reply, "status"), (denied, "denied")] {
        let scene = Scene::new((0..20).map(|_| refusal()));
        scene.after(600).await;
        let asked = scene.script.asked();
        assert!((9..=15).contains(&asked.len()), "{} requests in ten minutes", asked.len());
        let waits: Vec<_> = asked.windows(2).map(|two| (two[1].0 - two[0].0).as_secs()).collect();
        let retries = if reason == "status" { &waits[1..] } else { &waits[..] }; // at first another list is tried at once
        assert!(retries.iter().all(|wait| (48..=72).contains(wait)), "{waits:?}");
        assert!(!scene.published().is_listed());
        let failures = format!("nearpath_kubernetes_watch_failures_total{{kind=\"dnsendpoints\",reason=\"{reason}\"}}");
        assert!(scene.metric(&failures) >= Some(8));
    }
    let list = json!({"metadata": {"resourceVersion": "9"}, "items": [object("one", &["a.z"])]}).to_string();
    let scene =
        Scene::new([absent(), absent(), Reply::Ends(vec![at_once(list)]), Reply::Hangs(vec![at_once(bookmark(9))])]);
    assert!(scene.after(40).await.at(&["a.z"]).is_empty());
    assert_eq!(scene.after(40).await.at(&["a.z"]).len(), 1);
    assert!(scene.published().is_listed());
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_of_one_kind_does_not_touch_another() {
    let mut scene =
        Scene::of(&[Kind::DnsEndpoint, Kind::Service, Kind::Ingress], None, Script::new([absent(), absent()]));
    scene.follow::<DnsEndpoint>(Arc::clone(&scene.script));
    let meta = json!({"name": "web", "namespace": "shop", "uid": "1", "resourceVersion": "1",
        "annotations": {"external-dns.alpha.kubernetes.io/hostname": "web.z"}});
    let status = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}});
    let service = json!({"metadata": meta, "spec": {"type": "LoadBalancer"}, "status": status});
    let ingress = json!({"metadata": meta, "spec": {"rules": [{"host": "in.z"}]}, "status": status});
    let balancers = Script::new([stream(&[service], [])]);
    let ways = Script::new([stream(&[ingress], [])]);
    scene.follow::<Service>(Arc::clone(&balancers));
    scene.follow::<Ingress>(Arc::clone(&ways));
    let all = [
        "Service shop/web: web.z. A 192.0.2.1",
        "Ingress shop/web: web.z. A 192.0.2.1",
        "Ingress shop/web: in.z. A 192.0.2.1",
    ];
    assert_eq!(scene.after(30).await.at(&["web.z", "in.z"]), all);
    assert!(!scene.published().is_listed(), "one is missing");
    scene
        .script
        .then(Reply::Ends(vec![at_once(json!({"metadata": {"resourceVersion": "9"}, "items": []}).to_string())]));
    scene.after(60).await;
    assert!(scene.published().is_listed());
    let path = |script: &Script| script.asked()[0].1.split('?').next().unwrap().to_owned();
    assert_eq!(
        (path(&balancers), path(&ways)),
        ("/api/v1/services".into(), "/apis/networking.k8s.io/v1/ingresses".into())
    );
    assert_eq!(scene.paths()[0], "/apis/externaldns.k8s.io/v1alpha1/dnsendpoints");
    assert_eq!(scene.metric("nearpath_kubernetes_published_names"), Some(3), "of all kinds together");
}

#[tokio::test(start_paused = true)]
async fn one_namespace_is_asked_for_by_its_path_and_without_a_selector() {
    let mut scene = Scene::of(&[Kind::DnsEndpoint], Some("shop"), Script::new([stream(&[], [])]));
    scene.follow::<DnsEndpoint>(Arc::clone(&scene.script));
    assert!(scene.after(1).await.published().is_listed());
    let asked = &scene.script.asked()[0].1;
    let (path, query) = asked.split_once('?').unwrap();
    assert_eq!(path, "/apis/externaldns.k8s.io/v1alpha1/namespaces/shop/dnsendpoints");
    assert!(query.split('&').all(|pair| pair.contains('=') && !pair.contains("Selector")), "{query}");
}

#[tokio::test(start_paused = true)]
async fn objects_that_are_huge_or_odd_break_nothing_and_are_counted() {
    let names: Vec<String> = (0..PUBLISHED_PER_OBJECT_MAX + 100).map(|number| format!("n{number}.z")).collect();
    let huge = object("huge", &names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut odd = object("odd", &["a.z", "b..z", "c z"]);
    odd["spec"]["endpoints"].as_array_mut().unwrap().push(json!(7));
    let mut without = object("without", &[]);
    without["spec"] = json!("nothing");
    let scene = Scene::new([stream(&[huge.clone(), odd, without], [later(5, event("MODIFIED", 11, huge))])]);
    scene.after(60).await;
    assert_eq!(scene.published().count(), PUBLISHED_PER_OBJECT_MAX + 1);
    assert_eq!(scene.script.asked().len(), 1, "it was not asked anew");
    let skipped = |reason: &str| {
        scene.metric(&format!(
            "nearpath_kubernetes_published_skipped_total{{kind=\"dnsendpoints\",reason=\"{reason}\"}}"
        ))
    };
    assert_eq!((skipped("odd"), skipped("object_bound"), skipped("no_room")), (Some(3), Some(200), Some(0)));
}

#[tokio::test(start_paused = true)]
async fn the_watch_ends_with_whoever_holds_what_it_tells() {
    let mut scene = Scene::new([stream(&[object("one", &["a.z"])], [])]);
    scene.after(5).await;
    assert_eq!(scene.metric("nearpath_kubernetes_published_names"), Some(1));
    let second = scene.published.clone();
    scene.published = None;
    scene.after(600).await;
    assert!(!scene.works[0].is_finished(), "somebody else holds it");
    drop(second);
    scene.after(1).await;
    assert!(scene.works[0].is_finished() && scene.parts.out.upgrade().is_none());
    let Scene { parts, metrics, .. } = &mut scene;
    parts.shown = Arc::new(Shown::new(metrics)); // the last one that had names to show
    parts.out = Weak::new();
    assert_eq!(scene.metric("nearpath_kubernetes_published_names"), Some(0));
}
