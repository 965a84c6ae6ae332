//! Which policy decides, which zone counts, and what is wrong with a statement.

use std::sync::Arc;

use contract::metrics::Metrics;
use contract::testing::{self, query};
use contract::wire::{Name, RecordType};
use contract::{Context, Failure, Plugin, Query, Storing, Verdict};

use crate::{AclSpec, check};

/// All statements of the text, in a server block for `example.org` and `10.in-addr.arpa`.
fn checked(text: &str) -> (Option<AclSpec>, String) {
    let zones = ["example.org", "10.in-addr.arpa"].map(|zone| Name::parse(zone).unwrap());
    let (specs, report) = testing::all_checked(text, &zones, check);
    let specs: Option<Vec<AclSpec>> = specs.into_iter().collect();
    (specs.and_then(|specs| specs.into_iter().reduce(AclSpec::then)), report)
}

/// The gate of these statements, and its counters.
fn plugin(text: &str) -> (Arc<dyn Plugin>, Arc<Metrics>) {
    let context = Context { server: "dns://example.org.:53".to_owned(), ..testing::context() };
    (testing::built(checked(text), &context), context.metrics)
}

fn ask(plugin: &dyn Plugin, source: &str, name: &str, rtype: RecordType) -> Verdict {
    let name = Name::parse(name).unwrap();
    plugin.gate().unwrap().verdict(&testing::client(source), name.as_wire(), rtype)
}

const ORG: &str = "www.example.org";

#[test]
fn the_first_policy_that_matches_decides() {
    use RecordType as T;
    use Verdict::{Allow, Block, Drop, Filter};
    let cases = [
        ("block type A net 192.168.0.0/16", "192.168.1.1", T::A, Block),
        ("block type A net 192.168.0.0/16", "192.168.1.1", T::AAAA, Allow),
        ("block type A net 192.168.0.0/16", "192.169.0.0", T::A, Allow),
        ("filter type A net 192.168.0.0/16", "192.168.1.1", T::A, Filter),
        ("drop net 192.0.2.0/24", "192.0.2.255", T::TXT, Drop),
        ("block", "2001:db8::1", T::A, Block),
        ("block net *", "192.0.2.1", T::A, Block),
        ("block type * net *", "2001:db8::1", T(65280), Block),
        ("block type AAAA *", "192.0.2.1", T::A, Block),
        ("block net 0.0.0.0/0", "2001:db8::1", T::A, Allow),
        ("block net 192.0.2.1", "192.0.2.1", T::A, Block),
        ("block net 192.0.2.1", "192.0.2.2", T::A, Allow),
        ("block net 2001:db8::1 192.0.2.1", "2001:db8::1", T::A, Block),
        ("block net 192.0.2.1", "::ffff:192.0.2.1", T::A, Block),
        ("block type ANY", "192.0.2.1", T::ANY, Block),
        ("block type ANY", "192.0.2.1", T::A, Allow),
        ("block type A TYPE65280 AAAA", "192.0.2.1", T(65280), Block),
        // sections in any order, again, and in any case
        ("BLOCK NET 192.0.2.0/24 Type A net 198.51.100.0/24 type MX", "198.51.100.1", T::A, Block),
        ("block net 192.0.2.0/24 type A net 198.51.100.0/24 type MX", "192.0.2.1", T::MX, Block),
        ("block net 192.0.2.0/24 type A net 198.51.100.0/24 type MX", "192.0.2.1", T::NS, Allow),
        // exceptions first
        ("allow net 192.168.1.0/24\nblock net 192.168.0.0/16", "192.168.1.9", T::A, Allow),
        ("allow net 192.168.1.0/24\nblock net 192.168.0.0/16", "192.168.2.9", T::A, Block),
        ("block net 192.168.0.0/16\nallow net 192.168.1.0/24", "192.168.1.9", T::A, Block),
        ("allow net 192.168.0.0/24 192.168.1.0/24\nblock", "192.168.1.9", T::A, Allow),
        ("allow net 192.168.0.0/24 192.168.1.0/24\nblock", "192.168.2.9", T::A, Block),
        ("filter type A\ndrop", "192.0.2.1", T::A, Filter),
        ("filter type A\ndrop", "192.0.2.1", T::NS, Drop),
    ];
    for (policies, source, rtype, expected) in cases {
        let (plugin, _) = plugin(&format!("acl {{\n{policies}\n}}"));
        assert_eq!(ask(&*plugin, source, ORG, rtype), expected, "{policies}: {source} {rtype}");
    }
}

#[test]
fn zones_are_those_written_or_the_blocks() {
    let cases = [
        ("acl {\nblock\n}", ORG, Verdict::Block),
        ("acl {\nblock\n}", "example.org", Verdict::Block),
        ("acl {\nblock\n}", "1.0.0.10.in-addr.arpa", Verdict::Block),
        ("acl {\nblock\n}", "myexample.org", Verdict::Allow),
        ("acl {\nblock\n}", ".", Verdict::Allow),
        ("acl a.Example.ORG. {\nblock\n}", "x.a.example.org", Verdict::Block),
        ("acl a.example.org {\nblock\n}", "example.org", Verdict::Allow),
        ("acl 10.0.0.0/15 {\nblock\n}", "9.1.10.in-addr.arpa", Verdict::Block),
        ("acl 10.0.0.0/15 {\nblock\n}", "9.2.10.in-addr.arpa", Verdict::Allow),
        ("acl . {\nblock\n}", ".", Verdict::Block),
        ("acl . {\nblock\n}", "anything.test", Verdict::Block),
    ];
    for (text, name, expected) in cases {
        let (plugin, _) = plugin(text);
        assert_eq!(ask(&*plugin, "192.0.2.1", name, RecordType::A), expected, "{text}: {name}");
    }
}

#[test]
fn what_one_acl_allows_no_later_one_is_asked_about() {
    let (plugin, metrics) = plugin(
        "acl a.example.org {\n allow net 192.0.2.1\n filter type TXT\n}\n\
         acl example.org {\n block net 192.0.2.0/24\n}\n\
         acl {\n drop type TXT\n}",
    );
    let cases = [
        ("192.0.2.1", "a.example.org", RecordType::TXT, Verdict::Allow),
        ("192.0.2.2", "a.example.org", RecordType::TXT, Verdict::Filter),
        // nothing in the first one matches: the second one is asked
        ("192.0.2.2", "a.example.org", RecordType::A, Verdict::Block),
        ("192.0.2.1", "b.example.org", RecordType::A, Verdict::Block),
        ("198.51.100.1", "b.example.org", RecordType::TXT, Verdict::Drop),
        ("198.51.100.1", "b.example.org", RecordType::A, Verdict::Allow),
    ];
    for (source, name, rtype, expected) in cases {
        assert_eq!(ask(&*plugin, source, name, rtype), expected, "{source} {name} {rtype}");
    }
    let text = metrics.text();
    let allowed = "coredns_acl_allowed_requests_total{server=\"dns://example.org.:53\",view=\"\"} 2\n";
    assert!(text.contains(allowed), "an allowed query counts once: {text}");
}

#[test]
fn the_longest_zone_counts() {
    let (plugin, metrics) = plugin("acl org example.org a.example.org {\n filter type A\n drop type NS\n block\n}");
    ask(&*plugin, "192.0.2.1", "x.a.example.org", RecordType::A);
    ask(&*plugin, "192.0.2.1", "b.example.org", RecordType::NS);
    ask(&*plugin, "192.0.2.1", "org", RecordType::MX);
    let text = metrics.text();
    for (counter, zone) in [("filtered", "a.example.org."), ("dropped", "example.org."), ("blocked", "org.")] {
        let series = |zone| {
            format!(
                "coredns_acl_{counter}_requests_total{{server=\"dns://example.org.:53\",zone=\"{zone}\",view=\"\"}}"
            )
        };
        for other in ["a.example.org.", "example.org.", "org."] {
            let line = format!("{} {}\n", series(other), u8::from(other == zone));
            assert!(text.contains(&line), "{line}{text}");
        }
    }
}

#[test]
fn hundreds_of_zones_policies_and_prefixes_are_told_apart() {
    let zones: String = (0..500).map(|zone| format!(" z{zone}.test")).collect();
    let policies: String =
        (0..300).map(|net| format!("block type A net 10.{}.{}.0/24\n", net / 256, net % 256)).collect();
    let (plugin, _) = plugin(&format!("acl{zones} {{\n{policies}}}"));
    assert_eq!(ask(&*plugin, "10.1.43.9", "a.b.z499.test", RecordType::A), Verdict::Block);
    assert_eq!(ask(&*plugin, "10.1.44.9", "a.b.z499.test", RecordType::A), Verdict::Allow);
    assert_eq!(ask(&*plugin, "10.1.43.9", "a.b.z500.test", RecordType::A), Verdict::Allow);
}

#[tokio::test]
async fn in_the_chain_it_only_hands_on() {
    let (plugin, _) = plugin("acl {\n block\n}");
    assert_eq!(plugin.storing(), Storing::Nothing);
    let query = Query { client: testing::client("192.0.2.1"), ..query(ORG, RecordType::A) };
    let failure = testing::ask(&[plugin], &query).await.unwrap_err();
    assert_eq!(
        failure,
        Failure::EndOfChain { name: "www.example.org.".to_owned() },
        "the end of the chain, not a refusal"
    );
}

#[test]
fn mistakes_have_a_place_and_a_nearest_word() {
    for (wrong, place, word) in [
        ("acl {\n blok net *\n}", "Corefile:3:2: error", "`block`?"),
        ("acl {\n block nett *\n}", "Corefile:3:8: error", "`net`?"),
        ("acl {\n block type AAA\n}", "Corefile:3:13: error", "`AAAA`?"),
        ("acl {\n block type\n}", "Corefile:3:12: error", "`AAAA`"),
        ("acl {\n block type A net\n}", "Corefile:3:18: error", "prefix"),
        ("acl {\n block type net *\n}", "Corefile:3:12: error", "query type"),
        ("acl {\n block net 10.0.0.0/33\n}", "Corefile:3:12: error", "10.0.0.0/8"),
        ("acl {\n block net example.org\n}", "Corefile:3:12: error", "10.0.0.0/8"),
        ("acl {\n block {\n  net *\n }\n}", "Corefile:4:3: error", "no properties"),
        ("acl a..b {\n block\n}", "Corefile:2:5: error", "empty label"),
    ] {
        let (spec, report) = checked(wrong);
        assert!(spec.is_none() && report.contains(place) && report.contains(word), "{wrong}\n{report}");
    }
    let (_, report) = checked("acl {\n blok\n block nett\n block net 1\n}");
    assert_eq!(report.matches("error").count(), 3, "all in one run: {report}");
}

#[test]
fn an_acl_without_a_policy_is_noticed() {
    let (spec, report) = checked("acl example.org");
    assert!(spec.is_some() && report.contains("Corefile:2:1: warning"), "{report}");
}
