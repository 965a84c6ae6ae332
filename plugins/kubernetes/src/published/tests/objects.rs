//! Objects as the API server sends them, and what each publishes into the zone `z`.

use contract::limits::{PUBLISHED_PER_OBJECT_MAX, PUBLISHED_TARGET_OCTETS_MAX, PUBLISHED_TARGETS_MAX};
use contract::wire::Name;
use serde_json::{Value, json};

use super::super::draft::{Draft, Skipped};
use super::super::{DnsEndpoint, Ingress, Publishes, Service};
use super::shown;

fn read<T: Publishes>(object: &Value) -> (Vec<String>, Skipped) {
    let zones = [Name::parse("z").unwrap()];
    let mut draft = Draft::new(&zones);
    serde_json::from_str::<T>(&object.to_string()).unwrap().publish(&mut draft);
    let (publications, skipped) = draft.finish();
    let mut publications: Vec<String> = publications.iter().map(shown).collect();
    publications.sort();
    (publications, skipped)
}

fn endpoints(endpoints: Value) -> (Vec<String>, Skipped) {
    read::<DnsEndpoint>(&json!({"metadata": {"name": "a", "namespace": "b"}, "spec": {"endpoints": endpoints}}))
}

fn odd(odd: usize) -> Skipped {
    Skipped { odd, left_out: 0 }
}

/// A Service of the shop with these annotations of ExternalDNS.
fn service(annotations: &[(&str, &str)], spec: Value, status: Value) -> Vec<String> {
    let object = json!({"metadata": meta(annotations), "spec": spec, "status": {"loadBalancer": {"ingress": status}}});
    let (publications, skipped) = read::<Service>(&object);
    assert_eq!(skipped, Skipped::default());
    publications
}

fn ingress(annotations: &[(&str, &str)], spec: Value, status: Value) -> Vec<String> {
    let object = json!({"metadata": meta(annotations), "spec": spec, "status": {"loadBalancer": {"ingress": status}}});
    read::<Ingress>(&object).0
}

fn meta(annotations: &[(&str, &str)]) -> Value {
    let prefixed = |key: &str| match key.contains('/') {
        true => key.to_owned(),
        false => format!("external-dns.alpha.kubernetes.io/{key}"),
    };
    let annotations = annotations.iter().map(|(key, value)| (prefixed(key), json!(value)));
    let annotations: serde_json::Map<_, _> = annotations.collect();
    json!({"name": "web", "namespace": "shop", "resourceVersion": "7", "annotations": annotations})
}

#[test]
fn a_dnsendpoint_as_the_api_server_sends_it() {
    let object = json!({
        "apiVersion": "externaldns.k8s.io/v1alpha1", "kind": "DNSEndpoint",
        "metadata": {"name": "shop", "namespace": "shop", "uid": "1", "resourceVersion": "4711", "generation": 2,
            "managedFields": [{"manager": "x", "fieldsV1": {"f:spec": {}}}]},
        "spec": {"endpoints": [
            {"dnsName": "Web.Shop.z.", "recordType": "A", "recordTTL": 180, "targets": ["192.0.2.2", "192.0.2.1", "192.0.2.2"], "labels": {"x": "y"}},
            {"dnsName": "web.shop.z", "recordType": "AAAA", "targets": ["2001:db8::1"]},
            {"dnsName": "*.shop.z", "recordType": "CNAME", "targets": ["lb.example"], "setIdentifier": "",
             "providerSpecific": [{"name": "alias", "value": "true"}, {"name": "aws/evaluate-target-health", "value": "false"}]},
            {"dnsName": "web.example", "recordType": "A", "targets": ["192.0.2.1"]},
        ]},
        "status": {"observedGeneration": 2}
    });
    let (publications, skipped) = read::<DnsEndpoint>(&object);
    assert_eq!(
        publications,
        ["*.shop.z. CNAME lb.example", "web.shop.z. A 192.0.2.1,192.0.2.2 ttl 180", "web.shop.z. AAAA 2001:db8::1",]
    );
    assert_eq!(skipped, Skipped::default());
}

#[test]
fn what_has_a_say_besides_the_targets_makes_a_record_special() {
    let a = |name: &str, more: Value| {
        let mut one = json!({"dnsName": name, "recordType": "A", "targets": ["192.0.2.1"]});
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one
    };
    let (publications, skipped) = endpoints(json!([
        a("weighted.z", json!({"setIdentifier": "blue", "providerSpecific": [{"name": "aws/weight", "value": "10"}]})),
        a(
            "proxied.z",
            json!({"providerSpecific": [{"name": "external-dns.alpha.kubernetes.io/cloudflare-proxied", "value": "true"}]})
        ),
        a("plain.z", json!({"providerSpecific": null, "setIdentifier": null, "recordTTL": 0})),
        a("twice.z", json!({})),
        a("twice.z", json!({"targets": ["192.0.2.9"]})),
        a("same.z", json!({})),
        a("same.z", json!({})),
        a("both.z", json!({})),
        a("both.z", json!({"recordType": "CNAME", "targets": ["x.z"]})),
        a("two.z", json!({"recordType": "CNAME", "targets": ["x.z", "y.z"]})),
        a("bücher.z", json!({})),
    ]));
    assert_eq!(
        publications,
        [
            "both.z. A 192.0.2.1 special",
            "both.z. CNAME x.z special",
            "plain.z. A 192.0.2.1",
            "proxied.z. A 192.0.2.1 special",
            "same.z. A 192.0.2.1",
            "twice.z. A 192.0.2.1 special",
            "twice.z. A 192.0.2.9 special",
            "two.z. CNAME x.z,y.z special",
            "weighted.z. A 192.0.2.1 special",
            "xn--bcher-kva.z. A 192.0.2.1 special",
        ]
    );
    assert_eq!(skipped, Skipped::default());
}

#[test]
fn what_is_no_endpoint_is_counted_and_takes_no_other_with_it() {
    let good = json!({"dnsName": "good.z", "recordType": "A", "targets": ["192.0.2.1"]});
    for bad in [
        json!({"dnsName": "a..z", "recordType": "A", "targets": ["192.0.2.1"]}),
        json!({"dnsName": "", "recordType": "A", "targets": ["192.0.2.1"]}),
        json!({"recordType": "A", "targets": ["192.0.2.1"]}),
        json!({"dnsName": "a b.z", "recordType": "A"}),
        json!({"dnsName": "a.z", "recordType": "A", "targets": ["192.0.2.1."]}),
        json!({"dnsName": "a.z", "recordType": "NAPTR", "targets": ["100 50 \"s\" \"\" \"\" x.z"]}),
        json!({"dnsName": "a.z", "recordType": "SUNG", "targets": []}),
        json!({"dnsName": 7}),
        json!({"dnsName": "a.z", "recordType": "A", "targets": "192.0.2.1"}),
        json!({"dnsName": "a.z", "recordType": "A", "recordTTL": "soon"}),
        json!("a.z"),
        json!([[[]]]),
    ] {
        let (publications, skipped) = endpoints(json!([good, bad, good]));
        assert_eq!((publications, skipped), (vec!["good.z. A 192.0.2.1".to_owned()], odd(1)), "{bad}");
    }
    for nothing in [json!(null), json!([])] {
        assert_eq!(endpoints(nothing), (vec![], odd(0)));
    }
    for object in [json!({"metadata": {}}), json!({"metadata": {}, "spec": null}), json!({"metadata": {}, "spec": [1]})]
    {
        assert_eq!(read::<DnsEndpoint>(&object), (vec![], odd(0)), "{object}");
        assert_eq!((read::<Service>(&object), read::<Ingress>(&object)), ((vec![], odd(0)), (vec![], odd(0))));
    }
}

#[test]
fn other_records_than_addresses_are_kept_and_those_of_the_registry_are_not() {
    let one =
        |name: &str, rtype: &str, target: &str| json!({"dnsName": name, "recordType": rtype, "targets": [target]});
    let (publications, skipped) = endpoints(json!([
        one("a-web.z", "TXT", "heritage=external-dns,external-dns/owner=me,external-dns/resource=crd/shop/web"),
        one("cname-web.z", "TXT", "\"heritage=external-dns,external-dns/owner=me\""),
        one("said.z", "TXT", "v=spf1 -all."),
        one("mail.z", "MX", "10 mail.z"),
        one("_sip._tcp.z", "SRV", "0 50 30000 web.z"),
        one("deleg.z", "ns", "ns1.example"),
        one("n.z", "NAPTR", "100 50 \"s\" \"\" \"\" x.z."),
        {"dnsName": "later.z", "recordType": "A"},
        {"dnsName": "untyped.z", "targets": ["192.0.2.1"], "recordTTL": -5},
        {"dnsName": "ttl.z", "recordType": "A", "targets": ["192.0.2.1"], "recordTTL": 5_000_000_000u64},
    ]));
    assert_eq!(
        publications,
        [
            "_sip._tcp.z. SRV 0 50 30000 web.z",
            "deleg.z. NS ns1.example",
            "later.z. A ",
            "mail.z. MX 10 mail.z",
            "n.z. NAPTR 100 50 \"s\" \"\" \"\" x.z.",
            "said.z. TXT v=spf1 -all.",
            "ttl.z. A 192.0.2.1",
            "untyped.z. ? ",
        ]
    );
    assert_eq!(skipped, odd(0));
}

#[test]
fn one_object_is_bounded() {
    let targets = |count: usize| (0..count).map(|number| format!("x{number}")).collect::<Vec<_>>();
    let long = |length: usize| vec!["x".repeat(length)];
    let one = |targets: Vec<String>| endpoints(json!([{"dnsName": "a.z", "recordType": "TXT", "targets": targets}]));
    for (targets, is_kept) in [
        (targets(PUBLISHED_TARGETS_MAX), true),
        (targets(PUBLISHED_TARGETS_MAX + 1), false),
        (long(PUBLISHED_TARGET_OCTETS_MAX), true),
        (long(PUBLISHED_TARGET_OCTETS_MAX + 1), false),
    ] {
        let (publications, skipped) = one(targets);
        assert_eq!((publications.len(), skipped.left_out), (1, usize::from(!is_kept)));
        assert_eq!(publications[0] != "a.z. TXT ", is_kept, "without targets it is known that there is something");
    }
    let many = |count: usize| {
        (0..count).map(|number| json!({"dnsName": format!("n{number}.z"), "recordType": "A"})).collect::<Vec<_>>()
    };
    let (publications, skipped) = endpoints(Value::Array(many(PUBLISHED_PER_OBJECT_MAX + 3)));
    assert_eq!((publications.len(), skipped), (PUBLISHED_PER_OBJECT_MAX, Skipped { odd: 0, left_out: 3 }));
    let names: Vec<String> = (0..PUBLISHED_PER_OBJECT_MAX + 5).map(|number| format!("n{number}.z")).collect();
    let object = json!({"metadata": meta(&[("hostname", &names.join(",")), ("target", "192.0.2.1")]), "spec": {"type": "ClusterIP"}});
    let (publications, skipped) = read::<Service>(&object);
    assert_eq!((publications.len(), skipped), (PUBLISHED_PER_OBJECT_MAX, Skipped { odd: 0, left_out: 5 }));
}

#[test]
fn a_load_balancer_publishes_what_its_status_says() {
    let balancer = || json!({"type": "LoadBalancer", "clusterIP": "10.96.0.7"});
    let hostname = |name| [("hostname", name)];
    let status = json!([{"ip": "192.0.2.1", "ipMode": "VIP", "ports": []}, {"ip": "192.0.2.2", "hostname": ""}, {"ip": "2001:db8::1"}]);
    assert_eq!(
        service(&hostname("web.z., Shop.z ,other.example"), balancer(), status.clone()),
        [
            "shop.z. A 192.0.2.1,192.0.2.2",
            "shop.z. AAAA 2001:db8::1",
            "web.z. A 192.0.2.1,192.0.2.2",
            "web.z. AAAA 2001:db8::1",
        ]
    );
    assert_eq!(
        service(&hostname("*.z"), balancer(), json!([{"hostname": "lb-1.example."}])),
        ["*.z. CNAME lb-1.example"]
    );
    assert_eq!(service(&hostname("web.z"), balancer(), json!(null)), [""; 0], "it has no address yet");
    assert_eq!(service(&[], balancer(), status.clone()), [""; 0], "it wants no name");
    let external = json!({"type": "LoadBalancer", "externalIPs": ["203.0.113.1"]});
    assert_eq!(service(&hostname("web.z"), external, status.clone()), ["web.z. A 203.0.113.1"]);
    assert_eq!(
        service(
            &[("external-dns.kubernetes.io/hostname", "new.z"), ("external-dns.kubernetes.io/ttl", "1m")],
            balancer(),
            json!([{"ip": "192.0.2.1"}])
        ),
        ["new.z. A 192.0.2.1 ttl 60"]
    );
    assert_eq!(
        service(
            &[("hostname", "web.z"), ("target", "gw.example., 192.0.2.9"), ("ttl", "30")],
            balancer(),
            status.clone()
        ),
        ["web.z. A 192.0.2.9 ttl 30 special", "web.z. CNAME gw.example ttl 30 special",]
    );
    assert_eq!(service(&[("hostname", "web.z"), ("controller", "other")], balancer(), status.clone()), [""; 0]);
    assert_eq!(
        service(&[("internal-hostname", "in.z"), ("aws-weight", "1")], balancer(), status),
        ["in.z. A 10.96.0.7 special"]
    );
}

#[test]
fn of_other_services_the_name_may_be_all_that_is_known() {
    let name = [("hostname", "web.z")];
    for (spec, expected) in [
        (json!({"type": "ClusterIP", "clusterIP": "10.96.0.7"}), "web.z. ? "), // published if ExternalDNS is told so
        (json!({"type": "ClusterIP", "clusterIP": "None"}), "web.z. ? "),
        (json!({"type": "NodePort", "clusterIP": "10.96.0.7"}), "web.z. ? "),
        (json!({}), "web.z. ? "),
        (json!({"type": "ExternalName", "externalName": "db.example."}), "web.z. CNAME db.example"),
        (json!({"type": "ExternalName", "externalName": "192.0.2.5"}), "web.z. A 192.0.2.5"),
        (json!({"type": "ExternalName", "externalName": "x", "externalIPs": ["192.0.2.6"]}), "web.z. A 192.0.2.6"),
    ] {
        assert_eq!(service(&name, spec.clone(), json!(null)), [expected], "{spec}");
        let targeted = service(&[("hostname", "web.z"), ("target", "192.0.2.9")], spec, json!(null));
        assert_eq!(targeted, ["web.z. A 192.0.2.9"]);
    }
    let cluster_ip = json!({"type": "ClusterIP", "clusterIP": "10.96.0.7"});
    assert_eq!(service(&[("internal-hostname", "in.z")], cluster_ip.clone(), json!(null)), ["in.z. A 10.96.0.7"]);
    let headless = json!({"type": "ClusterIP", "clusterIP": "None"});
    assert_eq!(service(&[("internal-hostname", "in.z")], headless, json!(null)), ["in.z. ? "]);
    let both = [("hostname", "a.z"), ("target", "192.0.2.1"), ("external-dns.kubernetes.io/hostname", "a.z,b.z")];
    assert_eq!(
        service(&both, cluster_ip, json!(null)),
        ["a.z. ? ", "a.z. A 192.0.2.1", "b.z. ? "],
        "two zones, perhaps"
    );
}

#[test]
fn an_ingress_publishes_its_hosts_and_its_annotations() {
    let spec = || {
        json!({"ingressClassName": "x", "rules": [{"host": "Web.z", "http": {"paths": []}}, {"host": "other.example"}, {"http": {}}, {"host": ""}],
            "tls": [{"hosts": ["web.z", "*.tls.z"], "secretName": "x"}, {"secretName": "y"}]})
    };
    let status = || json!([{"hostname": "lb.example"}]);
    let hosts = ["*.tls.z. CNAME lb.example", "web.z. CNAME lb.example"];
    assert_eq!(ingress(&[], spec(), status()), hosts);
    assert_eq!(ingress(&[], spec(), json!(null)), [""; 0], "it has no address yet");
    let named = ["*.tls.z. CNAME lb.example", "named.z. CNAME lb.example", "web.z. CNAME lb.example"];
    assert_eq!(ingress(&[("hostname", "named.z")], spec(), status()), named);
    let source = |source| ingress(&[("hostname", "named.z"), ("ingress-hostname-source", source)], spec(), status());
    assert_eq!(source("defined-hosts-only"), hosts);
    assert_eq!(source("Annotation-Only"), named[1..2]);
    assert_eq!(source("neither"), [""; 0]);
    let targeted = ingress(&[("target", "192.0.2.1"), ("set-identifier", "blue")], spec(), status());
    assert_eq!(targeted, ["*.tls.z. A 192.0.2.1 special", "web.z. A 192.0.2.1 special"]);
    assert_eq!(ingress(&[("controller", "other")], spec(), status()), [""; 0]);
    assert_eq!(ingress(&[], json!({"rules": null, "tls": null}), status()), [""; 0]);
}
