//! Pods as API servers send them.

use contract::wire::Name;

use super::*;
use crate::kubelet::{Host, HostConf};

fn node() -> NodeDns {
    let host = Host::File(HostConf { search: vec!["corp.example".into()], options: Vec::new() });
    NodeDns { cluster_domain: Some(Name::parse("cluster.local").unwrap()), host }
}

fn read(json: &str) -> PodObject {
    serde_json::from_str(json).unwrap()
}

fn claim(json: &str) -> Claim {
    read(json).claim(&node(), &SearchLists::default()).unwrap()
}

/// A pod with this `spec` and `status`.
fn pod(spec: &str, status: &str) -> String {
    let meta = r#"{"uid":"0d1c","name":"web-0","namespace":"shop","resourceVersion":"42"}"#;
    format!(r#"{{"metadata":{meta},"spec":{spec},"status":{status}}}"#)
}

fn addresses(status: &str) -> Vec<String> {
    claim(&pod("{}", status)).addresses.iter().map(ToString::to_string).collect()
}

/// As `kubectl get pod -o json` prints one on two families, shortened where lists go on.
const WHOLE: &str = r#"{
  "apiVersion": "v1", "kind": "Pod",
  "metadata": {
    "annotations": {"kubernetes.io/psp": "x"}, "creationTimestamp": "2026-02-28T23:59:50Z", "generateName": "web-",
    "labels": {"app": "web", "topology.kubernetes.io/region": "r1", "topology.kubernetes.io/zone": "r1-a"},
    "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {"f:podIPs": {".": {}}}}}],
    "name": "web-7d4b9c-x2x7k", "namespace": "shop", "resourceVersion": "918273",
    "ownerReferences": [{"kind": "ReplicaSet", "name": "web-7d4b9c", "uid": "no"}],
    "uid": "8b5c9a0e-4f1f-4a8e-9d57-0a4e0b1f2c3d"
  },
  "spec": {
    "containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}],
    "dnsPolicy": "ClusterFirst", "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
    "nodeName": "node-1", "terminationGracePeriodSeconds": 30
  },
  "status": {
    "conditions": [
      {"type": "Ready", "status": "True", "lastTransitionTime": "2026-03-01T00:00:09Z", "lastProbeTime": null},
      {"type": "PodReadyToStartContainers", "status": "True", "lastTransitionTime": "2026-03-01T00:00:03Z",
       "lastProbeTime": null, "observedGeneration": 1}
    ],
    "containerStatuses": [{"name": "web", "ready": true, "containerID": "containerd://c1", "state": {"running": {}}}],
    "hostIP": "192.0.2.10", "hostIPs": [{"ip": "192.0.2.10"}, {"ip": "2001:db8::10"}],
    "phase": "Running", "podIP": "10.0.0.7", "podIPs": [{"ip": "10.0.0.7"}, {"ip": "fd00::7"}], "qosClass": "BestEffort"
  }
}"#;

#[test]
fn a_pod_on_two_families_has_both_addresses_and_its_own_list() {
    let object = read(WHOLE);
    assert_eq!((object.zone(), object.version()), (Some("r1-a"), "918273"));
    let claim = claim(WHOLE);
    assert_eq!(&*claim.uid, "8b5c9a0e-4f1f-4a8e-9d57-0a4e0b1f2c3d");
    assert_eq!((&*claim.name, claim.version.0.as_str()), ("shop/web-7d4b9c-x2x7k", "918273"));
    assert_eq!(claim.addresses, ["10.0.0.7".parse::<IpAddr>().unwrap(), "fd00::7".parse().unwrap()]);
    let domains: Vec<_> = claim.list.domains.iter().map(ToString::to_string).collect();
    assert_eq!(domains, ["shop.svc.cluster.local.", "svc.cluster.local.", "cluster.local.", "corp.example."]);
    assert_eq!(claim.ndots, 2);
    assert_eq!(claim.ready_at, Some(1_772_323_203));
}

#[test]
fn pods_that_run_or_are_about_to_have_their_addresses_and_ended_ones_none() {
    let in_phase = |phase: &str| addresses(&format!(r#"{{"phase":"{phase}","podIPs":[{{"ip":"10.0.0.7"}}]}}"#));
    for phase in ["Pending", "Running", "Unknown"] {
        assert_eq!(in_phase(phase), ["10.0.0.7"], "{phase}");
    }
    for phase in ["Succeeded", "Failed"] {
        assert_eq!(in_phase(phase), [""; 0], "{phase}");
    }
}

#[test]
fn init_containers_ask_before_the_pod_runs() {
    let status = r#"{"phase":"Pending","podIP":"10.0.0.7","podIPs":[{"ip":"10.0.0.7"}],
        "initContainerStatuses":[{"name":"wait","containerID":"containerd://i1","state":{"running":{}}}],
        "containerStatuses":[{"name":"web","state":{"waiting":{"reason":"PodInitializing"}}}]}"#;
    assert_eq!(addresses(status), ["10.0.0.7"]);
    let then = status.replace("i1", "i2");
    assert_ne!(claim(&pod("{}", status)).sandbox, claim(&pod("{}", &then)).sandbox, "it was started again");
}

#[test]
fn a_pod_that_lost_its_sandbox_has_no_address_though_its_status_keeps_it() {
    let status = r#"{"phase":"Running","podIPs":[{"ip":"10.0.0.7"}],"conditions":[
        {"type":"PodReadyToStartContainers","status":"False","lastTransitionTime":"2026-03-01T00:00:03Z"}]}"#;
    assert_eq!(addresses(status), [""; 0]);
    assert_eq!(claim(&pod("{}", status)).ready_at, None);
    let other = status.replace("PodReadyToStartContainers", "Ready");
    assert_eq!(addresses(&other), ["10.0.0.7"], "one that is not ready still asks");
}

#[test]
fn a_pod_on_the_nodes_network_is_none_of_ours() {
    let lists = SearchLists::default();
    let claims = |spec| read(&pod(spec, r#"{"podIPs":[{"ip":"192.0.2.10"}]}"#)).claim(&node(), &lists).is_some();
    assert!(!claims(r#"{"hostNetwork":true}"#));
    assert!(claims(r#"{"hostNetwork":false}"#) && claims(r#"{"hostNetwork":null}"#));
}

#[test]
fn what_is_missing_or_null_is_nothing() {
    let meta = r#""metadata":{"uid":"0d1c","name":"web-0","namespace":"shop","resourceVersion":"42""#;
    for json in [
        format!("{{{meta}}}}}"),
        format!("{{{meta}}},\"spec\":null,\"status\":null}}"),
        format!("{{{meta},\"labels\":null}},\"spec\":{{}},\"status\":{{}}}}"),
        format!("{{{meta},\"labels\":{{\"topology.kubernetes.io/zone\":null}}}}}}"),
    ] {
        let claim = claim(&json);
        assert_eq!((claim.addresses.len(), claim.ready_at, claim.ndots), (0, None, 5), "{json}");
        assert_eq!(read(&json).zone(), None);
    }
    for status in [
        r#"{"phase":null,"podIPs":null,"conditions":null,"containerStatuses":null,"initContainerStatuses":null}"#,
        r#"{"podIPs":[],"conditions":[],"containerStatuses":[{"containerID":null}]}"#,
        r#"{"podIPs":[{},{"ip":null},{"ip":""},{"ip":"10.0.0"}]}"#,
        r#"{"podIP":"10.0.0.7"}"#,
    ] {
        assert_eq!(addresses(status), [""; 0], "{status}");
    }
    let times = [r#""lastTransitionTime":null"#, r#""x":1"#, r#""lastTransitionTime":"yesterday""#];
    for time in times {
        let ready = format!(r#"{{"conditions":[{{"type":"PodReadyToStartContainers","status":"True",{time}}}]}}"#);
        assert_eq!(claim(&pod("{}", &ready)).ready_at, None, "{time}");
    }
    for identity in ["uid", "name", "namespace", "resourceVersion"] {
        let json = pod("{}", "{}").replace(&format!("\"{identity}\""), "\"other\"");
        assert!(serde_json::from_str::<PodObject>(&json).is_err(), "no pod is without {identity}");
    }
}

#[test]
fn addresses_are_told_once_each_however_they_are_written() {
    let status = r#"{"podIPs":[{"ip":"fd00::7"},{"ip":"10.0.0.7"},{"ip":"FD00:0::7"},{"ip":"::ffff:10.0.0.7"}]}"#;
    assert_eq!(addresses(status), ["10.0.0.7", "fd00::7"]);
}

#[test]
fn a_sandbox_is_another_when_its_time_its_address_or_its_containers_are() {
    let sandbox = |json: &str| claim(json).sandbox;
    assert_eq!(sandbox(WHOLE), sandbox(&WHOLE.replace("918273", "918274")), "a later word about the same one");
    assert_eq!(sandbox(WHOLE), sandbox(&WHOLE.replace(r#""ready": true"#, r#""ready": false"#)));
    for (old, new) in [("00:00:03Z", "00:00:04Z"), ("fd00::7", "fd00::8"), ("containerd://c1", "containerd://c2")] {
        assert_ne!(sandbox(WHOLE), sandbox(&WHOLE.replace(old, new)), "{new}");
    }
}

#[test]
fn pods_of_one_namespace_share_their_list() {
    let lists = SearchLists::default();
    let list = |json: &str| read(json).claim(&node(), &lists).unwrap().list;
    let (first, second) = (list(&pod("{}", "{}")), list(&pod("{}", "{}").replace("web-0", "web-1")));
    assert!(Arc::ptr_eq(&first, &second));
    assert!(!Arc::ptr_eq(&first, &list(&pod("{}", "{}").replace("shop", "bank"))));
}

#[test]
fn times_are_seconds_since_1970() {
    // as `date -u -d TIME +%s` says
    for (text, expected) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-03-01T00:00:00Z", 5_097_600),
        ("1999-12-31T23:59:59Z", 946_684_799),
        ("2000-02-29T12:00:00Z", 951_825_600),
        ("2000-03-01T00:00:00Z", 951_868_800),
        ("2024-02-29T23:59:59Z", 1_709_251_199),
        ("2026-02-28T23:59:59Z", 1_772_323_199),
        ("2026-03-01T00:00:00Z", 1_772_323_200),
        ("2026-03-01T00:00:00.999999Z", 1_772_323_200),
        ("2100-02-28T23:59:59Z", 4_107_542_399),
        ("2100-03-01T00:00:00Z", 4_107_542_400),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ] {
        assert_eq!(seconds(text), Some(expected), "{text}");
    }
    for text in [
        "",
        "Z",
        "T",
        "TZ",
        "2026-03-01",
        "2026-03-01T00:00:00",
        "2026-03-01T00:00:00+01:00",
        "2026-03-01T00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-03-00T00:00:00Z",
        "2026-03-32T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T00:60:00Z",
        "2026-03-01T18446744073709551615:00:00Z",
        "-026-03-01T00:00:00Z",
    ] {
        assert_eq!(seconds(text), None, "{text}");
    }
}

#[test]
fn a_pod_tells_the_addresses_of_its_node() {
    let told = |pod: &PodObject| pod.host_addresses().map(|address| address.to_string()).collect::<Vec<_>>();
    assert_eq!(told(&read(WHOLE)), ["192.0.2.10", "2001:db8::10", "192.0.2.10"]);
    let old =
        pod(r#"{"hostNetwork":true}"#, r#"{"hostIP":"192.0.2.10","podIPs":[{"ip":"192.0.2.10"},{"ip":"fd00::1"}]}"#);
    assert_eq!(told(&read(&old)), ["192.0.2.10", "fd00::1", "192.0.2.10"]);
    for nothing in [r#"{"hostIP":null,"hostIPs":null}"#, r#"{"hostIP":"","hostIPs":[{"ip":null},{"ip":"x"}]}"#, "{}"] {
        assert!(told(&read(&pod("{}", nothing))).is_empty(), "{nothing}");
    }
}
