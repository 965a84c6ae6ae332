//! The grammar, and whose headers count.

use contract::testing;

use super::*;

fn checked(text: &str) -> (Option<ProxyprotoSpec>, String) {
    testing::checked(text, check)
}

fn spec(body: &str) -> ProxyprotoSpec {
    let (spec, report) = checked(&format!("proxyproto {{\n{body}\n}}"));
    spec.unwrap_or_else(|| panic!("{report}"))
}

#[test]
fn what_is_said_is_read() {
    assert_eq!(checked("proxyproto").0, Some(ProxyprotoSpec::default()));
    assert_eq!(checked("proxyproto {\n}").0, Some(ProxyprotoSpec::default()));
    let read = spec("allow 10.0.0.1/8 fd00::/8\nallow\nallow 192.0.2.7/32\ndefault REJECT");
    let prefixes = [("10.0.0.0", 8), ("fd00::", 8), ("192.0.2.7", 32)].map(|(ip, bits)| (ip.parse().unwrap(), bits));
    assert_eq!((read.allow, read.default), (prefixes.to_vec(), Some(Policy::Reject)));
    for (line, tracking) in [
        ("udp_session_tracking 28s", Some((28, 10_240))),
        ("udp_session_tracking 1m +20", Some((60, 20))),
        ("udp_session_tracking 0s", None),
        ("udp_session_tracking 0 5", None),
        ("", None),
    ] {
        let tracking = tracking.map(|(seconds, most)| Tracking { lasts: Duration::from_secs(seconds), most });
        assert_eq!(spec(line).tracking(), tracking, "{line}");
    }
}

#[test]
fn two_statements_are_one() {
    let joined =
        spec("allow 10.0.0.0/8\ndefault skip\nudp_session_tracking 1s").then(spec("allow 192.0.2.0/24\ndefault use"));
    let read = spec("allow 10.0.0.0/8 192.0.2.0/24\ndefault use\nudp_session_tracking 1s");
    assert_eq!(joined, read);
    assert_eq!(
        read.describe(),
        "headers of the PROXY protocol from 10.0.0.0/8 192.0.2.0/24 are used, others used; a datagram's header holds for 1000 \
         ms, for 10240 senders"
    );
    assert_eq!(spec("").describe(), "headers of the PROXY protocol are used");
}

#[test]
fn a_later_statement_of_a_block_turns_sessions_off() {
    let joined = spec("udp_session_tracking 1s 20").then(spec("udp_session_tracking 0s"));
    assert_eq!(joined.tracking(), None);
}

#[test]
fn of_blocks_at_one_address_the_last_counts_with_each_setting() {
    for (first, later, together) in [
        ("allow 10.0.0.0/8\ndefault skip", "allow 192.0.2.0/24", "allow 192.0.2.0/24"),
        ("allow 10.0.0.0/8\ndefault skip", "", ""),
        ("default use\nudp_session_tracking 28s 20", "default reject", "default reject\nudp_session_tracking 28s 20"),
        ("udp_session_tracking 28s 20", "udp_session_tracking 1m", "udp_session_tracking 1m 20"),
        ("udp_session_tracking 28s 20", "udp_session_tracking 1m 30", "udp_session_tracking 1m 30"),
        ("udp_session_tracking 28s 20", "udp_session_tracking 0s 30", "udp_session_tracking 28s 30"),
        ("udp_session_tracking 0s 20", "udp_session_tracking 28s", "udp_session_tracking 28s 20"),
    ] {
        assert_eq!(spec(first).beside(spec(later)), spec(together), "{first}, then {later}");
    }
}

#[test]
fn whose_headers_count() {
    for (body, sender, policy) in [
        ("", "192.0.2.7", Policy::Use),
        ("default ignore", "192.0.2.7", Policy::Ignore),
        ("default skip", "fd00::1", Policy::Skip),
        ("allow 10.0.0.0/8", "10.255.255.255", Policy::Use),
        ("allow 10.0.0.0/8", "::ffff:10.0.0.1", Policy::Use),
        ("allow 10.0.0.0/8", "11.0.0.1", Policy::Ignore),
        ("allow 10.0.0.0/8", "fd00::1", Policy::Ignore),
        ("allow 10.0.0.0/8\ndefault reject", "11.0.0.1", Policy::Reject),
        ("allow 10.0.0.0/8\ndefault reject", "10.0.0.1", Policy::Use),
        ("allow 0.0.0.0/0", "192.0.2.7", Policy::Use),
        ("allow ::/0", "192.0.2.7", Policy::Ignore),
        ("allow ::/0", "fd00::1", Policy::Use),
        ("allow fd00::/8 192.0.2.7/32", "192.0.2.7", Policy::Use),
        ("allow 192.0.2.6/32", "192.0.2.7", Policy::Ignore),
        ("allow ::ffff:10.0.0.0/104", "10.1.2.3", Policy::Use),
    ] {
        assert_eq!(spec(body).policy(sender.parse().unwrap()), policy, "{body}: {sender}");
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (text, place, reason) in [
        ("proxyproto x", "2:12", "unexpected argument `x`"),
        ("proxyproto {\n allow 10.0.0.1\n}", "3:8", "no length"),
        ("proxyproto {\n allow 10.0.0.0/33\n}", "3:8", "10.0.0.0/8"),
        ("proxyproto {\n allow 10.0.0.0/8 x/8\n}", "3:19", "not an IP address"),
        ("proxyproto {\n default\n}", "3:9", "missing argument"),
        ("proxyproto {\n default require\n}", "3:10", "`use`, `ignore`, `reject` or `skip`"),
        ("proxyproto {\n default use skip\n}", "3:14", "unexpected argument `skip`"),
        ("proxyproto {\n default use\n default skip\n}", "4:2", "stands twice"),
        ("proxyproto {\n udp_session_tracking\n}", "3:22", "missing argument"),
        ("proxyproto {\n udp_session_tracking 28\n}", "3:23", "without a unit"),
        ("proxyproto {\n udp_session_tracking -1s\n}", "3:23", "negative"),
        ("proxyproto {\n udp_session_tracking 1s 0\n}", "3:26", "at least 1"),
        ("proxyproto {\n udp_session_tracking 1s 1 1\n}", "3:28", "unexpected argument"),
        ("proxyproto {\n alow 10.0.0.0/8\n}", "3:2", "did you mean `allow`"),
        ("proxyproto {\n allow 10.0.0.0/8 {\n x\n }\n}", "4:2", "`allow` has no properties"),
    ] {
        let (spec, report) = checked(text);
        assert_eq!(spec, None, "{text}");
        assert!(report.contains(&format!("Corefile:{place}: error")) && report.contains(reason), "{text}: {report}");
    }
}
