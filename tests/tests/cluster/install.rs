//! What is installed, before a real API server: the manifests, the chart, and the policy that works namespace by namespace.
//!
//! No kubelet is here: what the objects say is checked, not that pods come of them.

mod chart;
mod private_zone;

use std::path::Path;
use std::process::Command;

use nearpath_tests::api::Patch;
use nearpath_tests::controlplane::{self, program};
use nearpath_tests::manifest::{objects, only};
use nearpath_tests::mode::{self, note};
use nearpath_tests::place::Folder;
use nearpath_tests::{Api, ControlPlane};
use serde_json::{Value, json};

use super::soon;

const INSTALLED: &str = "/apis/apps/v1/namespaces/kube-system/daemonsets/node-local-dns";

/// What a program of the control plane's folder says; what it complains of if it fails.
fn said_by(name: &str, arguments: &[&str], folder: &Path) -> Result<String, String> {
    let home = Folder::new(); // helm keeps a cache and a configuration there
    let output = Command::new("timeout")
        .arg("60")
        .arg(program(name))
        .args(arguments)
        .current_dir(folder)
        .env("HOME", home.path())
        .output()
        .expect("timeout runs it");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[track_caller]
fn kustomized(folder: &Path) -> Vec<Value> {
    let text = said_by("kustomize", &["build", "."], folder).unwrap_or_else(|error| panic!("{error}"));
    objects(&text)
}

/// Asks the API server to apply all, and to change nothing.
#[track_caller]
fn all_would_be_taken(api: &Api, what: &str, objects: &[Value]) {
    assert!(!objects.is_empty(), "{what} makes nothing");
    for object in objects {
        let name = format!("{what}: {} {}", object["kind"], object["metadata"]["name"]);
        let taken = api.would_apply(object).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert_eq!(taken["kind"], object["kind"], "{name}");
    }
}

fn manifests() -> std::path::PathBuf {
    mode::root().join("deploy/manifests")
}

fn shared() -> Option<&'static ControlPlane> {
    controlplane::shared()
}

#[test]
fn every_overlay_is_taken_and_a_wrong_field_is_not() {
    let Some(plane) = shared() else { return };
    let api = plane.api();
    let mut count = 0;
    for overlay in ["link-local", "cluster-ip", "per-namespace"] {
        let made = kustomized(&manifests().join(overlay));
        all_would_be_taken(&api, overlay, &made);
        count += made.len();
    }
    note(&format!("{count} objects of 3 overlays would be taken, every field looked at"));

    let made = kustomized(&manifests().join("link-local"));
    let mut wrong = only(&made, "DaemonSet").clone();
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = json!({});
    let refusal = api.would_apply(&wrong).expect_err("there is no such field");
    assert!(refusal.to_string().contains("readinesProbe"), "{refusal}");
}

#[test]
fn overlays_differ_in_the_addresses_alone() {
    if !controlplane::is_possible() {
        return;
    }
    let address = |overlay: &str| {
        let made = kustomized(&manifests().join(overlay));
        let container = &only(&made, "DaemonSet")["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], "nearpath:0.1.0");
        assert!(container.get("ports").is_none(), "a port that is reserved keeps the next instance away");
        let environment = container["env"].as_array().expect("a list").iter();
        let mut found = environment.filter(|variable| variable["name"] == "NEARPATH_LOCALIP");
        found.next().expect("the addresses")["value"].as_str().expect("text").to_owned()
    };
    assert_eq!(address("link-local"), "169.254.20.10");
    assert_eq!(address("cluster-ip"), "169.254.20.10,10.96.0.10");
}

#[test]
fn a_drop_in_changes_one_line_and_the_overlap_a_few() {
    let Some(plane) = shared() else { return };
    let api = plane.api();
    let stock = mode::root().join("tests/cluster/stock/node-local-dns.yaml");
    let made = api.apply_yaml(&stock).remove(0);
    let patch = |file: &str| {
        let text = std::fs::read_to_string(manifests().join("drop-in").join(file)).expect("it is there");
        let patch = objects(&text).remove(0);
        api.patch(INSTALLED, Patch::Strategic, &patch).unwrap_or_else(|refusal| panic!("{file}: {refusal}"))
    };

    let mut expected = made["spec"].clone();
    expected["template"]["spec"]["containers"][0]["image"] = json!("nearpath:0.1.0");
    assert_eq!(patch("image.yaml")["spec"], expected, "the image and nothing else");

    let overlapping = patch("overlap.yaml")["spec"].clone();
    let container = |spec: &Value| spec["template"]["spec"]["containers"][0].clone();
    assert_eq!(overlapping["updateStrategy"]["rollingUpdate"], json!({ "maxSurge": 1, "maxUnavailable": 0 }));
    assert!(container(&overlapping).get("ports").is_none(), "{overlapping}");
    assert_eq!(container(&overlapping)["args"], container(&expected)["args"]);

    let with_autopath = patch("autopath.yaml")["spec"].clone();
    let names: Vec<_> =
        container(&with_autopath)["env"].as_array().expect("a list").iter().map(|v| v["name"].clone()).collect();
    assert_eq!(names, ["NODE_NAME", "NEARPATH_STATEDIR"]);
    let rights = std::fs::read_to_string(manifests().join("drop-in/rights.yaml")).expect("it is there");
    all_would_be_taken(&api, "rights.yaml", &objects(&rights));
    api.delete(INSTALLED).expect("it is there");
}

#[test]
fn a_drop_in_is_a_component_of_a_kustomization_too() {
    if !controlplane::is_possible() {
        return;
    }
    let folder = Folder::new();
    let copy = |from: &Path, to: &str| {
        let text = std::fs::read_to_string(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        folder.write(to, &text);
        text
    };
    std::fs::create_dir(folder.file("drop-in")).expect("a new folder");
    for file in ["kustomization.yaml", "image.yaml"] {
        copy(&manifests().join("drop-in").join(file), &format!("drop-in/{file}"));
    }
    let stock = copy(&mode::root().join("tests/cluster/stock/node-local-dns.yaml"), "node-local-dns.yaml");
    folder.write("kustomization.yaml", "resources: [node-local-dns.yaml]\ncomponents: [drop-in]\n");
    let mut expected = objects(&stock);
    expected[0]["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nearpath:0.1.0");
    assert_eq!(kustomized(folder.path()), expected);
}

/// A pod without a node and without a kubelet.
fn pod(name: &str, spec: &Value) -> Value {
    let mut whole = json!({ "containers": [{ "name": "it", "image": "it" }] });
    let all = whole.as_object_mut().expect("an object");
    all.extend(spec.as_object().expect("an object").clone());
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": whole })
}

/// dnsPolicy and dnsConfig of a pod as it is stored.
#[track_caller]
fn dns_of(api: &Api, namespace: &str, name: &str, spec: &Value) -> (Value, Value) {
    let path = format!("/api/v1/namespaces/{namespace}/pods");
    let made = api.post(&path, &pod(name, spec)).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    (made["spec"]["dnsPolicy"].clone(), made["spec"]["dnsConfig"].clone())
}

#[test]
fn pods_of_a_labelled_namespace_ask_the_node() {
    if !controlplane::is_possible() {
        return;
    }
    let plane = ControlPlane::start(); // a policy is everybody's
    let api = plane.api();
    let made = kustomized(&manifests().join("per-namespace"));
    made.iter().for_each(|object| drop(api.apply(object)));
    for (name, labels) in [("policy-on", json!({ "nearpath/dns": "true" })), ("policy-off", json!({}))] {
        let metadata = json!({ "name": name, "labels": labels });
        api.apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata }));
    }
    let mut tries = 0;
    soon("the policy is in force", || {
        tries += 1;
        dns_of(&api, "policy-on", &format!("first-{tries}"), &json!({})).0 == "None"
    });

    let of_cluster = json!(["policy-on.svc.cluster.local", "svc.cluster.local", "cluster.local"]);
    let ndots = json!({ "name": "ndots", "value": "5" });
    let usual = json!({ "nameservers": ["169.254.20.10"], "searches": of_cluster, "options": [ndots] });
    assert_eq!(dns_of(&api, "policy-on", "usual", &json!({})), (json!("None"), usual));

    let own = json!({ "dnsConfig": {
        "nameservers": ["192.0.2.1"],
        "searches": ["corp.example", "svc.cluster.local"],
        "options": [{ "name": "ndots", "value": "2" }, { "name": "edns0" }],
    }});
    let merged = json!({
        "nameservers": ["169.254.20.10", "192.0.2.1"],
        "searches": ["policy-on.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example"],
        "options": [{ "name": "ndots", "value": "2" }, { "name": "edns0" }],
    });
    assert_eq!(dns_of(&api, "policy-on", "own", &own), (json!("None"), merged));
    let (policy, config) =
        dns_of(&api, "policy-on", "option", &json!({ "dnsConfig": { "options": [{ "name": "edns0" }] } }));
    assert_eq!((policy, &config["options"]), (json!("None"), &json!([{ "name": "edns0" }, ndots])));

    those_that_are_left_alone(&api);
    assert_eq!(dns_of(&api, "policy-off", "other", &json!({})), (json!("ClusterFirst"), Value::Null));
}

fn those_that_are_left_alone(api: &Api) {
    let full: Vec<_> = (0..30).map(|number| format!("d{number}.example")).collect();
    let long: Vec<_> =
        (0..8).map(|number| format!("{}.n{number}.example", ["x".repeat(60).as_str(); 3].join("."))).collect();
    let alone = [
        ("host", json!({ "hostNetwork": true }), "ClusterFirst"),
        ("node", json!({ "dnsPolicy": "Default" }), "Default"),
        ("nobody", json!({ "dnsPolicy": "None", "dnsConfig": { "nameservers": ["192.0.2.1"] } }), "None"),
        ("windows", json!({ "os": { "name": "windows" } }), "ClusterFirst"),
        ("selects-windows", json!({ "nodeSelector": { "kubernetes.io/os": "windows" } }), "ClusterFirst"),
        ("three", json!({ "dnsConfig": { "nameservers": ["192.0.2.1", "192.0.2.2", "192.0.2.3"] } }), "ClusterFirst"),
        ("full", json!({ "dnsConfig": { "searches": full } }), "ClusterFirst"),
        ("long", json!({ "dnsConfig": { "searches": long } }), "ClusterFirst"),
    ];
    for (name, spec, policy) in alone {
        let expected = (json!(policy), spec.get("dnsConfig").cloned().unwrap_or_default());
        assert_eq!(dns_of(api, "policy-on", name, &spec), expected, "{name}");
    }
}

/// Why no manifest here declares ports: on the host's network the scheduler keeps each for one pod.
#[test]
fn ports_that_are_declared_are_reserved_on_the_node() {
    let Some(plane) = shared() else { return };
    let api = plane.api();
    api.namespace("install-ports");
    let declared = json!([{ "name": "it", "image": "it", "ports": [{ "containerPort": 53, "protocol": "UDP" }] }]);
    let pod = pod("it", &json!({ "hostNetwork": true, "containers": declared }));
    let made = api.post("/api/v1/namespaces/install-ports/pods", &pod).expect("a pod");
    assert_eq!(made["spec"]["containers"][0]["ports"][0]["hostPort"], 53);
}
