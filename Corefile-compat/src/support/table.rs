//! The support table: every directive of CoreDNS 1.14.7 in the order of its `plugin.cfg`, which is the order in which
//! a query meets them, with the grammar's `import` before them and our own `privatezone` before `forward`.

use super::{Row, Support};

const fn served(name: &'static str, properties: &'static [&'static str]) -> Row {
    Row { name, support: Support::Served { properties } }
}

const fn ignored(name: &'static str, lost: &'static str) -> Row {
    Row { name, support: Support::Ignored { lost } }
}

const fn refused(name: &'static str, reason: &'static str, instead: &'static str) -> Row {
    Row { name, support: Support::Refused { reason, instead } }
}

const NOT_YET: &str = "not served yet";
const CENTRE: &str = "keep it in the central CoreDNS and `forward` the zone there";

/// Every directive, in the order in which a query meets them.
pub static DIRECTIVES: &[Row] = &[
    served("import", &[]),
    refused("root", NOT_YET, "write the whole path wherever a file is named"),
    served("metadata", &[]),
    ignored("geoip", "no labels about a client's place are collected; what would read them is refused"),
    served("cancel", &[]),
    served("proxyproto", &["allow", "default", "udp_session_tracking"]),
    refused("quic", NOT_YET, "serve `tls://` or `https://`, and remove the block"),
    refused("grpc_server", NOT_YET, "serve `tls://` or `https://`, and remove the block"),
    ignored("https", "the bound on connections is the daemon's own"),
    refused("https3", NOT_YET, "serve `https://`, and remove the block"),
    served("timeouts", &["read", "write", "idle", "maxtcpqueries"]),
    served("multisocket", &[]),
    served("reload", &[]),
    served("nsid", &[]),
    served("bufsize", &[]),
    served("bind", &["except"]),
    served("debug", &[]),
    served(
        "trace",
        &[
            "every",
            "service",
            "client_server",
            "zipkin_max_backlog_size",
            "zipkin_max_batch_size",
            "zipkin_max_batch_interval",
        ],
    ),
    served("ready", &["monitor"]),
    served("health", &["lameduck"]),
    served("pprof", &["block"]),
    served("shed", &[]),
    served("prometheus", &["runtime_metrics"]),
    served("errors", &["stacktrace", "consolidate"]),
    served("log", &["class"]),
    served("dnstap", &["identity", "version", "extra", "skipverify"]),
    served("local", &["localhost_prefix"]),
    served("dns64", &["prefix", "translate_all", "allow_ipv4"]),
    served("any", &[]),
    served("chaos", &[]),
    served("loadbalance", &["reload", "prefer"]),
    refused("tsig", NOT_YET, CENTRE),
    served("rewrite", &["name", "type", "class", "cname", "ttl", "rcode", "edns0", "answer"]),
    served("autopath", &["pods", "nxdomain_cut"]),
    served("acl", &["allow", "block", "filter", "drop"]),
    served(
        "cache",
        &["success", "denial", "prefetch", "serve_stale", "serve_stale_policy", "servfail", "disable", "keepttl"],
    ),
    served("header", &["query", "response"]),
    refused("dnssec", "a node does not sign", CENTRE),
    served("tls", &["client_auth", "keylog"]),
    served("minimal", &[]),
    served("template", &["match", "answer", "additional", "authority", "rcode", "ederror", "fallthrough", "upstream"]),
    refused("transfer", NOT_YET, CENTRE),
    served("hosts", &["ttl", "no_reverse", "reload", "fallthrough", "fallthrough_unsupported"]),
    refused("route53", NOT_YET, "`forward` the zone to a resolver that serves it"),
    refused("azure", NOT_YET, "`forward` the zone to a resolver that serves it"),
    refused("clouddns", NOT_YET, "`forward` the zone to a resolver that serves it"),
    refused("k8s_external", "a node does not watch the whole cluster", CENTRE),
    refused("kubernetes", "a node does not watch the whole cluster", CENTRE),
    served("file", &["reload", "reload_by_mtime", "upstream", "fallthrough"]),
    refused("auto", NOT_YET, CENTRE),
    refused("secondary", NOT_YET, CENTRE),
    refused("etcd", NOT_YET, CENTRE),
    served("loop", &[]),
    served(
        "privatezone",
        &[
            "to",
            "transport",
            "tls",
            "tls_servername",
            "max_qps",
            "burst",
            "max_concurrent",
            "health_check",
            "ttl_max",
            "ttl_min",
            "negative_ttl_max",
            "vanish_grace",
            "fallthrough",
            "watch",
            "answer_from_watch",
        ],
    ),
    served(
        "forward",
        &[
            "except",
            "force_tcp",
            "prefer_udp",
            "expire",
            "max_age",
            "max_idle_conns",
            "read_timeout",
            "max_fails",
            "max_connect_attempts",
            "doh_method",
            "tls",
            "tls_servername",
            "policy",
            "health_check",
            "max_concurrent",
            "next",
            "next_on_nodata",
            "failfast_all_unhealthy_upstreams",
            "failover",
            "source_address",
            "resolver",
        ],
    ),
    refused("grpc", NOT_YET, "`forward` to the same servers over DNS or `tls://`"),
    served("erratic", &["drop", "truncate", "delay", "large"]),
    served("whoami", &[]),
    refused("on", "the daemon runs no commands", "run the command beside the daemon"),
    refused("sign", "a node does not sign", CENTRE),
    served("view", &["expr"]),
    refused("nomad", NOT_YET, "`forward` the zone to a resolver that serves it"),
];
