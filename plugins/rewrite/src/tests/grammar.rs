//! What is accepted and what is refused, where, and what is said then.

use contract::Spec as _;
use contract::corefile::support;
use contract::testing::{all_checked, checked};
use contract::wire::Name;

use crate::{RewriteSpec, check};

/// CoreDNS's own table of rules, and what it lacks.
#[test]
fn what_coredns_accepts_is_accepted() {
    for rule in [
        "name a.com b.com",
        "name exact a.com b.com",
        "NAME Prefix a.com b.com",
        "name suffix a.com b.com",
        "name substring a.com b.com",
        r"name regex ([a])\.com new-{1}.com",
        r"name regex (dns)\.(core)\.(rocks) {2}.{1}.{3} answer name (core)\.(dns)\.(rocks) {2}.{1}.{3}",
        r"name substring fcore.dns.rocks dns.fcore.rocks answer name (fcore)\.(dns)\.(rocks) {2}.{1}.{3}",
        "name suffix a b answer auto answer value c d",
        "name suffix a b answer value c d value e f auto",
        "name exact a b answer auto",
        "name exact exact. b",
        "type any a",
        "class ch in",
        "class NONE any",
        "edns0 local set 65518 abcdefg",
        "edns0 local set 0xffee abcdefg revert",
        "edns0 local append 0xffee abcdefg",
        "edns0 local replace 0xffee abcdefg revert",
        "edns0 local unset 0xffee",
        "edns0 nsid set",
        "edns0 nsid append revert",
        "edns0 nsid unset",
        "edns0 local set 0xffee {qname}",
        "edns0 local append 0xffee {client_ip} revert",
        "edns0 local set 0xffee {kubernetes/client-namespace}",
        "edns0 subnet set 24 56",
        "edns0 subnet replace 0x18 0 revert",
        "edns0 subnet unset",
        "stop name a.com b.com",
        "CONTINUE name a.com b.com",
        "cname a b",
        "cname suffix .a. .b.",
        "cname regex (.*).cdn.net. {1}.x.{0}",
        "ttl a.com 4294967295",
        "ttl regex ^a 30-",
        "rcode a.com SERVFAIL noerror",
        "rcode suffix a.com 023 BADCOOKIE",
        "type RT nsap-ptr",
    ] {
        let (spec, report) = checked(&format!("rewrite {rule}"), check);
        assert!(spec.is_some() && report.is_empty(), "{rule}: {report}");
    }
}

#[test]
fn a_rule_may_stand_between_braces() {
    for rule in [
        "rewrite {\n  name a b\n}",
        "rewrite stop {\n  name regex foo bar\n  answer name bar foo\n}",
        "rewrite name {\n  suffix a\n  b answer\n  auto\n}",
        "rewrite continue {\n  ttl regex (.*)\\.coredns\\.rocks 15\n}",
        "rewrite continue {\n  edns0 local set 0xffee {client_ip}\n}",
        "rewrite {\n  stop\n  rcode a 2 0\n}",
    ] {
        let (spec, report) = checked(rule, check);
        assert!(spec.is_some() && report.is_empty(), "{rule}: {report}");
    }
}

/// The statement, where the error is, and what it says.
const WRONG: &[(&str, &str, &str)] = &[
    ("rewrite", "2:8", "missing argument"),
    ("rewrite stop", "2:13", "missing argument"),
    ("rewrite foo", "2:9", "`foo` is no field"),
    ("rewrite nmae a b", "2:9", "did you mean `name`?"),
    ("rewrite unknown-action name a.com b.com", "2:9", "`unknown-action` is no field"),
    ("rewrite answer name a b", "2:9", "behind a `name` rule"),
    ("rewrite stop {\n  answer name bar foo\n  name regex foo bar\n}", "3:3", "`answer` stands alone"),
    ("rewrite name a.com", "2:19", "missing argument"),
    ("rewrite name exact a.com", "2:14", "behind `exact` something is missing"),
    ("rewrite name a.com b.com c.com", "2:14", "no way to find a name"),
    ("rewrite name sufix a.com b.com", "2:14", "did you mean `suffix`?"),
    ("rewrite name substring a.com b.com c.com", "2:36", "unexpected argument `c.com`"),
    ("rewrite name exact a *.b", "2:22", "repetition operator missing expression"),
    (r"rewrite name regex ([a]\.com new-{1}.com", "2:20", "is no regular expression"),
    ("rewrite name regex a(b) {1}{2}", "2:25", "has 2 groups, and its pattern 1"),
    ("rewrite name regex a(b) {2}", "2:25", "`{2}` stands for a group"),
    ("rewrite name regex a {0}", "2:22", "has 1 groups, and its pattern 0"),
    ("rewrite name suffix a b NoAnswer name a b", "2:25", "unexpected argument `NoAnswer`"),
    ("rewrite name suffix a b answer", "2:31", "missing argument"),
    ("rewrite name suffix a b answer ttl a b", "2:32", "is nothing that an answer is rewritten by"),
    ("rewrite name suffix a b answer name a", "2:38", "missing argument"),
    ("rewrite name suffix a b answer value (a b", "2:38", "is no regular expression"),
    ("rewrite name suffix a b answer auto name c d", "2:25", "exclude each other"),
    ("rewrite name suffix a b answer name c d too.long way.too.long", "2:41", "is nothing that an answer"),
    ("rewrite stop {\n  name regex foo bar\n  answer name bar foo\n  name baz\n}", "5:11", "missing argument"),
    ("rewrite name a {\n  b\n}", "2:14", "either before the braces or between"),
    ("rewrite stop {\n  name {\n    a b\n  }\n}", "3:3", "braces inside"),
    ("rewrite {\n  ttl a 30\n  ttl b 40\n}", "3:7", "no way to find a name"),
    ("rewrite type a", "2:15", "missing argument"),
    ("rewrite type any a a", "2:20", "unexpected argument `a`"),
    ("rewrite type XY A", "2:14", "no type is called so"),
    ("rewrite type ANY TYPE65280", "2:18", "no type is called so"),
    ("rewrite type WKS A", "2:14", "no type is called so"),
    ("rewrite type ANY AXFR", "2:18", "no type that upstreams are asked for"),
    ("rewrite class IN", "2:17", "missing argument"),
    ("rewrite class ch in in", "2:21", "unexpected argument `in`"),
    ("rewrite class IN WV", "2:18", "no class is called so"),
    ("rewrite edns0", "2:14", "missing argument"),
    ("rewrite edns0 local", "2:20", "missing argument"),
    ("rewrite edns0 unknown set", "2:15", "`unknown` is no option"),
    ("rewrite edns0 local foo 0xffee abc", "2:21", "`foo` is nothing to do"),
    ("rewrite edns0 local set", "2:24", "missing argument"),
    ("rewrite edns0 local set 0xffee", "2:31", "missing argument"),
    ("rewrite edns0 local set 0xffee revert", "2:38", "missing argument"),
    ("rewrite edns0 local set 65536 abc", "2:25", "wrong value `65536`"),
    ("rewrite edns0 local set invalid {qname}", "2:25", "wrong value `invalid`"),
    ("rewrite edns0 local set 1 0xabcdefg", "2:27", "are no octets"),
    ("rewrite edns0 local set 1 {dummy}", "2:27", "is no variable"),
    ("rewrite edns0 local set 1 {client_pi}", "2:27", "did you mean `client_ip`?"),
    ("rewrite edns0 local set 1 {/x}", "2:27", "is no variable"),
    ("rewrite edns0 local set 1 a b", "2:29", "unexpected argument `b`"),
    ("rewrite edns0 local unset 1 revert", "2:29", "unexpected argument `revert`"),
    ("rewrite edns0 nsid set junk", "2:24", "unexpected argument `junk`"),
    ("rewrite edns0 nsid unset revert", "2:26", "unexpected argument `revert`"),
    ("rewrite edns0 subnet set 24", "2:28", "missing argument"),
    ("rewrite edns0 subnet set -1 56", "2:26", "wrong value `-1`"),
    ("rewrite edns0 subnet set 33 56", "2:26", "a length up to 32"),
    ("rewrite edns0 subnet set 24 129", "2:29", "a length up to 128"),
    ("rewrite edns0 subnet append 24 56 72", "2:35", "unexpected argument `72`"),
    ("rewrite edns0 subnet unset 24 56", "2:28", "unexpected argument `24`"),
    ("rewrite cname a", "2:16", "missing argument"),
    ("rewrite cname wild a b", "2:15", "no way to find a name"),
    ("rewrite cname exact a b c", "2:25", "unexpected argument `c`"),
    ("rewrite cname prefix \"\" b", "2:22", "nothing is looked for"),
    (r"rewrite cname regex \D+ b", "2:21", r"`\D` would mean `\d`"),
    ("rewrite cname regex (a) {2}", "2:25", "`{2}` stands for a group"),
    ("rewrite ttl a", "2:14", "missing argument"),
    ("rewrite ttl exact 30", "2:13", "behind `exact` something is missing"),
    ("rewrite ttl a -", "2:15", "`-` is no TTL"),
    ("rewrite ttl a 30-20", "2:15", "is no TTL"),
    ("rewrite ttl a 1-2-3", "2:15", "is no TTL"),
    ("rewrite ttl a 4294967296", "2:15", "is no TTL"),
    ("rewrite ttl a +3", "2:15", "is no TTL"),
    ("rewrite ttl regex ( 3", "2:19", "is no regular expression"),
    ("rewrite ttl exact a 3 4", "2:23", "unexpected argument `4`"),
    ("rewrite rcode a 2", "2:18", "missing argument"),
    ("rewrite rcode a 24 0", "2:17", "`24` is no RCODE"),
    ("rewrite rcode a SERVFAL 0", "2:17", "did you mean `SERVFAIL`?"),
    ("rewrite rcode a 2 BADVERS", "2:19", "`BADVERS` is no RCODE"),
    ("rewrite rcode exact 2 0", "2:15", "behind `exact` something is missing"),
    ("rewrite rcode exact a 2 0 1", "2:27", "unexpected argument `1`"),
];

#[test]
fn what_is_wrong_is_told_at_its_place() {
    for (statement, place, said) in WRONG {
        let (spec, report) = checked(statement, check);
        assert!(spec.is_none(), "{statement}");
        assert!(
            report.starts_with(&format!("Corefile:{place}: error: ")) && report.contains(said),
            "{statement}: {report}"
        );
    }
    let (spec, report) = checked(&format!("rewrite edns0 local set 1 {}", "x".repeat(509)), check);
    assert!(spec.is_none() && report.contains("509 octets are too many"), "{report}");
}

#[test]
fn what_does_not_do_what_it_seems_to_is_warned_of() {
    for (statement, place, said) in [
        ("rewrite name suffix .arpa .arpa answer name auto answer value a b", "2:45", "`auto` is a pattern here"),
        ("rewrite edns0 local set 1 {view/nam}", "2:27", "did you mean `view/name`?"),
        ("rewrite edns0 local set 1 {some/label}", "2:27", "nobody knows the label"),
        ("rewrite name exact a b..c", "2:22", "is no domain name"),
        ("rewrite cname suffix .cdn.net .x.", "2:22", "no target of a CNAME ends with"),
    ] {
        let (spec, report) = checked(statement, check);
        assert!(
            spec.is_some() && report.starts_with(&format!("Corefile:{place}: warning: ")) && report.contains(said),
            "{report}"
        );
    }
}

#[test]
fn all_rules_of_a_block_are_one_plugin() {
    let (specs, report) = all_checked("rewrite name a b\nrewrite ttl a 3", &[Name::root()], check);
    assert_eq!(report, "");
    let joined = specs.into_iter().map(Option::unwrap).reduce(RewriteSpec::then).unwrap();
    assert_eq!(joined.describe(), "rewrites questions and replies by 2 rules, in order: name, ttl");
}

#[test]
fn the_support_table_has_its_fields() {
    let properties = support::properties("rewrite");
    assert!(
        ["name", "type", "class", "cname", "ttl", "rcode", "edns0", "answer"]
            .iter()
            .all(|field| properties.contains(field))
    );
}
