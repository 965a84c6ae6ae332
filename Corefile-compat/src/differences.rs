//! What nearpath answers otherwise than CoreDNS 1.14.7 on purpose: the one list, for `nearpath check --explain`, for the README's
//! table, and for the differential tests, in which each must occur and nothing else may.

/// One wanted difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A short name for it.
    pub id: &'static str,
    /// The directives whose users meet it; none: everybody.
    pub directives: &'static [&'static str],
    /// What CoreDNS does.
    pub coredns: &'static str,
    /// What nearpath does.
    pub nearpath: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// Every wanted difference.
pub static DIFFERENCES: &[Difference] = &[
    Difference { id: "recursion-available", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "own-size", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "checking-disabled", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "stale-on-failure", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "authoritative-from-memory", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "whole-after-cut", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "cut-keeps-what-fits", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "datagram-size", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "no-opt-unasked", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "acl-dnssec-ok", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "acl-prohibited", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "told-why", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "options-echoed", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "node-name", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "explained-by-nsid", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "class-any", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "zone-transfer", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "nodata-after-cut", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "autopath-failed-candidate", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "autopath-ndots", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "ttl-per-record", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "metrics-version", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "metrics-plugin", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "metrics-plugin-enabled", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "metrics-reply-size", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "metrics-udp-sockets", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "autopath-ttl", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "chaos-of-itself", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "ede-passed-on", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "gates-first", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "hosts-forgotten", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "memory-before-chain", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "metrics-autopath-asks", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "metrics-memorised-failures", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "negative-ttl", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "nxdomain-behind-cname", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "open-chain", directives: &[], coredns: "", nearpath: "", reason: "" },
    Difference { id: "stale-ttl", directives: &[], coredns: "", nearpath: "", reason: "" },
];
