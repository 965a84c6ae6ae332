//! What the index says of each address, and why it says nothing: out of the API server's words and the kernel's.

use contract::FakeClock;

use super::*;
use crate::kubelet::Host;
use crate::settings::Settings;
use crate::words::Version;

/// The work with an index that it fills, and what moves both.
struct Node {
    pods: Pods,
    out: Arc<PodIndex>,
    clock: Arc<FakeClock>,
}

fn node() -> Node {
    let (out, clock) = (Arc::new(PodIndex::default()), Arc::new(FakeClock::new()));
    let nowhere = Settings { kubelet_config: "/nonexistent".into(), ..Settings::default() };
    let parts = Parts {
        out: Arc::downgrade(&out),
        node: NodeDns { cluster_domain: Some("cluster.local".parse().unwrap()), host: Host::Unknown },
        host: HostFiles::new(&nowhere, &[]),
        lists: Arc::default(),
        clock: Arc::<FakeClock>::clone(&clock),
        withdrawn: Arc::default(),
        metrics: Arc::default(),
        ask: Arc::default(),
        zone: watch::Sender::new(None),
    };
    Node { pods: Pods::new(parts), out, clock }
}

fn pod(name: &str, version: u64, spec: &str, address: &str) -> PodObject {
    let meta = format!(r#"{{"uid":"uid-{name}","name":"{name}","namespace":"shop","resourceVersion":"{version}"}}"#);
    let status = format!(r#"{{"phase":"Running","hostIP":"192.0.2.10","podIPs":[{{"ip":"{address}"}}]}}"#);
    serde_json::from_str(&format!(r#"{{"metadata":{meta},"spec":{spec},"status":{status}}}"#)).unwrap()
}

const OWN: &str = r#"{"dnsPolicy":"ClusterFirst"}"#;
const HOST: &str = r#"{"hostNetwork":true}"#;

impl Node {
    fn hears(&mut self, word: Word<PodObject>) {
        if self.pods.hear(word) {
            self.pods.publish();
        }
    }

    fn lists(&mut self, version: u64, items: Vec<PodObject>) {
        let (version, asked) = (Version(version.to_string()), Instant::now());
        self.hears(Word::List { items, version, asked, anew: false });
    }

    fn hears_kernel(&mut self, testimony: Testimony) {
        if self.pods.hear_kernel(testimony) {
            self.pods.publish();
        }
    }

    fn plain(&self, address: &str) -> Option<Plain> {
        self.out.at(address.parse().unwrap(), |_| ()).err()
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_known_before_the_first_list_whatever_the_kernel_says() {
    let mut node = node();
    assert_eq!(node.plain("10.0.0.1"), Some(Plain::NotSynced));
    node.hears_kernel(Testimony::Traced("10.0.0.1".parse().unwrap()));
    node.hears(Word::Alive);
    assert_eq!(node.plain("10.0.0.1"), Some(Plain::NotSynced));
    node.lists(10, Vec::new());
    assert_eq!(node.plain("10.0.0.1"), Some(Plain::Unknown));
    let out = Arc::clone(&node.out);
    drop(node);
    let gone = out.at("10.0.0.1".parse().unwrap(), |_| ());
    assert_eq!(gone, Err(Plain::NotSynced), "nobody hears the kernel any more");
}

#[tokio::test(start_paused = true)]
async fn two_claims_are_a_conflict_until_one_is_given_up() {
    let mut node = node();
    node.lists(10, vec![pod("old", 5, OWN, "10.0.0.1"), pod("new", 6, OWN, "10.0.0.1")]);
    assert_eq!(node.plain("10.0.0.1"), Some(Plain::Conflict));
    assert_eq!(node.out.census().conflicts, 1);
    node.hears(Word::Deleted(pod("old", 11, OWN, "10.0.0.1")));
    assert_eq!(node.plain("10.0.0.1"), None);
    assert_eq!(node.out.addresses_of("shop/new"), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn what_the_kernel_doubts_is_told_as_doubted() {
    let mut node = node();
    node.lists(10, vec![pod("web", 5, OWN, "10.0.0.1")]);
    assert_eq!(node.plain("10.0.0.1"), None);
    let address = "10.0.0.1".parse().unwrap();
    node.hears_kernel(Testimony::Changed { address, change: 1, newcomer: false });
    assert_eq!(node.plain("10.0.0.1"), Some(Plain::Doubt));
    assert_eq!(node.out.census().doubts, 1);
    node.hears(Word::Deleted(pod("web", 11, OWN, "10.0.0.1")));
    assert_eq!(node.plain("10.0.0.1"), Some(Plain::Unknown), "nobody claims it any more");
}

#[tokio::test(start_paused = true)]
async fn without_the_api_server_only_the_kernel_vouches() {
    let mut node = node();
    node.lists(10, vec![pod("web", 5, OWN, "10.0.0.1"), pod("db", 6, OWN, "10.0.0.2")]);
    node.hears_kernel(Testimony::Traced("10.0.0.2".parse().unwrap()));
    node.clock.advance(VOUCHED_AFTER);
    assert!(node.pods.tick());
    node.pods.publish();
    assert_eq!((node.plain("10.0.0.1"), node.plain("10.0.0.2")), (Some(Plain::Doubt), None));
    assert_eq!(node.out.age(node.clock.now()), Some(VOUCHED_AFTER));
    node.hears(Word::Alive);
    assert_eq!(node.out.age(node.clock.now()), Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn the_nodes_own_addresses_are_told_by_its_pods() {
    let mut node = node();
    node.lists(10, vec![pod("web", 5, OWN, "10.0.0.1")]);
    assert_eq!(node.plain("192.0.2.10"), Some(Plain::HostNetwork), "said of every pod");
    node.hears(Word::Changed(pod("proxy", 11, HOST, "fd00::10")));
    assert_eq!(node.plain("fd00::10"), Some(Plain::HostNetwork));
    node.lists(20, vec![pod("web", 5, OWN, "10.0.0.1")]);
    assert_eq!(node.plain("fd00::10"), Some(Plain::Unknown), "a list tells them anew");
    for number in 0..2 * HOST_ADDRESSES_MAX {
        node.hears(Word::Changed(pod("proxy", 21, HOST, &format!("fd00::1:{number:x}"))));
    }
    assert_eq!(node.pods.host.len(), HOST_ADDRESSES_MAX);
    assert_eq!(node.plain("10.0.0.1"), None);
}
