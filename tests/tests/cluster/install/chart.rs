//! The chart: what helm makes of it, with every set of values, and what its schema refuses.

use std::path::PathBuf;
use std::time::Duration;

use nearpath_tests::manifest::{objects, only};
use nearpath_tests::mode::{self, note};
use nearpath_tests::{Api, controlplane, daemon};
use serde_json::{Value, json};

use super::{all_would_be_taken, kustomized, manifests, said_by, soon};

/// The kind that a cluster has if somebody installed the operator of Prometheus.
const POD_MONITOR: &str = "monitoring.coreos.com/v1/PodMonitor";

fn helm(arguments: &[&str]) -> Result<String, String> {
    said_by("helm", arguments, &mode::root().join("deploy/helm"))
}

#[track_caller]
fn rendered(more: &[&str]) -> Vec<Value> {
    let always = ["template", "nearpath", "nearpath", "--namespace", "kube-system"];
    let text = helm(&[&always, more].concat()).unwrap_or_else(|error| panic!("{more:?}: {error}"));
    objects(&text)
}

/// The sets of values that are kept with the chart.
fn sets_of_values() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(mode::root().join("deploy/helm/nearpath/ci")).expect("the chart has sets of values");
    let mut found: Vec<_> = folder.map(|entry| entry.expect("it is read").path()).collect();
    found.sort();
    assert!(found.len() >= 4, "{found:?}");
    found
}

/// A cluster with that kind, which takes whatever is said in one.
fn with_pod_monitors(api: &Api) {
    let names = json!({ "plural": "podmonitors", "singular": "podmonitor", "kind": "PodMonitor", "listKind": "PodMonitorList" });
    let schema = json!({ "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
    api.apply(&json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "podmonitors.monitoring.coreos.com" },
        "spec": { "group": "monitoring.coreos.com", "scope": "Namespaced", "names": names,
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": schema }] },
    }));
    soon("the kind is served", || {
        let known = api.get("/apis/monitoring.coreos.com/v1");
        known.is_ok_and(|list| list["resources"].as_array().is_some_and(|all| !all.is_empty()))
    });
}

#[test]
fn every_rendering_is_taken() {
    let Some(plane) = controlplane::shared() else { return };
    let api = plane.api();
    with_pod_monitors(&api);
    let chart = helm(&["lint", "--strict", "nearpath"]).unwrap_or_else(|error| panic!("{error}"));
    assert!(chart.contains("0 chart(s) failed"), "{chart}");
    let made = rendered(&[]);
    all_would_be_taken(&api, "the defaults", &made);
    let mut count = made.len();
    for values in sets_of_values() {
        let values = values.display().to_string();
        helm(&["lint", "--strict", "--values", &values, "nearpath"])
            .unwrap_or_else(|error| panic!("{values}: {error}"));
        let made = rendered(&["--values", &values, "--api-versions", POD_MONITOR]);
        all_would_be_taken(&api, &values, &made);
        count += made.len();
    }
    note(&format!("{count} objects of {} renderings would be taken", sets_of_values().len() + 1));
}

#[test]
fn the_chart_says_what_the_manifests_say() {
    if !controlplane::is_possible() {
        return;
    }
    let (chart, manifests) = (rendered(&["--no-hooks"]), kustomized(&manifests().join("link-local")));
    let plain = |text: &Value| {
        let lines = text.as_str().expect("a Corefile").lines();
        lines.filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
    };
    let corefile = |all: &[Value]| plain(&only(all, "ConfigMap")["data"]["Corefile"]);
    assert_eq!(corefile(&chart), corefile(&manifests));
    for kind in ["Role", "ClusterRole"] {
        assert_eq!(only(&chart, kind)["rules"], only(&manifests, kind)["rules"], "{kind}");
    }
    assert_eq!(only(&chart, "Service")["spec"], only(&manifests, "Service")["spec"]);

    let template = |all: &[Value]| only(all, "DaemonSet")["spec"]["template"]["spec"].clone();
    let (of_chart, of_manifests) = (template(&chart), template(&manifests));
    for part in [
        "hostNetwork",
        "dnsPolicy",
        "priorityClassName",
        "tolerations",
        "nodeSelector",
        "securityContext",
        "terminationGracePeriodSeconds",
    ] {
        assert_eq!(of_chart[part], of_manifests[part], "{part}");
    }
    let (of_chart, of_manifests) = (&of_chart["containers"][0], &of_manifests["containers"][0]);
    for part in ["resources", "securityContext", "startupProbe", "readinessProbe", "livenessProbe", "volumeMounts"] {
        assert_eq!(of_chart[part], of_manifests[part], "{part}");
    }
    for part in ["updateStrategy", "minReadySeconds"] {
        assert_eq!(only(&chart, "DaemonSet")["spec"][part], only(&manifests, "DaemonSet")["spec"][part], "{part}");
    }
}

#[test]
fn every_value_arrives() {
    if !controlplane::is_possible() {
        return;
    }
    let values = mode::root().join("deploy/helm/nearpath/ci/every-value.yaml").display().to_string();
    let made = rendered(&["--values", &values, "--api-versions", POD_MONITOR]);
    let kinds: Vec<_> = made.iter().map(|object| object["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["ConfigMap", "DaemonSet", "PodMonitor"], "no rights, no account, no Service, no clean-up");
    let spec = &only(&made, "DaemonSet")["spec"];
    let container = &spec["template"]["spec"]["containers"][0];
    let arguments = json!([
        "-localip=169.254.25.10,fd00::53,10.96.0.10",
        "-interfacename=nearpath0",
        "-conf=/etc/Corefile",
        "-basecorefile=/etc/coredns/Corefile.base",
        "-upstreamsvc=central",
        "-cluster-domain=k8s.example",
        "-health-port=8090",
        "-failsafe=90m",
        "-failsafe-host=false",
        "-failsafe-to=10.2.0.2,10.2.0.3:5353",
        "-teardown=true",
        "-cache-mib=64",
        "-threads=2",
        "-statedir=/var/lib/nearpath",
        "-quiet",
        "-zone=a",
    ]);
    assert_eq!(container["args"], arguments);
    assert_eq!(container["image"], "mirror.example/nearpath:0.1.1");
    assert_eq!(
        container["readinessProbe"]["httpGet"],
        json!({ "host": "169.254.25.10", "path": "/ready", "port": 8191 })
    );
    assert_eq!(spec["updateStrategy"]["rollingUpdate"], json!({ "maxSurge": "10%", "maxUnavailable": 0 }));
    assert!(only(&made, "ConfigMap")["data"]["Corefile"].as_str().expect("text").contains("ready 169.254.25.10:8191"));
}

#[test]
fn the_daemon_takes_the_arguments_of_every_rendering() {
    if !controlplane::is_possible() {
        return;
    }
    let mut sets: Vec<Vec<String>> = vec![vec![]];
    sets.extend(sets_of_values().iter().map(|path| vec!["--values".to_owned(), path.display().to_string()]));
    for set in sets {
        let set: Vec<_> = set.iter().map(String::as_str).chain(["--no-hooks", "--api-versions", POD_MONITOR]).collect();
        let made = rendered(&set);
        let arguments = &only(&made, "DaemonSet")["spec"]["template"]["spec"]["containers"][0]["args"];
        let mut arguments: Vec<_> = arguments.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        arguments.push("-plugins"); // it reads all, lists its directives and leaves
        let said = daemon::run(&arguments, Duration::from_secs(20));
        assert!(said.status.success(), "{set:?}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn the_schema_refuses_what_cannot_be() {
    if !controlplane::is_possible() {
        return;
    }
    let wrong = [
        ("localip=169.254.20.10", "localip"),
        ("image.tags=1", "tags"),
        ("localIP=node", "localIP"),
        ("clusterIPs={kube-dns}", "clusterIPs"),
        ("failsafe.time=soon", "time"),
        ("interfaceName=an-interface-too-long", "interfaceName"),
        ("cacheMiB=0", "cacheMiB"),
        ("capabilities={SYS_ADMIN}", "capabilities"),
        ("terminationGracePeriodSeconds=2", "terminationGracePeriodSeconds"),
        ("updateStrategy.maxSurge=many", "maxSurge"),
        ("autopath=perhaps", "autopath"),
    ];
    for (value, named) in wrong {
        let refused = helm(&["template", "nearpath", "nearpath", "--set", value]).expect_err(value);
        assert!(refused.contains(named), "{value}: {refused}");
    }
    let monitor = helm(&["template", "nearpath", "nearpath", "--set", "podMonitor.enabled=true"]);
    assert!(monitor.expect_err("there is no such kind").contains("--api-versions"));
}
