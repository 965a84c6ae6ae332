//! Slices as API servers send them, and what is asked then.

use serde_json::{Value, json};

use super::*;

fn slice(value: Value) -> Slice {
    serde_json::from_value(value).unwrap()
}

fn slices(values: impl IntoIterator<Item = Value>) -> Slices {
    let mut slices = Slices::default();
    slices.replace(values.into_iter().map(slice));
    slices
}

/// `ADDRESS:PORT`, with ` far` behind those of other zones.
fn shown(endpoints: Vec<Endpoint>) -> Vec<String> {
    let show = |one: Endpoint| format!("{}{}", one.address, if one.near { "" } else { " far" });
    endpoints.into_iter().map(show).collect()
}

fn asked(values: &[Value], port: Option<&str>, zone: Option<&str>) -> Vec<String> {
    shown(slices(values.to_vec()).endpoints(port, zone))
}

/// The ports of CoreDNS's usual Service.
fn dns_ports() -> Value {
    json!([
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        {"name": "metrics", "port": 9153, "protocol": "TCP"},
    ])
}

fn slice_of(name: &str, family: &str, ports: Value, endpoints: Value) -> Value {
    json!({"metadata": {"name": name}, "addressType": family, "ports": ports, "endpoints": endpoints})
}

fn ready(address: &str) -> Value {
    json!({"addresses": [address], "conditions": {"ready": true, "serving": true, "terminating": false}})
}

fn hinted(address: &str, zones: &[&str]) -> Value {
    let zones: Vec<Value> = zones.iter().map(|zone| json!({"name": zone})).collect();
    json!({"addresses": [address], "conditions": {"ready": true}, "hints": {"forZones": zones}})
}

const IPV4: &str = "IPv4";

#[test]
fn a_slice_as_the_api_server_sends_it() {
    let text = r#"{
        "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "name": "kube-dns-x7k2p", "generateName": "kube-dns-", "namespace": "kube-system",
            "uid": "0c9f0f38-0a9e-4f3a-8bb1-6e1e5f3b3b3a", "resourceVersion": "4711", "generation": 9,
            "labels": {"k8s-app": "kube-dns", "kubernetes.io/service-name": "kube-dns"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "kube-dns", "uid": "1", "controller": true}]
        },
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.244.1.7"], "conditions": {"ready": true, "serving": true, "terminating": false},
             "targetRef": {"kind": "Pod", "namespace": "kube-system", "name": "coredns-1", "uid": "2"},
             "nodeName": "node-2", "zone": "eu-1b", "hints": {"forZones": [{"name": "eu-1b"}], "forNodes": [{"name": "node-2"}]}},
            {"addresses": ["10.244.0.4"], "conditions": {"ready": true, "serving": true, "terminating": false},
             "nodeName": "node-1", "zone": "eu-1a", "hints": {"forZones": [{"name": "eu-1a"}]}},
            {"addresses": ["10.244.0.5"], "conditions": {"ready": false, "serving": false, "terminating": false}}
        ],
        "ports": [
            {"name": "dns-tcp", "protocol": "TCP", "port": 53},
            {"name": "metrics", "protocol": "TCP", "port": 9153},
            {"name": "dns", "protocol": "UDP", "port": 53}
        ]
    }"#;
    let one: Slice = serde_json::from_str(text).unwrap();
    assert_eq!((&*one.metadata.name, &*one.metadata.resource_version), ("kube-dns-x7k2p", "4711"));
    let mut slices = Slices::default();
    slices.apply(one);
    assert_eq!(shown(slices.endpoints(None, Some("eu-1b"))), ["10.244.1.7:53", "10.244.0.4:53 far"]);
    assert_eq!(shown(slices.endpoints(None, None)), ["10.244.0.4:53", "10.244.1.7:53"]);
    assert_eq!(slices.left_out(), 0);
}

#[test]
fn who_is_ready_and_stays_gets_questions() {
    for (conditions, is_asked) in [
        (Value::Null, true),
        (json!({}), true),
        (json!({"ready": null, "serving": null, "terminating": null}), true),
        (json!({"ready": true}), true),
        (json!({"ready": true, "serving": true, "terminating": false}), true),
        (json!({"ready": true, "serving": false}), true),
        (json!({"ready": false}), false),
        (json!({"ready": false, "serving": true}), false),
        (json!({"ready": false, "serving": true, "terminating": true}), false),
        (json!({"ready": false, "serving": false, "terminating": true}), false),
        // publishNotReadyAddresses: ready in any case
        (json!({"ready": true, "serving": true, "terminating": true}), false),
        (json!({"terminating": true}), false),
    ] {
        let endpoint = json!({"addresses": ["10.0.0.1"], "conditions": conditions});
        let asked = asked(&[slice_of("a", IPV4, dns_ports(), json!([endpoint]))], None, None);
        assert_eq!(asked, if is_asked { &["10.0.0.1:53"][..] } else { &[] }, "{conditions}");
    }
}

#[test]
fn hints_count_when_all_have_them_and_some_are_for_this_zone() {
    let (a, b, ab) = (hinted("10.0.0.2", &["a"]), hinted("10.0.0.1", &["b"]), hinted("10.0.0.3", &["a", "b"]));
    let ask = |endpoints: Value, zone| asked(&[slice_of("s", IPV4, dns_ports(), endpoints)], None, zone);
    let all = json!([a, b, ab]);
    assert_eq!(ask(all.clone(), Some("a")), ["10.0.0.2:53", "10.0.0.3:53", "10.0.0.1:53 far"]);
    assert_eq!(ask(all.clone(), Some("b")), ["10.0.0.1:53", "10.0.0.3:53", "10.0.0.2:53 far"]);
    let near = ["10.0.0.1:53", "10.0.0.2:53", "10.0.0.3:53"];
    assert_eq!(ask(all.clone(), Some("c")), near, "none is for this zone");
    assert_eq!(ask(all, None), near, "the zone is not known");
    assert_eq!(ask(json!([a, b, ready("10.0.0.3")]), Some("a")), near, "one has no hint");
    assert_eq!(ask(json!([a, b, hinted("10.0.0.3", &[])]), Some("a")), near, "an empty hint is none");
    let not_ready = json!({"addresses": ["10.0.0.9"], "conditions": {"ready": false}});
    assert_eq!(
        ask(json!([a, b, not_ready]), Some("a")),
        ["10.0.0.2:53", "10.0.0.1:53 far"],
        "who is not ready has no say"
    );
    let gone =
        json!({"addresses": ["10.0.0.9"], "conditions": {"ready": false}, "hints": {"forZones": [{"name": "a"}]}});
    assert_eq!(ask(json!([b, gone]), Some("a")), ["10.0.0.1:53"], "the last of the zone has gone");
    assert_eq!(ask(json!([hinted("10.0.0.1", &[""])]), Some("")), ["10.0.0.1:53"]);
}

#[test]
fn two_families_are_two_slices() {
    let v4 = slice_of("dns-4", IPV4, dns_ports(), json!([hinted("10.0.0.1", &["a"]), hinted("10.0.0.2", &["b"])]));
    let v6 = slice_of("dns-6", "IPv6", dns_ports(), json!([ready("fd00::1"), ready("fd00::2")]));
    let both = [v4, v6];
    let expected = ["10.0.0.1:53", "[fd00::1]:53", "[fd00::2]:53", "10.0.0.2:53 far"];
    assert_eq!(asked(&both, None, Some("a")), expected, "each family by its own hints");
    assert_eq!(asked(&both, None, None), ["10.0.0.1:53", "10.0.0.2:53", "[fd00::1]:53", "[fd00::2]:53"]);
    let mixed = slice_of("x", "IPv6", dns_ports(), json!([ready("10.0.0.1"), ready("fd00::1")]));
    assert_eq!(asked(&[mixed], None, None), ["[fd00::1]:53"], "of the other family");
}

#[test]
fn an_endpoint_in_two_slices_is_one() {
    let one = slice_of("a", IPV4, dns_ports(), json!([hinted("10.0.0.1", &["a"]), ready("10.0.0.1")]));
    let two =
        slice_of("b", IPV4, dns_ports(), json!([json!({"addresses": ["10.0.0.1"], "conditions": {"ready": false}})]));
    assert_eq!(asked(&[one, two], None, None), ["10.0.0.1:53"], "ready in one of them");
    let far = slice_of("a", IPV4, dns_ports(), json!([hinted("10.0.0.1", &["b"])]));
    let near = slice_of("b", IPV4, dns_ports(), json!([hinted("10.0.0.1", &["a"])]));
    assert_eq!(asked(&[far, near], None, Some("a")), ["10.0.0.1:53"], "near in one of them");
}

fn port(name: &str, number: u16, protocol: &str) -> Value {
    json!({"name": name, "port": number, "protocol": protocol})
}

#[test]
fn the_port_is_found_by_name_number_or_for_dns() {
    let (udp, tcp) = (port("dns", 53, "UDP"), port("dns-tcp", 53, "TCP"));
    let metrics = port("metrics", 9153, "TCP");
    let usual = json!([udp, tcp, metrics]);
    let moved = json!([port("dns", 5353, "UDP"), port("dns-tcp", 5353, "TCP"), metrics]);
    for (ports, wanted, number) in [
        (usual.clone(), None, Some(53)),
        (usual.clone(), Some("dns-tcp"), Some(53)),
        (usual.clone(), Some("dns"), Some(53)),
        (usual.clone(), Some("metrics"), Some(9153)),
        (usual.clone(), Some("53"), Some(53)),
        (usual.clone(), Some("9153"), Some(9153)),
        (usual.clone(), Some("dot"), None),
        (usual.clone(), Some("853"), None), // two TCP ports, neither of them 853
        (moved.clone(), None, Some(5353)),
        (moved.clone(), Some("53"), Some(5353)), // the Service's number for what is 5353 at the pods
        (moved.clone(), Some("5353"), Some(5353)),
        (moved, Some("dns-tcp"), Some(5353)),
        (json!([port("tcp-53", 53, "TCP"), metrics]), None, Some(53)),
        (json!([port("a", 1053, "TCP")]), None, Some(1053)),
        (json!([port("a", 1053, "TCP")]), Some("53"), Some(1053)),
        (json!([port("a", 1053, "TCP")]), Some("10053"), Some(1053)), // the only one
        (json!([port("a", 1053, "TCP"), port("b", 1054, "TCP")]), None, None),
        (json!([udp]), None, Some(53)),
        (json!([udp]), Some("53"), Some(53)),
        (json!([port("dns", 5353, "UDP")]), Some("dns"), Some(5353)),
        (json!([port("udp-53", 53, "UDP")]), None, None),
        (json!([udp, metrics]), None, Some(9153)),   // the only TCP port
        (json!([{"port": 1053}]), None, Some(1053)), // a Service with one port gives it no name; TCP is the default
        (json!([{"name": null, "port": 1053, "protocol": null}]), None, Some(1053)),
        (json!([{"name": "dns-tcp", "port": null, "protocol": "TCP"}]), None, None),
        (json!([port("dns-tcp", 53, "SCTP")]), None, None),
        (json!([port("dns-tcp", 0, "TCP")]), None, None),
        (json!([{"name": "dns-tcp", "port": 70_000, "protocol": "TCP"}]), None, None),
        (json!([]), None, None),
        (Value::Null, None, None),
    ] {
        let expected: Vec<String> = number.map(|number: u16| format!("10.0.0.1:{number}")).into_iter().collect();
        let asked = asked(&[slice_of("a", IPV4, ports.clone(), json!([ready("10.0.0.1")]))], wanted, None);
        assert_eq!(asked, expected, "{wanted:?} of {ports}");
    }
}

#[test]
fn a_named_port_may_have_other_numbers_in_other_slices() {
    let old = slice_of("old", IPV4, json!([port("dns-tcp", 53, "TCP")]), json!([ready("10.0.0.1")]));
    let new = slice_of("new", IPV4, json!([port("dns-tcp", 1053, "TCP")]), json!([ready("10.0.0.2")]));
    let lacks = slice_of("x", IPV4, json!([port("metrics", 9153, "TCP")]), json!([ready("10.0.0.3")]));
    let all = [old, new, lacks];
    for wanted in [None, Some("dns-tcp"), Some("53"), Some("1053")] {
        assert_eq!(asked(&all, wanted, None), ["10.0.0.1:53", "10.0.0.2:1053"], "{wanted:?}: never the metrics");
    }
}

#[test]
fn junk_is_passed_over() {
    let junk = json!([
        {"addresses": []},
        {"addresses": null},
        {"conditions": {"ready": true}},
        ready("ten.example"),
        ready("10.0.0.300"),
        ready(""),
        {"addresses": ["10.0.0.7", "10.0.0.8"]},
    ]);
    assert_eq!(asked(&[slice_of("a", IPV4, dns_ports(), junk)], None, None), ["10.0.0.7:53"], "the first of several");
    let fqdn = slice_of("a", "FQDN", dns_ports(), json!([ready("10.0.0.1"), ready("dns.example")]));
    assert_eq!(asked(&[fqdn], None, None), [""; 0]);
    let unknown = slice_of("a", "IPv8", dns_ports(), json!([ready("10.0.0.1")]));
    assert_eq!(asked(&[unknown], None, None), [""; 0]);
    let nothing = json!({"metadata": {"name": "a"}, "addressType": "IPv4", "endpoints": null, "ports": null});
    assert_eq!(asked(&[nothing], None, None), [""; 0]);
    assert!(serde_json::from_value::<Slice>(json!({"addressType": "IPv4"})).is_err(), "no name");
}

#[test]
fn slices_come_change_and_go() {
    let state = |name: &str, version: &str, address: &str| {
        let mut value = slice_of(name, IPV4, dns_ports(), json!([ready(address)]));
        value["metadata"]["resourceVersion"] = json!(version);
        slice(value)
    };
    let mut slices = Slices::default();
    let now = |slices: &Slices| shown(slices.endpoints(None, None));
    slices.apply(state("a", "9", "10.0.0.1"));
    slices.apply(state("b", "10", "10.0.0.2"));
    assert_eq!(now(&slices), ["10.0.0.1:53", "10.0.0.2:53"]);
    slices.apply(state("a", "11", "10.0.0.3"));
    slices.apply(state("b", "9", "10.0.0.4"));
    assert_eq!(now(&slices), ["10.0.0.2:53", "10.0.0.3:53"], "9 is older than 10");
    slices.apply(state("b", "10", "10.0.0.2"));
    slices.apply(state("a", "junk", "10.0.0.5"));
    assert_eq!(now(&slices), ["10.0.0.2:53", "10.0.0.5:53"], "no number proves no age");
    slices.remove("b");
    slices.remove("b");
    assert_eq!(now(&slices), ["10.0.0.5:53"]);
    slices.replace([state("c", "3", "10.0.0.6")]);
    assert_eq!(now(&slices), ["10.0.0.6:53"], "a list replaces all, even by lower numbers");
    slices.replace([]);
    assert_eq!(now(&slices), [""; 0]);
}

#[test]
fn slices_and_endpoints_are_bounded() {
    let address = |number: usize| std::net::Ipv4Addr::from_bits(0x0a00_0000 + number as u32).to_string();
    let many: Vec<Value> = (0..=SLICE_ENDPOINTS_MAX).map(|number| ready(&address(number))).collect();
    let full = slices([slice_of("a", IPV4, dns_ports(), json!(many))]);
    assert_eq!(full.endpoints(None, None).len(), SLICE_ENDPOINTS_MAX);
    assert_eq!(full.left_out(), 1);

    let one = |number: usize| slice_of(&format!("{number:03}"), IPV4, dns_ports(), json!([ready(&address(number))]));
    let mut full = slices((0..SLICES_MAX + 2).map(one));
    assert_eq!(full.endpoints(None, None).len(), SLICES_MAX);
    assert_eq!(full.left_out(), 2);
    full.apply(slice(one(0)));
    full.remove(&format!("{:03}", SLICES_MAX + 1));
    assert_eq!(full.left_out(), 1, "known ones may change, refused ones may go");
    full.remove("000");
    full.apply(slice(one(SLICES_MAX)));
    assert_eq!(full.left_out(), 0, "there is room again");

    let zone = |zone: &str, from: usize| {
        let endpoints: Vec<Value> = (from..from + 1_000).map(|number| hinted(&address(number), &[zone])).collect();
        slice_of(zone, IPV4, dns_ports(), json!(endpoints))
    };
    let asked = slices([zone("a", 0), zone("b", 1_000)]).endpoints(None, Some("b"));
    assert_eq!(asked.len(), ENDPOINTS_MAX);
    assert_eq!(asked.iter().filter(|one| one.near).count(), 1_000, "those of this zone come first");
}
