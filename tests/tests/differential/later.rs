//! The same for directives that rewrite, choose and refuse; apart from the others for its length.

use super::grammar::{Shapes, shapes};

/// Statements of them.
pub(crate) const MORE: &[Shapes] = &[
    shapes("cancel", &["cancel", "cancel 1s"], &["cancel soon", "cancel 1s 2s", "cancel 0s", "cancel -1s"]),
    shapes("chaos", &["chaos", "chaos v1", "chaos v1 a b"], &["chaos {\n}", "chaos v1 {\nx\n}"]),
    shapes(
        "dns64",
        &["dns64", "dns64 64:1337::/96", "dns64 {\nprefix 64:1337::/96\ntranslate_all\nallow_ipv4\n}"],
        &[
            "dns64 10.0.0.0/8",
            "dns64 64:1337::/95",
            "dns64 64:1337::/96 more",
            "dns64 {\nprefix\n}",
            "dns64 {\nprefix x\n}",
            "dns64 {\nall\n}",
        ],
    ),
    shapes(
        "erratic",
        &["erratic", "erratic {\ndrop 3\ntruncate 2\ndelay 3 50ms\n}"],
        &[
            "erratic {\ndrop -1\n}",
            "erratic {\ndelay x\n}",
            "erratic {\ndelay 1 x\n}",
            "erratic {\nlose\n}",
            "erratic 1",
        ],
    ),
    shapes(
        "header",
        &["header {\nresponse set ra aa\nquery clear rd\n}"],
        &[
            "header",
            "header {\n}",
            "header {\nresponse set\n}",
            "header {\nresponse set xx\n}",
            "header {\nboth set ra\n}",
        ],
    ),
    shapes(
        "loadbalance",
        &["loadbalance", "loadbalance round_robin", "loadbalance {\nprefer 10.0.0.0/8\n}"],
        &["loadbalance fair", "loadbalance weighted", "loadbalance round_robin a", "loadbalance {\nprefer x\n}"],
    ),
    shapes("metadata", &["metadata", "metadata example.org"], &["metadata {\n}", "metadata {\nx\n}"]),
    shapes(
        "multisocket",
        &["multisocket", "multisocket 2"],
        &["multisocket 0", "multisocket -1", "multisocket many", "multisocket 2 3", "multisocket 1025"],
    ),
    shapes("nsid", &["nsid", "nsid a b"], &["nsid {\n}"]),
    shapes(
        "pprof",
        &["pprof {own}:16053", "pprof {own}:16053 {\nblock 5\n}"],
        &["pprof {own}:16053 a", "pprof {own}:16053 {\nblock 0\n}", "pprof {own}:16053 {\nblock x\n}", "pprof nowhere"],
    ),
    shapes(
        "proxyproto",
        &["proxyproto {\nallow 10.0.0.0/8\ndefault ignore\n}"],
        &["proxyproto a", "proxyproto {\nallow x\n}", "proxyproto {\ndefault maybe\n}", "proxyproto {\nother\n}"],
    ),
    shapes(
        "rewrite",
        &[
            "rewrite name a.example.org b.example.org",
            "rewrite stop name regex (.*)\\.a\\.org {1}.b.org answer auto",
            "rewrite continue type ANY HINFO",
            "rewrite ttl suffix example.org 30-60",
            "rewrite edns0 local set 0xffee abc",
            "rewrite rcode exact a.example.org NXDOMAIN NOERROR",
        ],
        &[
            "rewrite",
            "rewrite name",
            "rewrite name a",
            "rewrite name exactly a b",
            "rewrite name regex ( b",
            "rewrite type A",
            "rewrite type A NOTYPE",
            "rewrite class IN XX",
            "rewrite ttl a.example.org x",
            "rewrite ttl a.example.org 60-30",
            "rewrite rcode a.example.org NOCODE NOERROR",
            "rewrite edns0 local set x y",
            "rewrite else name a b",
            "rewrite name a b answer auto",
        ],
    ),
    shapes("shed", &["shed"], &["shed now"]),
    shapes(
        "template",
        &[
            "template IN A example.org {\nmatch ^a\nanswer \"{{ .Name }} 60 IN A 192.0.2.1\"\nfallthrough\n}",
            "template ANY ANY {\nrcode NXDOMAIN\n}",
            "template IN A {\nederror 15 why\nrcode REFUSED\n}",
        ],
        &[
            "template",
            "template IN",
            "template XX A {\nrcode NXDOMAIN\n}",
            "template IN NOTYPE {\nrcode NXDOMAIN\n}",
            "template IN A {\nmatch (\n}",
            "template IN A {\nmatch\n}",
            "template IN A {\nanswer \"{{ .Name \"\n}",
            "template IN A {\nrcode NOCODE\n}",
            "template IN A {\nederror many\n}",
            "template IN A {\nreply x\n}",
        ],
    ),
    shapes(
        "view",
        &["view v {\nexpr type() == 'A'\n}", "view v {\nexpr incidr(client_ip(), '127.0.0.0/8')\n}"],
        &[
            "view",
            "view v",
            "view v {\n}",
            "view v {\nexpr\n}",
            "view v {\nexpr nothing()\n}",
            "view v {\nrule true\n}",
        ],
    ),
];
