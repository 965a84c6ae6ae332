//! What `privatezone` accepts, line by line, and how it tells of what it does not.

mod clouds;
mod wrong;

use super::*;
use contract::corefile::{Memory, parse};

/// Reads the statements of a block; the first begins in line 2.
fn read_in(keys: &str, text: &str) -> (Option<PrivateZoneSpec>, Report) {
    let mut report = Report::new();
    let corefile = parse("Corefile", &format!("{keys} {{\n{text}\n}}\n"), &Memory::new(), &mut report);
    assert!(!report.has_errors(), "{report}");
    let block = &corefile.blocks[0];
    let zones: Vec<Name> = block.keys.iter().map(|key| name(key.zone.as_str())).collect();
    let specs: Vec<_> = block.statements.iter().filter_map(|statement| check(statement, &zones, &mut report)).collect();
    (specs.into_iter().reduce(PrivateZoneSpec::then), report)
}

/// A statement for `corp.example` with these lines.
fn read(lines: &str) -> (Option<PrivateZoneSpec>, Report) {
    read_in(".", &format!("privatezone corp.example {{\n{lines}\n}}"))
}

/// The only section, without an error or a warning.
#[track_caller]
fn section(lines: &str) -> SectionSpec {
    let (spec, report) = read(lines);
    assert_eq!(report.to_string(), "", "{lines}");
    let mut sections = spec.unwrap().sections;
    assert_eq!(sections.len(), 1);
    sections.remove(0)
}

/// The only upstream.
#[track_caller]
fn only(lines: &str) -> UpstreamSpec {
    let mut upstreams = section(lines).upstreams;
    assert_eq!(upstreams.len(), 1, "{lines}");
    upstreams.remove(0)
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn rate(per_second: u32, burst: u32) -> Option<Rate> {
    Some(Rate { per_second, burst })
}

#[test]
fn without_properties_it_is_as_the_readme_says() {
    let section = section("to 10.0.0.53\nmax_qps 0");
    assert_eq!(section.zones, [name("corp.example")]);
    assert_eq!((section.ttl_min, section.ttl_max, section.negative_ttl_max), (0, u32::MAX, 5));
    assert_eq!(section.vanish_grace, Duration::from_secs(10));
    assert!(section.tls.is_none() && section.fallthrough.is_empty() && section.watch.is_none());
    let upstream = &section.upstreams[0];
    assert_eq!((upstream.address.to_string().as_str(), upstream.transport), ("10.0.0.53:53", Transport::Udp));
    assert_eq!((&upstream.server_name, upstream.rate, upstream.outstanding_max), (&None, None, None));
    assert_eq!(upstream.check_name, name("corp.example"));
}

#[test]
fn every_form_of_its_zones() {
    for (keys, arguments, zones) in [
        (".", "corp.example", vec!["corp.example"]),
        (".", "Corp.Example. b.example", vec!["corp.example", "b.example"]),
        (".", "10.1.0.0/16", vec!["1.10.in-addr.arpa"]),
        (".", "10.0.0.0/15", vec!["0.10.in-addr.arpa", "1.10.in-addr.arpa"]),
        ("corp.example", "", vec!["corp.example"]),
        ("corp.example", "corp.example", vec!["corp.example"]),
        ("example", "corp.example", vec!["corp.example"]),
        (". corp.example b.example", "", vec!["corp.example", "b.example"]),
    ] {
        let (spec, report) = read_in(keys, &format!("privatezone {arguments} {{\nto 10.0.0.53\nmax_qps 0\n}}"));
        assert_eq!(report.to_string(), "", "{keys}: {arguments}");
        let section = &spec.unwrap().sections[0];
        assert_eq!(section.zones, zones.iter().map(|zone| name(zone)).collect::<Vec<_>>(), "{keys}: {arguments}");
        assert_eq!(section.upstreams[0].check_name, section.zones[0]);
    }
}

#[test]
fn every_form_of_an_address_with_its_transports_port() {
    for (line, addresses) in [
        ("to 10.0.0.53", vec!["10.0.0.53:53"]),
        ("to 10.0.0.53:5353 [fd00::53]:5353", vec!["10.0.0.53:5353", "[fd00::53]:5353"]),
        ("to fd00::53 [fd00::54]", vec!["[fd00::53]:53", "[fd00::54]:53"]),
        ("to 10.0.0.1\nto 10.0.0.2 10.0.0.3", vec!["10.0.0.1:53", "10.0.0.2:53", "10.0.0.3:53"]),
        ("to 10.0.0.53 10.0.0.53:5353", vec!["10.0.0.53:53", "10.0.0.53:5353"]),
        ("to 10.0.0.53\ntransport tls", vec!["10.0.0.53:853"]),
        ("to 10.0.0.53:53\ntransport tls", vec!["10.0.0.53:53"]),
        ("to 10.0.0.1 {\ntransport tls\n}\nto 10.0.0.2", vec!["10.0.0.1:853", "10.0.0.2:53"]),
    ] {
        let upstreams = section(&format!("max_qps 0\n{line}")).upstreams;
        let found: Vec<String> = upstreams.iter().map(|upstream| upstream.address.to_string()).collect();
        assert_eq!(found, addresses, "{line}");
    }
    let fifteen: Vec<String> = (1..=15).map(|number| format!("10.0.0.{number}")).collect();
    assert_eq!(section(&format!("max_qps 0\nto {}", fifteen.join(" "))).upstreams.len(), 15);
}

#[test]
fn every_property_of_an_address_outside_and_in_its_own_braces() {
    let dns = ServerName::try_from("ns.corp.example").unwrap();
    for (lines, is_there) in [
        ("max_qps 0\ntransport udp", (|u| u.transport == Transport::Udp) as fn(&UpstreamSpec) -> bool),
        ("max_qps 0\ntransport tcp", |u| u.transport == Transport::Tcp),
        ("max_qps 0\ntransport tls", |u| u.transport == Transport::Tls && u.server_name.is_none()),
        ("max_qps 100", |u| u.rate == rate(100, 100)),
        ("max_qps 1000000", |u| u.rate == rate(1_000_000, 1_000_000)),
        ("max_qps 100\nburst 250", |u| u.rate == rate(100, 250)),
        ("max_qps 0", |u| u.rate.is_none()),
        ("max_qps 0\nmax_concurrent 50", |u| u.outstanding_max == Some(50)),
        ("max_qps 0\nmax_concurrent 0", |u| u.outstanding_max.is_none()),
        ("max_qps 0\nhealth_check ns.Corp.example", |u| u.check_name == name("ns.corp.example")),
    ] {
        assert!(is_there(&only(&format!("{lines}\nto 10.0.0.53"))), "outside: {lines}");
        assert!(is_there(&only(&format!("to 10.0.0.53 {{\n{lines}\n}}"))), "inside: {lines}");
    }
    for lines in [
        "transport tls\ntls_servername ns.corp.example\nto 10.0.0.53",
        "to 10.0.0.53 {\ntransport tls\ntls_servername ns.corp.example\n}",
    ] {
        assert_eq!(only(&format!("max_qps 0\n{lines}")).server_name.as_ref(), Some(&dns), "{lines}");
    }
}

#[test]
fn what_stands_in_an_addresss_braces_holds_in_place_of_what_stands_outside() {
    let all = section(
        "to 10.0.0.1 {
            transport tls
            tls_servername a.example
            max_qps 10
            max_concurrent 0
            health_check a.example
        }
        to 10.0.0.2 {
            burst 3
        }
        to 10.0.0.3
        transport tcp
        max_qps 100
        burst 200
        max_concurrent 50
        health_check b.example",
    )
    .upstreams;
    let transports: Vec<_> = all.iter().map(|upstream| upstream.transport).collect();
    assert_eq!(transports, [Transport::Tls, Transport::Tcp, Transport::Tcp]);
    let rates: Vec<_> = all.iter().map(|upstream| upstream.rate).collect();
    assert_eq!(rates, [rate(10, 10), rate(100, 3), rate(100, 200)], "a rate is one thing");
    assert_eq!(all.iter().map(|upstream| upstream.outstanding_max).collect::<Vec<_>>(), [None, Some(50), Some(50)]);
    let checked: Vec<String> = all.iter().map(|upstream| upstream.check_name.to_string()).collect();
    assert_eq!(checked, ["a.example.", "b.example.", "b.example."]);
    assert!(all[0].server_name.is_some() && all[1].server_name.is_none());
}

#[test]
fn the_four_forms_of_tls() {
    for (arguments, client, authority) in [
        ("", None, None),
        ("ca.pem", None, Some("ca.pem")),
        ("cert.pem key.pem", Some(("cert.pem".into(), "key.pem".into())), None),
        ("cert.pem key.pem ca.pem", Some(("cert.pem".into(), "key.pem".into())), Some("ca.pem")),
    ] {
        let section = section(&format!("to 10.0.0.53\nmax_qps 0\ntransport tls\ntls {arguments}"));
        assert_eq!(section.tls, Some(TlsFiles { client, authority: authority.map(Into::into) }), "{arguments}");
    }
}

#[test]
fn every_time_is_read() {
    let lasting = |line: &str| section(&format!("to 10.0.0.53\nmax_qps 0\n{line}"));
    assert_eq!(lasting("ttl_max 1h").ttl_max, 3_600);
    assert_eq!(lasting("ttl_min 5s").ttl_min, 5);
    let both = lasting("ttl_min 30s\nttl_max 30s");
    assert_eq!((both.ttl_min, both.ttl_max), (30, 30));
    assert_eq!(lasting("negative_ttl_max 0").negative_ttl_max, 0);
    assert_eq!(lasting("negative_ttl_max 1m").negative_ttl_max, 60);
    assert_eq!(lasting("vanish_grace 0").vanish_grace, Duration::ZERO);
    assert_eq!(lasting("vanish_grace 1500ms").vanish_grace, Duration::from_millis(1_500));
    assert_eq!(lasting("vanish_grace 5m").vanish_grace, Duration::from_secs(300));
}

#[test]
fn fallthrough_stands_for_all_zones_or_for_some() {
    let through = |line: &str| section(&format!("to 10.0.0.53\nmax_qps 0\n{line}")).fallthrough;
    assert_eq!(through("fallthrough"), [name("corp.example")]);
    assert_eq!(through("fallthrough corp.example"), [name("corp.example")]);
    assert_eq!(through("fallthrough a.corp.example B.corp.example"), [name("a.corp.example"), name("b.corp.example")]);
}

#[test]
fn every_form_of_watch() {
    let everything = Wanted { zones: vec![name("corp.example")], endpoints: true, ..Wanted::default() };
    let of = |namespace: &str| Some(namespace.to_owned());
    for (lines, wanted, answers) in [
        ("watch", everything.clone(), true),
        ("watch {\n}", everything.clone(), true),
        ("watch shop", Wanted { namespace: of("shop"), ..everything.clone() }, true),
        ("watch {\nservices\n}", Wanted { services: true, ..everything.clone() }, true),
        ("watch {\ningresses\n}", Wanted { ingresses: true, ..everything.clone() }, true),
        ("watch {\nendpoints on\n}", everything.clone(), true),
        (
            "watch {\nendpoints off\nservices\n}",
            Wanted { endpoints: false, services: true, ..everything.clone() },
            true,
        ),
        ("watch {\nanswer_from_watch off\n}", everything.clone(), false),
        ("watch {\nanswer_from_watch on\n}", everything.clone(), true),
        ("watch\nanswer_from_watch off", everything.clone(), false),
        ("answer_from_watch off\nwatch shop", Wanted { namespace: of("shop"), ..everything.clone() }, false),
        (
            "watch a-1 {\nservices\ningresses\n}",
            Wanted { namespace: of("a-1"), services: true, ingresses: true, ..everything.clone() },
            true,
        ),
    ] {
        let found = section(&format!("to 10.0.0.53\nmax_qps 0\n{lines}")).watch;
        assert_eq!(found, Some(WatchSpec { wanted, answers }), "{lines}");
    }
}

#[test]
fn several_statements_of_a_block_are_one_step() {
    let block = "privatezone corp.example {\nto 10.0.0.1\nmax_qps 0\n}\nprivatezone a.corp.example {\nto 10.0.0.2\nmax_qps 5\n}";
    let (spec, report) = read_in(".", block);
    assert_eq!(report.to_string(), "");
    let zones: Vec<String> =
        spec.unwrap().sections.iter().flat_map(|one| &one.zones).map(ToString::to_string).collect();
    assert_eq!(zones, ["corp.example.", "a.corp.example."]);
}

#[test]
fn it_is_told_in_plain_words() {
    for (lines, said) in [
        (
            "to 10.0.0.53\nmax_qps 0",
            "names of corp.example. are asked of 10.0.0.53:53 over UDP (as many messages as there are); denials live at most \
             5 s, what vanishes keeps its last answer for 10s; nothing is watched",
        ),
        (
            "to 10.0.0.1 10.0.0.2\nto 10.0.0.3 {\ntransport tls\ntls_servername a.example\nhealth_check a.example\n}\ntls c k \
             ca\nmax_qps 100\nburst 200\nmax_concurrent 9\nttl_min 1s\nttl_max 1m\nvanish_grace 0\nfallthrough\nwatch",
            "names of corp.example. are asked of 10.0.0.1:53, 10.0.0.2:53 each over UDP (at most 100 messages a second, 200 at \
             once, 9 questions outstanding), and of 10.0.0.3:853 over TLS as a.example (at most 100 messages a second, 200 at once, 9 \
             questions outstanding, checked by a.example. NS), with the certificate c, trusting ca; TTLs are from 1 to 60 s; denials live \
             at most 5 s, what vanishes is gone at once; what does not exist there is asked for elsewhere; DNSEndpoints of all \
             namespaces are watched, and answer for the zone when nobody does",
        ),
        (
            "to 10.0.0.53\ntransport tcp\nmax_qps 0\nttl_max 1m\nfallthrough a.corp.example\nwatch shop {\nservices\nendpoints \
             off\nanswer_from_watch off\n}",
            "names of corp.example. are asked of 10.0.0.53:53 over TCP (as many messages as there are); TTLs are at most 60 s; \
             denials live at most 5 s, what vanishes keeps its last answer for 10s; what does not exist there of \
             a.corp.example. is asked for elsewhere; Services of the namespace shop are watched, and answer nothing",
        ),
    ] {
        let (spec, report) = read(lines);
        assert_eq!(report.to_string(), "", "{lines}");
        assert_eq!(spec.unwrap().to_string(), said);
    }
}
