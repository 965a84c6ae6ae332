//! What `forward` accepts, and how it tells of what it does not.

use super::*;
use contract::corefile::{Memory, parse};

fn read(text: &str) -> (Option<ForwardSpec>, Report) {
    let mut report = Report::new();
    let corefile = parse("Corefile", &format!(".:1053 {{\n{text}\n}}\n"), &Memory::new(), &mut report);
    assert!(!report.has_errors(), "{report}");
    let spec = check(&corefile.blocks[0].statements[0], &[Name::root()], &mut report);
    (spec, report)
}

#[test]
fn without_properties_it_is_as_coredns_has_it() {
    let (spec, report) = read("forward . 10.0.0.10 tls://9.9.9.9");
    let spec = spec.unwrap();
    assert_eq!((report.errors(), report.warnings()), (0, 0));
    assert!(spec.from.is_root() && spec.policy == Policy::Random && spec.targets.len() == 2);
    assert_eq!((spec.expire, spec.max_fails), (Duration::from_secs(10), 2));
    assert_eq!((spec.health.interval, spec.health.recursion), (Duration::from_millis(500), true));
    assert_eq!((spec.max_age, spec.max_idle_conns, spec.max_concurrent), (None, None, None));
}

#[test]
fn every_property_is_read() {
    let (spec, report) = read(
        "forward Example.org 10.0.0.10 tls://9.9.9.9 {
            except a.example.org B.example.org
            force_tcp
            prefer_udp
            expire 20s
            max_age 1m
            max_idle_conns 3
            read_timeout 1500ms
            max_fails 0
            max_connect_attempts 7
            tls cert.pem key.pem ca.pem
            tls_servername dns.quad9.net
            policy round_robin
            health_check 5s no_rec domain example.org
            max_concurrent 1000
            next NXDOMAIN servfail
            next_on_nodata
            failfast_all_unhealthy_upstreams
            failover SERVFAIL REFUSED
            source_address 10.0.0.1
            resolver 10.0.0.1 10.0.0.2:5353
        }",
    );
    assert_eq!((report.errors(), report.warnings()), (0, 0), "{report}");
    let spec = spec.unwrap();
    assert_eq!(spec.from.to_string(), "example.org.");
    assert_eq!(spec.except.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a.example.org.", "b.example.org."]);
    assert!(spec.force_tcp && spec.prefer_udp && spec.next_on_nodata && spec.failfast);
    assert_eq!((spec.expire, spec.max_age), (Duration::from_secs(20), Some(Duration::from_secs(60))));
    assert_eq!((spec.max_idle_conns, spec.read_timeout), (Some(3), Duration::from_millis(1_500)));
    assert_eq!((spec.max_fails, spec.max_connect_attempts), (0, Some(7)));
    let files = TlsFiles { client: Some(("cert.pem".into(), "key.pem".into())), authority: Some("ca.pem".into()) };
    assert_eq!(spec.tls, Some(files));
    assert_eq!(spec.tls_servername, Some(ServerName::try_from("dns.quad9.net").unwrap()));
    assert_eq!(spec.policy, Policy::RoundRobin);
    assert_eq!((spec.health.interval, spec.health.recursion), (Duration::from_secs(5), false));
    assert_eq!(spec.health.domain.to_string(), "example.org.");
    assert_eq!(spec.max_concurrent, Some(1_000));
    assert_eq!(
        (spec.next, spec.failover),
        (vec![Rcode::NXDOMAIN, Rcode::SERVFAIL], vec![Rcode::SERVFAIL, Rcode::REFUSED])
    );
    assert_eq!(spec.source_address, Some("10.0.0.1".parse().unwrap()));
    assert_eq!(spec.resolver, ["10.0.0.1:53".parse().unwrap(), "10.0.0.2:5353".parse().unwrap()]);
}

#[test]
fn the_four_forms_of_tls() {
    for (arguments, client, authority) in
        [("", false, false), ("ca", false, true), ("cert key", true, false), ("cert key ca", true, true)]
    {
        let (spec, _) = read(&format!("forward . tls://9.9.9.9 {{\ntls {arguments}\n}}"));
        let files = spec.unwrap().tls.unwrap();
        assert_eq!((files.client.is_some(), files.authority.is_some()), (client, authority), "{arguments}");
    }
}

#[test]
fn each_error_is_said_at_its_place_and_all_in_one_run() {
    for (text, place, says) in [
        ("forward", "2:8", "missing argument"),
        ("forward .", "2:10", "missing argument"),
        ("forward a..b 10.0.0.10", "2:9", "empty label"),
        ("forward . 10.0.0.10 @dns", "2:21", "write `@NAMESPACE/SERVICE[:PORT]`"),
        ("forward . @dns/Resolver", "2:11", "lower case"),
        ("forward . @dns/resolver:0", "2:11", "1 to 65535"),
        ("forward . tls://@dns/resolver", "2:11", "plain DNS"),
        ("forward . @dns/one 10.0.0.10 @dns/two", "2:30", "second Service"),
        ("forward . https://9.9.9.9", "2:11", "HTTPS"),
        ("forward . 10.0.0.10 {\nmax_fail 3\n}", "3:1", "did you mean `max_fails`"),
        ("forward . 10.0.0.10 {\npolicy sequental\n}", "3:8", "did you mean `sequential`"),
        ("forward . 10.0.0.10 {\nexpire 10\n}", "3:8", "without a unit"),
        ("forward . 10.0.0.10 {\nforce_tcp yes\n}", "3:11", "unexpected argument"),
        ("forward . 10.0.0.10 {\nexcept\n}", "3:7", "missing argument"),
        ("forward . 10.0.0.10 {\nnext NOPE\n}", "3:6", "not an RCODE"),
        ("forward . 10.0.0.10 {\nfailover NOERROR\n}", "3:10", "final"),
        ("forward . 10.0.0.10 {\nhealth_check 1s domian x\n}", "3:17", "did you mean `domain`"),
        ("forward . 10.0.0.10 {\nmax_age 1s\n}", "3:1", "less than `expire`"),
        ("forward . tls://9.9.9.9%a.b {\ntls_servername c.d\n}", "3:1", "both"),
        ("forward . tls://9.9.9.9 {\ntls a b c d\n}", "3:11", "unexpected argument"),
        ("forward . 10.0.0.10 {\nsource_address ::1\n}", "3:1", "one family"),
        ("forward . 10.0.0.10 {\nmax_concurrent -1\n}", "3:16", "out of range"),
        ("forward . 10.0.0.10 {\ndoh_method PUT\n}", "3:12", "wrong value"),
    ] {
        let (spec, report) = read(text);
        assert!(spec.is_none(), "{text}");
        let printed = report.to_string();
        assert!(printed.contains(&format!("Corefile:{place}: error")) && printed.contains(says), "{text}\n{printed}");
    }
    let (_, report) = read("forward . 10.0.0 {\nexpire x\npolicy y\n}");
    assert_eq!(report.errors(), 3);
    let sixteen: Vec<String> = (0..16).map(|number| format!("10.0.0.{number}")).collect();
    assert!(read(&format!("forward . {}", sixteen.join(" "))).1.to_string().contains("15 are possible"));
}

#[test]
fn a_service_is_one_of_those_written_and_is_checked_by_its_own_zone() {
    let (spec, report) = read("forward cluster.local 10.0.0.10 @kube-system/kube-dns:dns-tcp tls://9.9.9.9");
    assert_eq!((report.errors(), report.warnings()), (0, 0), "{report}");
    let spec = spec.unwrap();
    assert_eq!(spec.service().unwrap().to_string(), "@kube-system/kube-dns:dns-tcp");
    assert_eq!(spec.health.domain.to_string(), "cluster.local.");
    let said = contract::Spec::describe(&spec);
    assert_eq!(
        said,
        "questions for cluster.local. go to the ready endpoints of @kube-system/kube-dns:dns-tcp; while there are none, \
         to that Service's own address, then to 10.0.0.10:53, tls://9.9.9.9:853"
    );
    let mut report = Report::new();
    let corefile = parse("Corefile", "a.org:1053 b.org {\nforward . @a/b\n}\n", &Memory::new(), &mut report);
    let zones = ["a.org", "b.org"].map(|zone| Name::parse(zone).unwrap());
    let inside = check(&corefile.blocks[0].statements[0], &zones, &mut report).unwrap();
    assert_eq!(inside.health.domain.to_string(), "a.org.");
    let (spec, _) = read("forward . @a/b {\nhealth_check 1s domain example.org\n}");
    let spec = spec.unwrap();
    assert_eq!(spec.health.domain.to_string(), "example.org.");
    let said = contract::Spec::describe(&spec);
    assert!(said.ends_with("while there are none, to that Service's own address"), "{said}");
    let fourteen: Vec<String> = (0..14).map(|number| format!("10.0.0.{number}")).collect();
    assert!(read(&format!("forward . @a/b {}", fourteen.join(" "))).0.is_some());
    assert!(read(&format!("forward . @a/b 10.1.0.0 {}", fourteen.join(" "))).0.is_none());
}

#[test]
fn what_has_no_effect_is_a_warning() {
    for (text, says) in [
        ("forward . 10.0.0.10 {\ntls\n}", "no upstream is asked over TLS"),
        ("forward . @a/b {\ntls\n}", "no upstream is asked over TLS"),
        ("forward . 10.0.0.10 {\ndoh_method GET\n}", "no effect"),
        ("forward . 10.0.0.10 {\nread_timeout 10s\n}", "3700 ms"),
        ("forward 10.0.0.0/9 10.0.0.10", "only 0.10.in-addr.arpa. is forwarded"),
    ] {
        let (spec, report) = read(text);
        assert!(spec.is_some() && report.to_string().contains(says), "{text}\n{report}");
    }
    let mut report = Report::new();
    let corefile = parse("Corefile", "a.org:1053 {\nforward b.org 10.0.0.1\n}\n", &Memory::new(), &mut report);
    check(&corefile.blocks[0].statements[0], &[Name::parse("a.org").unwrap()], &mut report);
    assert!(report.to_string().contains("nothing is forwarded"), "{report}");
}
