//! The same private zones by the chart: the block, the rights, and what its schema refuses.

use nearpath_tests::manifest::objects;
use nearpath_tests::{controlplane, mode};
use serde_json::{Value, json};

use super::super::said_by;
use super::{checked, corefile_of, is_sound, read, with_watch};

#[track_caller]
fn chart(more: &[&str]) -> Vec<Value> {
    let always = ["template", "nearpath", "nearpath", "--namespace", "kube-system", "--no-hooks"];
    let text = said_by("helm", &[&always, more].concat(), &mode::root().join("deploy/helm"));
    objects(&text.unwrap_or_else(|error| panic!("{more:?}: {error}")))
}

fn plain(corefile: &str) -> Vec<&str> {
    corefile.lines().filter(|line| !line.trim_start().starts_with('#')).map(str::trim_end).collect()
}

#[test]
fn the_chart_writes_the_same_block() {
    if !controlplane::is_possible() {
        return;
    }
    let values = mode::root().join("deploy/helm/nearpath/ci/private-zone.yaml").display().to_string();
    let made = chart(&["--values", &values]);
    let corefile = corefile_of(&made);
    let aws = with_watch(&read("private-zone/aws/Corefile"));
    let (lines, aws) = (plain(corefile), plain(&aws));
    assert_eq!(lines[..aws.len()], aws, "the first of its zones");
    let second = lines[aws.len()..].join("\n");
    for words in [
        "db.example:53 2.0.192.in-addr.arpa:53 {",
        "to 192.0.2.53 192.0.2.54:5353 [2001:db8::53]:53\n",
        "max_qps 1000\n",
        "watch shop {\n            services\n            endpoints off\n        }\n",
    ] {
        assert!(second.contains(words), "{words} in\n{second}");
    }
    is_sound("the chart", corefile, "169.254.20.10", "");
}

/// What the role of `watch` allows, if the chart made one.
fn rules(made: &[Value]) -> Option<Value> {
    let mut roles = made.iter().filter(|object| object["kind"] == "ClusterRole");
    roles.find(|role| role["metadata"]["name"] == "nearpath-private-zone").map(|role| role["rules"].clone())
}

#[test]
fn the_chart_gives_rights_for_what_is_watched() {
    if !controlplane::is_possible() {
        return;
    }
    let values = mode::root().join("deploy/helm/nearpath/ci/private-zone.yaml").display().to_string();
    let of_manifests = rules(&objects(&read("private-zone/watch/rights.yaml")));
    assert_eq!(rules(&chart(&["--values", &values])), of_manifests);
    assert_eq!(rules(&chart(&[])), None, "who watches nothing has no right to");
    let zone = "privateZones=[{\"zones\":[\"corp.example\"],\"to\":[\"192.0.2.53\"],\"maxQps\":1000000WATCH}]";
    let given = |watch: &str| chart(&["--set-json", &zone.replace("WATCH", watch)]);
    assert_eq!(rules(&given("")), None);
    assert!(corefile_of(&given("")).contains("max_qps 1000000\n"), "large figures are whole");
    let endpoints = given(r#","watch":{}"#);
    assert!(corefile_of(&endpoints).contains("        watch\n    }\n"), "{}", corefile_of(&endpoints));
    assert_eq!(rules(&endpoints).expect("rights")[0]["resources"], json!(["dnsendpoints"]));
    let services = rules(&given(r#","watch":{"endpoints":false,"services":true}"#)).expect("rights");
    assert_eq!(services.as_array().map(Vec::len), Some(1));
    assert_eq!(services[0]["resources"], json!(["services"]));
}

#[test]
fn the_schema_refuses_private_zones_that_cannot_be() {
    if !controlplane::is_possible() {
        return;
    }
    let good = json!({ "zones": ["corp.example"], "to": ["192.0.2.53"], "maxQps": 100 });
    let wrong = [
        ("zones", json!([])),
        ("zones", json!(["."])),
        ("zones", json!(["a b"])),
        ("zones", json!(["a..b"])),
        ("zones", json!([format!("{}.b", "a".repeat(64))])),
        ("to", json!(["ns.corp.example"])),
        ("to", json!(["192.0.2.53 192.0.2.54"])),
        ("maxQps", json!(0)),
        ("maxQps", Value::Null),
        ("maxQps", json!(1_000_001)),
        ("burst", json!(0)),
        ("burst", json!(1_000_001)),
        ("watch", json!(true)),
        ("watch", json!({ "pods": true })),
        ("watch", json!({ "endpoints": false })),
        ("watch", json!({ "endpoints": false, "services": false, "ingresses": false })),
        ("transport", json!("tcp")),
    ];
    let template = |zone: &Value| templated(&[&format!("privateZones=[{zone}]")]);
    assert!(template(&good).is_ok());
    for (field, value) in wrong {
        let mut zone = good.clone();
        zone[field] = value.clone();
        let refused = template(&zone).expect_err(&format!("{field}: {value}"));
        assert!(refused.contains("privateZones"), "{field}: {value}: {refused}");
    }
}

/// What helm makes of these values, or says of them.
fn templated(values: &[&str]) -> Result<String, String> {
    let values = values.iter().flat_map(|value| ["--set-json", value]);
    let arguments: Vec<&str> = ["template", "nearpath", "nearpath"].into_iter().chain(values).collect();
    said_by("helm", &arguments, &mode::root().join("deploy/helm"))
}

#[test]
fn the_chart_refuses_a_zone_that_would_have_two_blocks() {
    if !controlplane::is_possible() {
        return;
    }
    let entries = |entries: &[&[&str]]| {
        let entry = |zones: &&[&str]| json!({ "zones": zones, "to": ["192.0.2.53"], "maxQps": 100 });
        format!("privateZones={}", json!(entries.iter().map(entry).collect::<Vec<_>>()))
    };
    let own = "is the cluster's own zone";
    for (zones, wanted) in [
        (&[&["cluster.local"] as &[&str]] as &[&[&str]], own),
        (&[&["corp.example", "Cluster.Local"]], own),
        (&[&["corp.example"], &["in-addr.arpa"]], own),
        (&[&["ip6.arpa"]], own),
        (&[&["0.0.0.0/0"]], own),
        (&[&["corp.example"], &["b.example", "corp.example"]], "the zone corp.example stands twice"),
        (&[&["corp.example", "CORP.example"]], "the zone corp.example stands twice"),
        (&[&["10.0.0.0/8"], &["10.in-addr.arpa"]], "the zone 10.in-addr.arpa stands twice"),
        (&[&["172.20.0.0/14"], &["23.172.in-addr.arpa"]], "the zone 23.172.in-addr.arpa stands twice"),
        (&[&["10.0.0.0/33"]], "10.0.0.0/33 is no prefix"),
        (&[&["10.0.0.256/24"]], "10.0.0.256/24 is no prefix"),
    ] {
        let refused = templated(&[&entries(zones)]).expect_err(&format!("{zones:?}"));
        assert!(refused.contains("privateZones: ") && refused.contains(wanted), "{zones:?}: {refused}");
    }
    let renamed = templated(&["clusterDomain=\"k8s.test\"", &entries(&[&["k8s.test"]])]).expect_err("its own domain");
    assert!(renamed.contains(own), "{renamed}");
    let whole = ["corefile=\". {\\nwhoami\\n}\"", &entries(&[&["cluster.local"]])];
    templated(&whole).unwrap_or_else(|error| panic!("nothing is made of them but rights: {error}"));
    // what lies below and beside is taken by chart and daemon alike
    let beside =
        [&["a.cluster.local", "corp.example"] as &[&str], &["192.0.2.0/25", "198.51.0.0/16", "203.0.113.9/32"]];
    let made = templated(&[&entries(&beside)]).unwrap_or_else(|error| panic!("{error}"));
    let (passes, report) = checked(corefile_of(&objects(&made)), "169.254.20.10", "");
    assert!(passes, "{report}");
}
