//! Each error and each warning, at its place.

use super::{read, read_in};

/// What is said of a block, its first lines: `error at LINE:COLUMN: MESSAGE`, and what is said below each.
#[track_caller]
pub(super) fn says(said: &str, text: &str, wanted: &str, parts: &[&str]) {
    assert!(said.lines().any(|line| line == format!("Corefile:{wanted}")), "{text}\nexpected: {wanted}\n{said}");
    for part in parts {
        assert!(said.contains(part), "{text}\nexpected: {part}\n{said}");
    }
}

#[test]
fn each_error_of_a_zone_at_its_place() {
    for (keys, head, wanted, parts) in [
        (
            ".",
            "privatezone",
            "2:12: error: no zone: this server block serves `.`, which is not private",
            &["expected: `privatezone ZONE...`"] as &[&str],
        ),
        (
            ".",
            "privatezone .",
            "2:13: error: wrong zone `.`: the names of all the world are not private",
            &["forward . ADDRESS"],
        ),
        (
            ".",
            "privatezone a..b",
            "2:13: error: wrong zone `a..b`: a name with an empty label",
            &["expected: a zone such as"],
        ),
        (
            ".",
            "privatezone a.b 10.0.0.1",
            "2:17: error: wrong zone `10.0.0.1`: this is an address",
            &["write `to 10.0.0.1` between the braces"],
        ),
        (".", "privatezone a.b c.d A.b.", "2:21: error: the zone a.b. stands twice", &["keep one"]),
        (
            "example.org",
            "privatezone corp.example",
            "2:13: error: wrong zone `corp.example`: it does not lie in this server block, which serves example.org.",
            &["server block of `.`", "`corp.example { ... }`"],
        ),
        (
            "a.corp.example b.org",
            "privatezone corp.example",
            "2:13: error: wrong zone `corp.example`: it does not lie in this server block, which serves a.corp.example., b.org.",
            &[],
        ),
    ] {
        let text = format!("{head} {{\nto 10.0.0.53\nmax_qps 0\n}}");
        let (spec, report) = read_in(keys, &text);
        assert!(spec.is_none() && report.errors() == 1, "{text}\n{report}");
        says(&report.to_string(), &text, wanted, parts);
    }
}

#[test]
fn each_error_of_whom_to_ask_at_its_place() {
    for (lines, wanted, parts) in [
        ("max_qps 5", "2:1: error: nobody is asked: `to` is missing", &["expected: `to ADDRESS...`"] as &[&str]),
        ("to", "3:3: error: missing argument of `to`", &["expected: an address such as `10.0.0.53`"]),
        (
            "to ns.corp.example",
            "3:4: error: wrong address `ns.corp.example`: a host name is not looked up",
            &["expected: an address", "write the addresses of `ns.corp.example`"],
        ),
        (
            "to ns.corp.example:53",
            "3:4: error: wrong address `ns.corp.example:53`: a host name is not looked up",
            &["addresses of `ns.corp.example`"],
        ),
        (
            "to /etc/resolv.conf",
            "3:4: error: wrong address `/etc/resolv.conf`: a file is no address",
            &["write the addresses that the file names"],
        ),
        (
            "to @dns/bind",
            "3:4: error: wrong address `@dns/bind`: a Service of this cluster is no private zone's resolver",
            &["followed by `forward`"],
        ),
        (
            "to tls://10.0.0.53",
            "3:4: error: wrong address `tls://10.0.0.53`: an address has no scheme here",
            &["write `to 10.0.0.53` and `transport tls`"],
        ),
        (
            "to tls://10.0.0.53%a.b:853",
            "3:4: error: wrong address `tls://10.0.0.53%a.b:853`: an address has no scheme here",
            &["`transport tls` and `tls_servername a.b`"],
        ),
        (
            "to dns://10.0.0.53",
            "3:4: error: wrong address `dns://10.0.0.53`: an address has no scheme here",
            &["`transport udp|tcp|tls`"],
        ),
        ("to 10.0.0.0/8", "3:4: error: wrong address `10.0.0.0/8`: a prefix is many addresses", &[]),
        ("to 10.0.0", "3:4: error: wrong address `10.0.0`: not an IP address", &["expected: an address"]),
        ("to 10.0.0.53:0", "3:4: error: wrong address `10.0.0.53:0`: port 0 is nobody's", &[]),
        ("to 0.0.0.0", "3:4: error: wrong address `0.0.0.0`: nobody in particular has this address", &[]),
        (
            "to fe80::1%eth0",
            "3:4: error: wrong address `fe80::1%eth0`: an address with a zone id (`%`), which means something on one machine only",
            &[],
        ),
        ("to 10.0.0.1\nto 10.0.0.1:53", "4:4: error: `10.0.0.1:53` stands twice", &["first at Corefile:3:4"]),
        (
            "to 10.0.0.1 {\ntls ca\n}",
            "4:1: error: `tls` stands for all addresses of a private zone",
            &["`transport tls` may stand here"],
        ),
        ("to 10.0.0.1 {\nmax_pqs 5\n}", "4:1: error: unknown property `max_pqs`", &["did you mean `max_qps`?"]),
        ("to 10.0.0.1 {\nmax_qps 5\nmax_qps 6\n}", "5:1: error: `max_qps` stands twice", &[]),
        ("to 10.0.0.1 {\nmax_qps 5 {\nx\n}\n}", "5:1: error: `max_qps` has no properties", &[]),
        ("to 10.0.0.1 {\nburst 5\n}", "4:1: error: `burst` without `max_qps`", &["expected: `max_qps N`"]),
    ] {
        errs(lines, wanted, parts);
    }
    let sixteen: Vec<String> = (1..=16).map(|number| format!("10.0.0.{number}")).collect();
    errs(&format!("to {}", sixteen.join(" ")), "3:145: error: one address too many; 15 are possible", &[]);
}

#[test]
fn each_error_of_a_property_at_its_place() {
    for (lines, wanted, parts) in [
        (
            "max_pqs 5",
            "4:1: error: unknown property `max_pqs`",
            &["expected: `to`, ", "did you mean `max_qps`?"] as &[&str],
        ),
        ("max_qps 5\nmax_qps 6", "5:1: error: `max_qps` stands twice", &["keep one of the lines"]),
        ("transport quic", "4:11: error: wrong value `quic`", &["expected: `udp`, `tcp` or `tls`"]),
        ("transport tpc", "4:11: error: wrong value `tpc`", &["did you mean `tcp`?"]),
        ("transport udp tcp", "4:15: error: unexpected argument `tcp`", &[]),
        ("max_qps", "4:8: error: missing argument of `max_qps`", &["expected: a whole number"]),
        ("max_qps 1000001", "4:9: error: wrong value `1000001`: out of range, at least 0, at most 1000000", &[]),
        ("max_qps 10/s", "4:9: error: wrong value `10/s`: not a whole number", &["or `0` for no bound"]),
        ("burst 5", "4:1: error: `burst` without `max_qps`", &[]),
        ("burst 5\nmax_qps 0", "4:1: error: `burst` without `max_qps`", &[]),
        ("burst 0\nmax_qps 5", "4:7: error: wrong value `0`: out of range, at least 1, at most 1000000", &[]),
        (
            "max_concurrent -1",
            "4:16: error: wrong value `-1`: out of range, at least 0, at most 1000000",
            &["expected: a whole number, or `0` for no bound"],
        ),
        (
            "max_concurrent 1000001",
            "4:16: error: wrong value `1000001`: out of range, at least 0, at most 1000000",
            &[],
        ),
        ("max_qps -1", "4:9: error: wrong value `-1`: out of range, at least 0, at most 1000000", &[]),
        (
            "burst 99999999999\nmax_qps 5",
            "4:7: error: wrong value `99999999999`: out of range, at least 1, at most 1000000",
            &[],
        ),
        (
            "health_check a..b",
            "4:14: error: wrong value `a..b`: a name with an empty label",
            &["expected: a domain name"],
        ),
        ("tls_servername a..b", "4:16: error: wrong value `a..b`: `a..b` is no name of a server", &[]),
        ("tls a b c d", "4:11: error: unexpected argument `d`", &[]),
        (
            "ttl_max 30",
            "4:9: error: wrong value `30`: a duration without a unit, as in `30s`",
            &["whole seconds such as `30s`"],
        ),
        ("ttl_max 0", "4:9: error: wrong value `0`: nothing could be memorised", &[]),
        ("ttl_min 1500ms", "4:9: error: wrong value `1500ms`: TTLs are whole seconds", &[]),
        ("negative_ttl_max 600000h", "4:18: error: wrong value `600000h`: a TTL of more than 2147483647 s", &[]),
        ("ttl_min 1m\nttl_max 30s", "4:1: error: `ttl_min` (60 s) is more than `ttl_max` (30 s)", &["at most as long"]),
        (
            "vanish_grace 6m",
            "4:14: error: wrong value `6m`: a name that is gone would be there for more than 300 s",
            &["or `0`"],
        ),
        ("vanish_grace 5s {\n}", "4:1: error: `vanish_grace` has no properties", &[]),
    ] {
        errs(&format!("to 10.0.0.53\n{lines}"), wanted, parts);
    }
}

#[test]
fn each_error_of_fallthrough_and_watch_at_its_place() {
    for (lines, wanted, parts) in [
        (
            "fallthrough .",
            "4:13: error: `.` does not lie in the private zone: corp.example.",
            &["`fallthrough` alone"] as &[&str],
        ),
        (
            "fallthrough a.corp.example b.org",
            "4:28: error: `b.org` does not lie in the private zone: corp.example.",
            &[],
        ),
        ("fallthrough a..b", "4:13: error: wrong zone `a..b`: a name with an empty label", &[]),
        (
            "watch Shop",
            "4:7: error: wrong value `Shop`: a namespace has `a` to `z`, `0` to `9`, and `-` within",
            &["expected: the name of a namespace"],
        ),
        ("watch -", "4:7: error: wrong value `-`: a namespace has `a` to `z`, `0` to `9`, and `-` within", &[]),
        ("watch shop web", "4:12: error: unexpected argument `web`", &[]),
        ("watch {\nservice\n}", "5:1: error: unknown property `service`", &["did you mean `services`?"]),
        ("watch {\nservices\nservices\n}", "6:1: error: `services` stands twice", &[]),
        ("watch {\nservices all\n}", "5:10: error: unexpected argument `all`", &[]),
        ("watch {\nendpoints\n}", "5:10: error: missing argument of `endpoints`", &["expected: `on` or `off`"]),
        ("watch {\nendpoints no\nservices\n}", "5:11: error: wrong value `no`: neither `on` nor `off`", &[]),
        (
            "watch {\nendpoints off\n}",
            "5:1: error: nothing is watched: `endpoints off`, and neither `services` nor `ingresses`",
            &["or no `watch`"],
        ),
        (
            "watch {\nanswer_from_watch off\n}\nanswer_from_watch on",
            "5:1: error: `answer_from_watch` stands twice",
            &["first at Corefile:7:1"],
        ),
        ("answer_from_watch\nwatch", "4:18: error: missing argument of `answer_from_watch`", &[]),
    ] {
        errs(&format!("to 10.0.0.53\n{lines}"), wanted, parts);
    }
}

/// One error, this one.
#[track_caller]
fn errs(lines: &str, wanted: &str, parts: &[&str]) {
    let (spec, report) = read(lines);
    assert!(spec.is_none() && report.errors() == 1, "{lines}\n{report}");
    says(&report.to_string(), lines, wanted, parts);
}

#[test]
fn all_errors_come_in_one_run() {
    let (_, report) = read_in(".", "privatezone . a..b {\nto x\nmax_qps y\nfallthrough b..c\nwatch {\nz\n}\n}");
    assert_eq!(report.errors(), 6, "{report}");
}

#[test]
fn what_has_no_effect_or_harms_is_a_warning_at_its_place() {
    for (lines, wanted, parts) in [
        (
            "to 10.0.0.53",
            "3:1: warning: no bound on how many messages a second are sent here",
            &["write `max_qps N`, or `max_qps 0`"] as &[&str],
        ),
        (
            "to 10.0.0.1 {\nmax_qps 5\n}\nto 10.0.0.2",
            "6:1: warning: no bound on how many messages a second are sent here",
            &[],
        ),
        (
            "to 10.0.0.53\nmax_qps 0\ntls ca",
            "5:1: warning: `tls` has no effect: no upstream is asked over TLS",
            &["write `transport tls`"],
        ),
        (
            "to 10.0.0.53\nmax_qps 0\ntls_servername a.b",
            "5:1: warning: `tls_servername` has no effect: no upstream is asked over TLS",
            &["write `transport tls`"],
        ),
        (
            "to 10.0.0.53 {\ntls_servername a.b\n}\nmax_qps 0",
            "4:1: warning: `tls_servername` has no effect: these are not asked over TLS",
            &[],
        ),
        (
            "to 10.0.0.53\nmax_qps 0\nanswer_from_watch off",
            "5:1: warning: `answer_from_watch` has no effect: nothing is watched",
            &["write `watch`"],
        ),
    ] {
        let (spec, report) = read(lines);
        assert!(spec.is_some() && report.warnings() == 1, "{lines}\n{report}");
        says(&report.to_string(), lines, wanted, parts);
    }
}
