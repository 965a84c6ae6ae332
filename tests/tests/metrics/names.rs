//! What the dashboards of CoreDNS and of NodeLocal DNSCache ask for: every name with its labels, and a value.

use std::collections::BTreeSet;

/// What is wanted of a metric after the load.
#[derive(Clone, Copy, PartialEq)]
enum Wants {
    /// Some series is above zero.
    Moved,
    /// It is there: what would move it does not happen here (a panic), or is set to nothing.
    There,
}
use Wants::{Moved, There};

const BLOCK: &[&str] = &["server", "zone", "view"];
const STORE: &[&str] = &["server", "zones", "view"];
const STORE_TYPE: &[&str] = &["server", "type", "zones", "view"];
const UPSTREAM_PROTO: &[&str] = &["proxy_name", "to", "proto"];
const SIZES: &[&str] = &["server", "zone", "view", "proto"];

/// Name, labels, what is wanted. Histograms by the name of their count.
const NAMES: &[(&str, &[&str], Wants)] = &[
    // CoreDNS, plugin prometheus
    ("coredns_build_info", &["version", "revision", "goversion"], Moved),
    ("coredns_panics_total", &[], There),
    ("coredns_dns_requests_total", &["server", "zone", "view", "proto", "family", "type"], Moved),
    ("coredns_dns_request_duration_seconds_count", BLOCK, Moved),
    ("coredns_dns_request_duration_seconds_sum", BLOCK, Moved),
    ("coredns_dns_request_size_bytes_count", SIZES, Moved),
    ("coredns_dns_do_requests_total", BLOCK, Moved),
    ("coredns_dns_response_size_bytes_count", SIZES, Moved),
    ("coredns_dns_responses_total", &["server", "zone", "view", "rcode", "plugin"], Moved),
    ("coredns_plugin_enabled", &["server", "zone", "view", "name"], Moved),
    // cache
    ("coredns_cache_entries", STORE_TYPE, Moved),
    ("coredns_cache_requests_total", STORE, Moved),
    ("coredns_cache_hits_total", STORE_TYPE, Moved),
    ("coredns_cache_misses_total", STORE, Moved),
    ("coredns_cache_prefetch_total", STORE, Moved),
    ("coredns_cache_drops_total", STORE, There),
    ("coredns_cache_served_stale_total", STORE, Moved),
    ("coredns_cache_evictions_total", STORE_TYPE, Moved),
    // forward and its proxies
    ("coredns_forward_healthcheck_broken_total", &[], Moved),
    ("coredns_forward_max_concurrent_rejects_total", &[], Moved),
    ("coredns_proxy_request_duration_seconds_count", &["proxy_name", "to", "rcode"], Moved),
    ("coredns_proxy_healthcheck_failures_total", &["proxy_name", "to"], Moved),
    ("coredns_proxy_conn_cache_hits_total", UPSTREAM_PROTO, Moved),
    ("coredns_proxy_conn_cache_misses_total", UPSTREAM_PROTO, Moved),
    // reload, health, hosts, acl, local, autopath
    ("coredns_reload_failed_total", &[], Moved),
    ("coredns_reload_version_info", &["hash", "value"], Moved),
    ("coredns_health_request_duration_seconds_count", &[], Moved),
    ("coredns_health_request_failures_total", &[], There),
    ("coredns_hosts_entries", &["hostsfile"], Moved),
    ("coredns_hosts_reload_timestamp_seconds", &[], Moved),
    ("coredns_acl_blocked_requests_total", BLOCK, Moved),
    ("coredns_acl_allowed_requests_total", &["server", "view"], There),
    ("coredns_local_localhost_requests_total", &[], Moved),
    ("coredns_dns64_requests_translated_total", &["server"], Moved),
    ("coredns_template_matches_total", &["server", "zone", "view", "class", "type"], Moved),
    (
        "coredns_template_template_failures_total",
        &["server", "zone", "view", "class", "type", "section", "template"],
        There,
    ),
    ("coredns_template_rr_failures_total", &["server", "zone", "view", "class", "type", "section", "template"], There),
    ("coredns_shed_dropped_total", &["server", "reason"], There),
    ("coredns_autopath_success_total", &["server"], Moved),
    // node-cache
    ("coredns_nodecache_setup_errors_total", &["errortype"], There),
    // every client library of Prometheus
    ("process_cpu_seconds_total", &[], Moved),
    ("process_resident_memory_bytes", &[], Moved),
    ("process_virtual_memory_bytes", &[], Moved),
    ("process_open_fds", &[], Moved),
    ("process_max_fds", &[], Moved),
    ("process_start_time_seconds", &[], Moved),
];

/// Single series that dashboards and alerts of CoreDNS name by the values of their labels.
const SERIES: &[(&str, &[&str])] = &[
    ("coredns_dns_requests_total", &["zone=\".\"", "proto=\"udp\"", "family=\"1\"", "type=\"A\""]),
    ("coredns_dns_requests_total", &["zone=\".\"", "proto=\"tcp\"", "type=\"AAAA\""]),
    ("coredns_dns_requests_total", &["zone=\"dropped\""]),
    ("coredns_dns_responses_total", &["zone=\".\"", "rcode=\"NOERROR\"", "plugin=\"cache\""]),
    ("coredns_dns_responses_total", &["zone=\".\"", "rcode=\"NXDOMAIN\"", "plugin=\"forward\""]),
    ("coredns_dns_responses_total", &["zone=\".\"", "plugin=\"local\""]),
    ("coredns_dns_responses_total", &["zone=\"cluster.local.\"", "plugin=\"autopath\""]),
    ("coredns_dns_responses_total", &["zone=\"corp.example.\"", "plugin=\"privatezone\""]),
    ("coredns_dns_responses_total", &["zone=\"down.example.\"", "rcode=\"SERVFAIL\"", "plugin=\"\""]),
    ("coredns_dns_responses_total", &["zone=\"dropped\"", "plugin=\"\""]),
    ("coredns_cache_hits_total", &["type=\"success\"", "zones=\".\""]),
    ("coredns_cache_hits_total", &["type=\"denial\"", "zones=\".\""]),
    ("coredns_plugin_enabled", &["zone=\".\"", "name=\"cache\""]),
    ("coredns_plugin_enabled", &["zone=\".\"", "name=\"health\""]),
    ("coredns_plugin_enabled", &["zone=\"cluster.local.\"", "name=\"autopath\""]),
    ("coredns_proxy_request_duration_seconds_count", &["proxy_name=\"forward\"", "rcode=\"NOERROR\""]),
    ("coredns_proxy_conn_cache_hits_total", &["proxy_name=\"forward\"", "proto=\"tcp\""]),
    ("coredns_reload_version_info", &["hash=\"sha512\""]),
];

/// A sample: labels as they stand, and the value.
fn samples<'p>(page: &'p str, name: &str) -> Vec<(&'p str, f64)> {
    let sample = |line: &'p str| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        Some((labels, value.parse().ok()?))
    };
    page.lines().filter_map(sample).collect()
}

/// The names of labels; no value here has a comma with a quote before it.
fn keys(labels: &str) -> BTreeSet<&str> {
    labels.split("\",").filter_map(|label| label.split('=').next()).filter(|key| !key.is_empty()).collect()
}

/// Every name is on a page.
#[track_caller]
pub(super) fn are_there(page: &str) {
    let mut wrong = Vec::new();
    for (name, labels, wants) in NAMES {
        let samples = samples(page, name);
        let labels: BTreeSet<&str> = labels.iter().copied().collect();
        if samples.is_empty() {
            wrong.push(format!("{name} is missing"));
        } else if let Some((other, _)) = samples.iter().find(|(found, _)| keys(found) != labels) {
            wrong.push(format!("{name} has the labels {other}"));
        } else if *wants == Moved && samples.iter().all(|(_, value)| *value <= 0.0) {
            wrong.push(format!("{name} is zero"));
        }
    }
    for (name, labels) in SERIES {
        let all = |found: &str| labels.iter().all(|label| found.contains(label));
        if !samples(page, name).iter().any(|(found, value)| all(found) && *value > 0.0) {
            wrong.push(format!("{name}{{{}}} is missing or zero", labels.join(",")));
        }
    }
    assert!(wrong.is_empty(), "{}\n{page}", wrong.join("\n"));
}
