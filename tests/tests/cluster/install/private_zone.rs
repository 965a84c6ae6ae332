//! Private zones, as they are installed: a component for each cloud beside either overlay, the rights of `watch`, and that
//! the daemon takes each of these Corefiles without a word of complaint.

mod chart;

use std::path::Path;
use std::time::Duration;

use nearpath_tests::manifest::{objects, only};
use nearpath_tests::mode::{self, note};
use nearpath_tests::place::Folder;
use nearpath_tests::{Api, ControlPlane, controlplane, daemon};
use serde_json::{Value, json};

use super::{all_would_be_taken, kustomized, manifests, shared, soon};

/// Whose zone it is, and what is asked for it.
const CLOUDS: [(&str, &[&str]); 5] = [
    ("alibaba", &["100.100.2.136", "100.100.2.138"]),
    ("aws", &["169.254.169.253"]),
    ("azure", &["168.63.129.16"]),
    ("google", &["169.254.169.254"]),
    ("own", &["192.0.2.53", "192.0.2.54"]),
];

/// Overlays with the addresses that the daemon is told.
const OVERLAYS: [(&str, &str); 2] = [("link-local", "169.254.20.10"), ("cluster-ip", "169.254.20.10,10.96.0.10")];

fn read(path: &str) -> String {
    std::fs::read_to_string(manifests().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("it is read").path();
        let target = to.join(entry.file_name().expect("it has a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).expect("it is copied");
        }
    }
}

/// An overlay to whose kustomization somebody added components, as README.md says.
#[track_caller]
fn overlay_with(overlay: &str, components: &str) -> Vec<Value> {
    let folder = Folder::new();
    copy(&manifests(), folder.path());
    let file = format!("{overlay}/kustomization.yaml");
    folder.write(&file, &format!("{}components: [{components}]\n", read(&file)));
    kustomized(&folder.path().join(overlay))
}

fn corefile_of(made: &[Value]) -> &str {
    only(made, "ConfigMap")["data"]["Corefile"].as_str().expect("a Corefile")
}

/// What `nearpath check` says of a base Corefile on a node; stub domains as the ConfigMap kube-dns names them.
#[track_caller]
fn checked(corefile: &str, addresses: &str, stub_domains: &str) -> (bool, String) {
    let folder = Folder::new();
    let path = folder.write("Corefile", corefile).display().to_string();
    std::fs::create_dir(folder.file("kube-dns")).expect("a new folder");
    folder.write("kube-dns/stubDomains", stub_domains);
    let config_map = folder.file("kube-dns").display().to_string();
    let node = ["-localip", addresses, "-upstreamsvc", "kube-dns-upstream", "-kubednscm", &config_map];
    let arguments = [&["check", "-basecorefile", &path], &node[..]].concat();
    let said = daemon::run(&arguments, Duration::from_secs(20));
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (said.status.success(), text(&said.stdout) + &text(&said.stderr))
}

#[track_caller]
fn is_sound(what: &str, corefile: &str, addresses: &str, stub_domains: &str) -> String {
    let (passes, report) = checked(corefile, addresses, stub_domains);
    assert!(passes && !report.contains("error:"), "{what}:\n{report}");
    assert!(!report.contains("warning:"), "{what}: nothing is ignored, and nothing is doubtful:\n{report}");
    report
}

/// The Corefile with the lines of `watch`, from whose front somebody took the `#`.
#[track_caller]
fn with_watch(corefile: &str) -> String {
    let (before, rest) = corefile.split_once("        # watch {\n").expect("the lines of `watch`");
    let (inside, after) = rest.split_once("        # }\n").expect("their end");
    format!("{before}        watch {{\n{}        }}\n{after}", inside.replace("        # ", "        "))
}

#[test]
fn every_cloud_is_a_component_beside_either_overlay() {
    let Some(plane) = shared() else { return };
    let api = plane.api();
    let mut count = 0;
    for (cloud, _) in CLOUDS {
        for (overlay, _) in OVERLAYS {
            let plain = kustomized(&manifests().join(overlay));
            let made = overlay_with(overlay, &format!("../private-zone/{cloud}"));
            let what = format!("{overlay} with {cloud}");
            all_would_be_taken(&api, &what, &made);
            assert_eq!(corefile_of(&made), read(&format!("private-zone/{cloud}/Corefile")), "{what}");
            let name = |made: &[Value]| only(made, "ConfigMap")["metadata"]["name"].clone();
            let mounted =
                only(&made, "DaemonSet")["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"].clone();
            assert_eq!(mounted, name(&made), "{what}: the pods read it");
            assert_ne!(name(&made), name(&plain), "{what}: another Corefile is another ConfigMap, and is rolled out");
            let others = |made: &[Value]| {
                made.iter()
                    .filter(|object| object["kind"] != "ConfigMap" && object["kind"] != "DaemonSet")
                    .cloned()
                    .collect::<Vec<_>>()
            };
            assert_eq!(others(&made), others(&plain), "{what}: nothing else changes");
            count += made.len();
        }
    }
    note(&format!("{count} objects of {} combinations would be taken", CLOUDS.len() * OVERLAYS.len()));
}

#[test]
fn each_is_the_base_and_one_block_that_is_bounded() {
    let base = read("base/Corefile");
    for (cloud, addresses) in CLOUDS {
        let corefile = read(&format!("private-zone/{cloud}/Corefile"));
        let more = corefile.strip_prefix(&base).unwrap_or_else(|| panic!("{cloud}: it begins as that of base"));
        let words = |first: &str| {
            let line = more.lines().map(str::trim).find_map(|line| line.strip_prefix(first)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{cloud}: no {first}")).split(' ').collect::<Vec<_>>()
        };
        assert_eq!(words("to"), addresses, "{cloud}");
        let figure = |first: &str| words(first)[0].parse::<u32>().unwrap_or_else(|error| panic!("{cloud}: {error}"));
        assert!((1..=1_000).contains(&figure("max_qps")) && figure("burst") < figure("max_qps"), "{cloud}");
        assert!(!more.lines().any(|line| line.trim().starts_with("transport")), "{cloud}: UDP first");
        assert_eq!(more.lines().filter(|line| line.starts_with("corp.example:53 {")).count(), 1, "{cloud}");
        assert!(more.contains("REPLACE corp.example"), "{cloud}: what is to be replaced is said");
    }
}

#[test]
fn the_daemon_takes_each_of_them_with_and_without_watch() {
    for (cloud, _) in CLOUDS {
        let corefile = read(&format!("private-zone/{cloud}/Corefile"));
        for (_, addresses) in OVERLAYS {
            let report = is_sound(cloud, &corefile, addresses, "");
            let plan = report.split("dns://corp.example.:53").nth(1).expect("its plan");
            assert!(plan.contains("privatezone: names of corp.example. are asked of"), "{cloud}: {plan}");
            is_sound(&format!("{cloud} with watch"), &with_watch(&corefile), addresses, "");
        }
    }
}

#[test]
fn stub_domains_stay_beside_a_private_zone_but_not_for_the_same_name() {
    let corefile = read("private-zone/aws/Corefile");
    let report = is_sound("beside", &corefile, "169.254.20.10", r#"{"old.example": ["10.0.0.53"]}"#);
    let plan = report.split("dns://old.example.:53").nth(1).expect("the stub domain has a block");
    assert!(plan.contains("forward: questions for . go to 10.0.0.53:53"), "{plan}");
    let (passes, report) = checked(&corefile, "169.254.20.10", r#"{"corp.example": ["10.0.0.53"]}"#);
    assert!(!passes && report.contains("corp.example:53"), "which of the two is meant is not known:\n{report}");
}

#[test]
fn an_installed_node_local_dnscache_gets_one_block_more() {
    let stock = std::fs::read_to_string(mode::root().join("Corefile-compat/corpus/node-local-iptables.Corefile"));
    let stock = stock.expect("what is installed");
    let (base, whole) = (read("base/Corefile"), read("private-zone/own/Corefile"));
    let block = whole.strip_prefix(&base).expect("it begins as that of base");
    let report = is_sound("behind its own", &format!("{stock}{block}"), "169.254.20.10,10.96.0.10", "");
    assert!(report.contains("dns://corp.example.:53"), "{report}");
}

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

fn may(api: &Api, account: &str, verb: &str, group: &str, resource: &str) -> bool {
    let what = json!({ "namespace": "shop", "verb": verb, "group": group, "resource": resource });
    let spec = json!({ "user": format!("system:serviceaccount:kube-system:{account}"), "resourceAttributes": what });
    let review = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec });
    api.post(REVIEWS, &review).expect("a review")["status"]["allowed"] == true
}

const WATCHED: [(&str, &str); 3] =
    [("externaldns.k8s.io", "dnsendpoints"), ("", "services"), ("networking.k8s.io", "ingresses")];

#[test]
fn watch_may_read_what_it_watches_and_nothing_more() {
    if !controlplane::is_possible() {
        return;
    }
    let made = overlay_with("link-local", "../private-zone/aws, ../private-zone/watch");
    let plane = ControlPlane::start(); // rights are everybody's
    let api = plane.api();
    let of_daemon = only(&made, "DaemonSet")["spec"]["template"]["spec"]["serviceAccountName"].clone();
    let of_daemon = of_daemon.as_str().expect("an account");
    let rights = made.iter().filter(|object| object["apiVersion"] == "rbac.authorization.k8s.io/v1");
    rights.for_each(|object| drop(api.apply(object)));
    api.apply_yaml(&manifests().join("drop-in/watch.yaml"));
    for account in [of_daemon, "node-local-dns"] {
        soon("the rights are in force", || may(&api, account, "watch", "networking.k8s.io", "ingresses"));
        for (group, resource) in WATCHED {
            for verb in ["list", "watch"] {
                assert!(may(&api, account, verb, group, resource), "{account}: {verb} {resource}");
            }
            for verb in ["get", "create", "update", "patch", "delete"] {
                assert!(!may(&api, account, verb, group, resource), "{account}: {verb} {resource}");
            }
        }
        assert!(!may(&api, account, "list", "", "secrets"), "{account}");
    }
}

#[test]
fn without_the_component_the_daemon_may_not() {
    let made = objects(&read("base/rbac.yaml"));
    let rules = made.iter().filter_map(|object| object["rules"].as_array()).flatten();
    let resources: Vec<_> = rules.flat_map(|rule| rule["resources"].as_array().expect("a list").clone()).collect();
    assert_eq!(resources, ["pods", "endpointslices", "services"], "the last by name alone, in one namespace");
}
