//! What the policy, the cluster domain and the host's file come to.

use super::*;

pub(super) fn policies() -> Vec<Case> {
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

pub(super) fn nodes() -> Vec<Case> {
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
    ]
}

pub(super) fn host_files() -> Vec<Case> {
    vec![
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
