//! Pods, nodes, and the resolv.conf that the kubelet makes of them, case by case.

use serde_json::{Value, json};

use super::*;

/// What stands in a case for the usual three domains of a pod in the namespace `shop`.
const USUAL: &str = "shop.svc.cluster.local svc.cluster.local cluster.local";

struct Case {
    about: &'static str,
    node: NodeDns,
    spec: Value,
    /// `DOMAIN... | NDOTS`, where `+` is the usual three; or `none`.
    expected: String,
}

fn case(about: &'static str, node: NodeDns, spec: Value, expected: impl Into<String>) -> Case {
    Case { about, node, spec, expected: expected.into() }
}

/// A node of `cluster.local` with this resolv.conf.
fn host(resolv_conf: &str) -> NodeDns {
    in_cluster("cluster.local", resolv_conf)
}

fn in_cluster(domain: &str, resolv_conf: &str) -> NodeDns {
    let host = Host::File(HostConf::parse(resolv_conf).unwrap());
    NodeDns { cluster_domain: Some(Name::parse(domain).unwrap()), host }
}

fn without_domain(resolv_conf: &str) -> NodeDns {
    NodeDns { cluster_domain: None, ..host(resolv_conf) }
}

/// The kubelet was told to use no file.
fn no_file() -> NodeDns {
    NodeDns { host: Host::NoFile, ..host("") }
}

/// The file cannot be read.
fn unknown_file() -> NodeDns {
    NodeDns { host: Host::Unknown, ..host("") }
}

/// The spec of a pod that says nothing itself.
fn policy(policy: &str) -> Value {
    json!({"dnsPolicy": policy})
}

fn on_host_network(policy: &str) -> Value {
    json!({"dnsPolicy": policy, "hostNetwork": true})
}

fn searches(policy: &str, searches: &[&str]) -> Value {
    json!({"dnsPolicy": policy, "dnsConfig": {"searches": searches}})
}

/// `NAME=VALUE` or `NAME`.
fn options(policy: &str, options: &[&str]) -> Value {
    let option = |text: &&str| match text.split_once('=') {
        Some((name, value)) => json!({"name": name, "value": value}),
        None => json!({"name": text}),
    };
    json!({"dnsPolicy": policy, "dnsConfig": {"options": options.iter().map(option).collect::<Vec<_>>()}})
}

/// What managed clouds' webhook for a node-local cache makes of a pod.
fn by_webhook() -> Value {
    json!({"dnsPolicy": "None", "dnsConfig": {
        "nameservers": ["169.254.20.10", "10.96.0.10"],
        "searches": ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"],
        "options": [{"name": "ndots", "value": "3"}, {"name": "attempts", "value": "2"}, {"name": "timeout", "value": "1"}],
    }})
}

const AWS: &str = "search eu-west-1.compute.internal\nnameserver 10.0.0.2\noptions timeout:2 attempts:5\n";
const CORP: &str = "nameserver 192.0.2.1\nsearch corp.example lab.example\noptions ndots:2 rotate\n";

fn policies() -> Vec<Case> {
    vec![
        case("the usual pod", host(""), policy("ClusterFirst"), "+ | 5"),
        case("the usual pod in a cloud", host(AWS), policy("ClusterFirst"), "+ eu-west-1.compute.internal | 5"),
        case(
            "the host's options are not the pod's",
            host(CORP),
            policy("ClusterFirst"),
            "+ corp.example lab.example | 5",
        ),
        case("no policy is ClusterFirst", host(CORP), json!({}), "+ corp.example lab.example | 5"),
        case(
            "host network without more is the host's",
            host(CORP),
            on_host_network("ClusterFirst"),
            "corp.example lab.example | 2",
        ),
        case(
            "host network, cluster wanted",
            host(CORP),
            on_host_network("ClusterFirstWithHostNet"),
            "+ corp.example lab.example | 5",
        ),
        case("that policy without host network", host(""), policy("ClusterFirstWithHostNet"), "+ | 5"),
        case("Default is the host's", host(CORP), policy("Default"), "corp.example lab.example | 2"),
        case("Default on the host's network", host(CORP), on_host_network("Default"), "corp.example lab.example | 2"),
        case("Default, ndots not said", host(AWS), policy("Default"), "eu-west-1.compute.internal | 1"),
        case("Default, no searches", host("nameserver 192.0.2.1\n"), policy("Default"), "none"),
        case("Default, `domain` is no search", host("domain corp.example\n"), policy("Default"), "none"),
        case("None without searches", host(CORP), policy("None"), "none"),
        case("None has its own alone", host(CORP), searches("None", &["a.example"]), "a.example | 1"),
        case(
            "None on the host's network",
            host(CORP),
            json!({"dnsPolicy": "None", "hostNetwork": true, "dnsConfig": {"searches": ["a.example"]}}),
            "a.example | 1",
        ),
        case("a policy of later days", host(CORP), searches("ClusterLast", &["a.example"]), "none"),
        case("a webhook's pod", host(AWS), by_webhook(), "+ | 3"),
        case("a webhook's pod, host unknown", unknown_file(), by_webhook(), "+ | 3"),
    ]
}

fn nodes() -> Vec<Case> {
    vec![
        case(
            "another cluster domain",
            in_cluster("k8s.corp.example", ""),
            policy("ClusterFirst"),
            "shop.svc.k8s.corp.example svc.k8s.corp.example k8s.corp.example | 5",
        ),
        case(
            "the host searches the cluster domain",
            in_cluster("corp.example", CORP),
            policy("ClusterFirst"),
            "shop.svc.corp.example svc.corp.example corp.example lab.example | 5",
        ),
        case("no cluster domain", without_domain(CORP), policy("ClusterFirst"), "corp.example lab.example | 5"),
        case("no cluster domain, no searches", without_domain(""), policy("ClusterFirst"), "none"),
        case(
            "no cluster domain, host file unknown",
            NodeDns { cluster_domain: None, ..unknown_file() },
            policy("ClusterFirst"),
            "none",
        ),
        case("the root as cluster domain", in_cluster(".", ""), policy("ClusterFirst"), "none"),
        case("no file", no_file(), policy("ClusterFirst"), "+ | 5"),
        case("no file, the host's list", no_file(), policy("Default"), ". | 1"),
        case("no file, host network", no_file(), on_host_network("ClusterFirst"), ". | 1"),
        case("no file, own searches", no_file(), searches("Default", &["a.example"]), ". a.example | 1"),
        case("no file, no domain", NodeDns { cluster_domain: None, ..no_file() }, policy("ClusterFirst"), "none"),
        case("host file unknown", unknown_file(), policy("ClusterFirst"), "none"),
        case("host file unknown, the host's list", unknown_file(), policy("Default"), "none"),
        case("host file unknown, None", unknown_file(), searches("None", &["a.example"]), "a.example | 1"),
        case(
            "the last search line",
            host("search a.example\nsearch b.example c.example\n"),
            policy("ClusterFirst"),
            "+ b.example c.example | 5",
        ),
        case("an empty last search line", host("search a.example\nsearch\n"), policy("ClusterFirst"), "+ | 5"),
        case("the host's root is dropped", host("search . a.example .\n"), policy("ClusterFirst"), "+ a.example | 5"),
        case("the host's root alone", host("search .\n"), policy("Default"), "none"),
        case(
            "the host's trailing dots",
            host("search cluster.local. a.example.\n"),
            policy("ClusterFirst"),
            "+ a.example | 5",
        ),
        case("two dots become the root", host("search a.example ..\n"), policy("ClusterFirst"), "+ a.example . | 5"),
        case(
            "the host's ndots, last one",
            host("search a.example\noptions ndots:2\noptions rotate ndots:4\n"),
            policy("Default"),
            "a.example | 4",
        ),
        case(
            "the host's ndots above 15",
            host("search a.example\noptions ndots:99\n"),
            policy("Default"),
            "a.example | 15",
        ),
        case(
            "the host's ndots without a number",
            host("search a.example\noptions ndots:\n"),
            policy("Default"),
            "a.example | 0",
        ),
        case(
            "and taken apart for a dnsConfig",
            host("search a.example\noptions ndots:\n"),
            json!({"dnsPolicy": "Default", "dnsConfig": {}}),
            "a.example | 1",
        ),
        case(
            "the host searches twice",
            host("search a.example A.example a.example\n"),
            policy("Default"),
            "a.example | 1",
        ),
    ]
}

fn additions() -> Vec<Case> {
    let more = "ClusterFirst";
    vec![
        case(
            "an own search comes last",
            host(CORP),
            searches(more, &["a.example"]),
            "+ corp.example lab.example a.example | 5",
        ),
        case(
            "a repeat is dropped, the first kept",
            host(CORP),
            searches(more, &["lab.example", "a.example", "svc.cluster.local", "a.example"]),
            "+ corp.example lab.example a.example | 5",
        ),
        case(
            "own searches after the host's",
            host(CORP),
            searches("Default", &["a.example", "corp.example"]),
            "corp.example lab.example a.example | 2",
        ),
        case(
            "a repeat with a dot is one for stubs",
            host(""),
            searches(more, &["cluster.local.", "a.example."]),
            "+ a.example | 5",
        ),
        case(
            "a repeat in capitals is one for stubs",
            host(""),
            searches(more, &["Cluster.Local", "A.Example"]),
            "+ a.example | 5",
        ),
        case("an empty dnsConfig", host(""), json!({"dnsPolicy": more, "dnsConfig": {}}), "+ | 5"),
        case("a null dnsConfig", host(""), json!({"dnsPolicy": more, "dnsConfig": null}), "+ | 5"),
        case("ndots lowered", host(""), options(more, &["ndots=2"]), "+ | 2"),
        case("ndots raised", host(""), options(more, &["ndots=9"]), "+ | 9"),
        case("ndots at the stubs' bound", host(""), options(more, &["ndots=15"]), "+ | 15"),
        case("ndots above it", host(""), options(more, &["ndots=16"]), "+ | 15"),
        case("ndots 0: nothing is searched", host(""), options(more, &["ndots=0"]), "+ | 0"),
        case("ndots without a value takes it away", host(""), options(more, &["ndots"]), "+ | 1"),
        case("and so does an empty value", host(""), options(more, &["ndots="]), "+ | 1"),
        case("ndots twice, the last one", host(""), options(more, &["ndots=2", "ndots=3"]), "+ | 3"),
        case("ndots as part of the name", host(""), options(more, &["ndots:2"]), "+ | 2"),
        case("and one that is larger", host(""), options(more, &["ndots:7"]), "+ | 5"),
        case("a negative ndots", host(""), options(more, &["ndots=-1"]), "+ | 0"),
        case("ndots in words", host(""), options(more, &["ndots=five"]), "+ | 0"),
        case("ndots larger than an int", host(""), options(more, &["ndots=4294967297"]), "+ | 0"),
        case("other options", host(""), options(more, &["edns0", "timeout=1", "single-request-reopen"]), "+ | 5"),
        case("an option with musl's letters inside", host(""), options(more, &["xndots=2"]), "+ | 2"),
        case("an option that breaks the line", host(""), options(more, &["rotate=\nsearch evil.example"]), "none"),
        case("an option with a blank", host(""), options(more, &["ndots=5 ndots:2"]), "none"),
        case(
            "Default, the pod's ndots over the host's",
            host(CORP),
            options("Default", &["ndots=4"]),
            "corp.example lab.example | 4",
        ),
        case(
            "Default, the host's ndots stays",
            host(CORP),
            options("Default", &["edns0"]),
            "corp.example lab.example | 2",
        ),
        case("None, ndots alone", host(CORP), options("None", &["ndots=2"]), "none"),
    ]
}

fn relaxed() -> Vec<Case> {
    let more = "ClusterFirst";
    vec![
        case(
            "an underscore",
            host(""),
            searches(more, &["_tcp.a_b.example", "_svc.example"]),
            "+ _tcp.a_b.example _svc.example | 5",
        ),
        case(
            "the root first",
            host(CORP),
            searches("None", &[".", "shop.svc.cluster.local", "svc.cluster.local"]),
            ". shop.svc.cluster.local svc.cluster.local | 1",
        ),
        case("the root last", host(CORP), searches(more, &["."]), "+ corp.example lab.example . | 5"),
        case("the root alone", host(CORP), searches("None", &["."]), ". | 1"),
        case("the root between others: stubs differ", host(""), searches(more, &[".", "a.example"]), "none"),
        case("the root first and last", host(""), searches("None", &[".", "a.example", "."]), ". a.example | 1"),
        case(
            "the root, and after it a repeat in capitals",
            host(""),
            searches(more, &[".", "CLUSTER.local"]),
            "+ . | 5",
        ),
        case(
            "a label of 63",
            host(""),
            searches("None", &[&format!("{}.example", "a".repeat(63))]),
            format!("{}.example | 1", "a".repeat(63)),
        ),
        case(
            "a label of 64, which the API lets in",
            host(""),
            searches(more, &[&format!("{}.example", "a".repeat(64))]),
            "none",
        ),
        case("an empty label", host("search a..example\n"), policy(more), "none"),
        case("a backslash", host("search a\\.b.example\n"), policy(more), "none"),
        case("what looks like a comment", host("search a.example #b.example\n"), policy(more), "none"),
        case("a label that ends in a dash", host("search a-.example\n"), policy(more), "none"),
        case("letters beyond ASCII", host("search zürich.example\n"), policy(more), "none"),
        case(
            "such a domain does not touch None",
            host("search a..example\n"),
            searches("None", &["b.example"]),
            "b.example | 1",
        ),
        case("two dots at the end", host(""), searches(more, &["a.example.."]), "none"),
        case("an empty domain is a blank", host(""), searches("None", &["", "a.example", ""]), "a.example | 1"),
        case("a domain of two words", host(""), searches(more, &["a.example b.example"]), "none"),
        case("only digits", host(""), searches("None", &["10.example", "7"]), "10.example 7 | 1"),
    ]
}

/// A domain of so many characters, each its own.
fn long(number: usize, characters: usize) -> String {
    let mut domain = format!("n{number:03}");
    while domain.len() < characters {
        let label = (characters - domain.len() - 1).min(50);
        // never a label of nothing at the end
        let label = if characters - domain.len() - 1 - label == 1 { label - 1 } else { label };
        domain = format!("{domain}.{}", "x".repeat(label));
    }
    assert_eq!(domain.len(), characters);
    domain
}

fn own(domains: &[String]) -> Value {
    json!({"dnsPolicy": "None", "dnsConfig": {"searches": domains}})
}

fn shown(domains: &[String], ndots: u8) -> String {
    format!("{} | {ndots}", domains.join(" "))
}

fn limits() -> Vec<Case> {
    let short = |count: usize| (0..count).map(|number| format!("d{number}.example")).collect::<Vec<_>>();
    let of = |characters: &[usize]| -> Vec<String> {
        characters.iter().enumerate().map(|(number, characters)| long(number, *characters)).collect()
    };
    let with = |mut domains: Vec<String>, at: usize, domain: &str| {
        domains.insert(at, domain.to_owned());
        domains
    };
    // a cluster pod's own come behind the usual three, of 22 + 1 + 17 + 1 + 13 = 54 characters
    let behind = |domains: &[String]| json!({"dnsPolicy": "ClusterFirst", "dnsConfig": {"searches": domains}});
    let usual = |rest: &[String]| format!("+ {} | 5", rest.join(" "));
    // 7 * 253 + 6 = 1777; 1777 + 1 + 270 = 2048
    let full = of(&[253, 253, 253, 253, 253, 253, 253, 200, 69]);
    let over = of(&[253, 253, 253, 253, 253, 253, 253, 200, 70]);
    // 54 + 1 + 1993 = 2048: 7 * 253 + 6 = 1777; 1777 + 1 + 215 = 1993
    let beside = of(&[253, 253, 253, 253, 253, 253, 253, 215]);
    let too_much = of(&[253, 253, 253, 253, 253, 253, 253, 216, 4]);
    vec![
        case("32 domains", host(""), own(&short(32)), shown(&short(32), 1)),
        case("33 domains: the last is dropped", host(""), own(&short(33)), shown(&short(32), 1)),
        case("29 beside the usual three", host(""), behind(&short(29)), usual(&short(29))),
        case("30 beside the usual three", host(""), behind(&short(30)), usual(&short(29))),
        case(
            "repeats go before the count",
            host(""),
            own(&with(short(32), 0, "d5.example")),
            shown(&with([&short(32)[..5], &short(32)[6..]].concat(), 0, "d5.example"), 1),
        ),
        case("repeats in capitals count", host(""), own(&with(short(32), 1, "D0.example")), shown(&short(31), 1)),
        case("the root counts", host(""), own(&with(short(32), 0, ".")), format!(". {}", shown(&short(31), 1))),
        case(
            "without a dnsConfig the host's repeats count",
            host(&format!("search {}{}", "d0.example ".repeat(31), "d1.example d2.example")),
            policy("Default"),
            "d0.example d1.example | 1",
        ),
        case(
            "with one they do not",
            host(&format!("search {}{}", "d0.example ".repeat(31), "d1.example d2.example")),
            json!({"dnsPolicy": "Default", "dnsConfig": {}}),
            "d0.example d1.example d2.example | 1",
        ),
        case("253 characters", host(""), own(&of(&[253, 10])), shown(&of(&[253, 10]), 1)),
        case(
            "254 characters: that one is dropped",
            host(""),
            own(&with(of(&[10]), 0, &long(7, 254))),
            shown(&of(&[10]), 1),
        ),
        case(
            "253 and a dot: dropped too",
            host(""),
            own(&with(of(&[10]), 0, &format!("{}.", long(7, 253)))),
            shown(&of(&[10]), 1),
        ),
        case(
            "the host's dot goes before",
            host(&format!("search {}.", long(7, 253))),
            policy("Default"),
            shown(&[long(7, 253)], 1),
        ),
        case("long ones go after the count", host(""), own(&with(short(32), 0, &long(7, 254))), shown(&short(31), 1)),
        case(
            "an unusable long one is dropped before it is looked at",
            host(""),
            own(&with(of(&[10]), 0, &"a".repeat(254))),
            shown(&of(&[10]), 1),
        ),
        case("2048 characters", host(""), own(&full), shown(&full, 1)),
        case("2049 characters: the last is dropped", host(""), own(&over), shown(&over[..8], 1)),
        case("2048 with the usual three", host(""), behind(&beside), usual(&beside)),
        case(
            "a short one behind one that does not fit goes as well",
            host(""),
            behind(&too_much),
            usual(&too_much[..7]),
        ),
        case(
            "an unusable one behind the cut does not matter",
            host(""),
            own(&with(over[..8].to_vec(), 8, &format!("{}..b", "a".repeat(70)))),
            shown(&over[..8], 1),
        ),
        case("the count comes before the cut", host(""), own(&with(short(31), 31, "a..b")), "none"),
        case("and drops unusable ones", host(""), own(&with(short(32), 32, "a..b")), shown(&short(32), 1)),
    ]
}

/// The list as cases show it.
pub(super) fn show(list: Option<&PodList>) -> String {
    let Some(PodList { search, ndots }) = list else { return "none".to_owned() };
    let dotless = |name: &Name| match name.to_string() {
        root if name.is_root() => root,
        text => text.trim_end_matches('.').to_owned(),
    };
    format!("{} | {ndots}", search.iter().map(dotless).collect::<Vec<_>>().join(" "))
}

#[test]
fn every_pod_has_the_list_that_its_kubelet_wrote() {
    let groups = [policies(), nodes(), additions(), relaxed(), limits()];
    let mut wrong = Vec::new();
    let mut count = 0;
    for Case { about, node, spec, expected } in groups.into_iter().flatten() {
        count += 1;
        let spec: DnsSpec = serde_json::from_value(spec).unwrap();
        let list = derive(&PodDns { namespace: "shop", spec: &spec }, &node);
        let (list, expected) = (show(list.as_ref()), expected.replace('+', USUAL));
        if list != expected {
            wrong.push(format!("{about}:\n  expected {expected}\n  derived  {list}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 100, "{count} cases");
}

#[test]
fn namespaces_differ_in_the_first_domain() {
    let spec = DnsSpec::default();
    let first =
        |namespace| derive(&PodDns { namespace, spec: &spec }, &host("")).map(|list| list.search[0].to_string());
    assert_eq!(first("com").as_deref(), Some("com.svc.cluster.local."));
    assert_eq!(first("svc").as_deref(), Some("svc.svc.cluster.local."));
    assert_eq!(first("a b"), None, "no namespace has such a name");
}
