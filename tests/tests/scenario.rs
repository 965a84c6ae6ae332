//! Tier `scenario`: the daemon between real clients and scripted upstreams, in DNS terms.

mod autopath;
mod base;
mod block;
mod control;
mod dnstap;
mod failure;
mod front;
mod kubernetes;
mod pprof;
mod privatezone;
mod rules;
mod same_story;
mod see;
mod store;
mod story;
mod stream;
mod trace;
mod upstreams;
mod why;

use nearpath_tests::{Daemon, Upstream};

/// The records that most scenarios need.
pub(crate) const TABLE: &[&str] = &[
    "example.com. 300 SOA ns.example.com. admin.example.com. 1 7200 900 1209600 60",
    "www.example.com. 300 A 192.0.2.1",
    "www.example.com. 300 AAAA 2001:db8::1",
    "web.example.com. 120 CNAME www.example.com.",
    "mixed.example.com. 7 CNAME www.example.com.",
    "short.example.com. 1 A 192.0.2.2",
    "six.example.com. 6 A 192.0.2.6",
    "text.example.com. 60 TXT one two",
    "*.wild.example.com. 300 A 192.0.2.77",
    "cluster.local. 5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5",
    "db.shop.svc.cluster.local. 5 A 10.96.0.7",
    "kubernetes.default.svc.cluster.local. 5 A 10.96.0.1",
];

/// An upstream that knows [`TABLE`].
#[track_caller]
pub(crate) fn centre() -> Upstream {
    Upstream::with(TABLE)
}

/// A daemon that caches and forwards everything to one upstream over UDP.
#[track_caller]
pub(crate) fn plain(centre: &Upstream) -> Daemon {
    Daemon::given(
        ".:PORT {\n    bind IP\n    errors\n    cache 3600\n    forward . CENTRE\n}\n",
        &[("CENTRE", centre.address())],
    )
}
