//! The front door: what is said to which packet (RFC 1035, 6891, 8906, 9619), before any name matters.

use nearpath_tests::message::Ask;
use nearpath_tests::{Reply, ask};

use super::{centre, plain};

#[test]
fn what_is_no_question_gets_silence() {
    let centre = centre();
    let daemon = plain(&centre);
    let client = daemon.client();
    let question = ask("www.example.com", "A").wire();
    client.gets_silence(&ask("www.example.com", "A").flag(0x8000).wire());
    for length in [0, 1, 2, 11] {
        client.gets_silence(&question[..length]);
    }
    client.asks(&ask("www.example.com", "A")).is("NOERROR");
}

#[test]
fn what_is_no_good_question_gets_its_rcode() {
    let centre = centre();
    let daemon = plain(&centre);
    let client = daemon.client();
    let good = ask("www.example.com", "A").wire();
    let changed = |at: usize, octet: u8| {
        let mut wire = good.clone();
        wire[at] = octet;
        wire
    };
    for opcode in [1, 2, 4, 5, 6, 15] {
        client.gets(&changed(2, opcode << 3 | 1)).is("NOTIMP");
    }
    client.gets(&changed(5, 0)).is("FORMERR");
    client.gets(&changed(5, 2)).is("FORMERR");
    client.gets(&changed(7, 1)).is("FORMERR"); // an answer that is not there
    client.gets(&changed(12, 0xc0)).is("FORMERR"); // a pointer
    client.gets(&changed(12, 63)).is("FORMERR"); // a label beyond the end
    client.gets(&good[..12]).is("FORMERR");
    client.gets(&good[..good.len() - 1]).is("FORMERR");
    client.gets(&[good.as_slice(), &[0]].concat()).is("FORMERR");
    client.gets(&[ask("www.example.com", "A").edns(1232).wire().as_slice(), &[0]].concat()).is("FORMERR");
    assert!(centre.seen().is_empty(), "none of them reaches an upstream");
}

#[test]
fn bad_edns_is_formerr_and_a_higher_version_badvers() {
    let centre = centre();
    let daemon = plain(&centre);
    let client = daemon.client();
    let two = {
        let mut wire = ask("www.example.com", "A").edns(1232).wire();
        let opt = wire[wire.len() - 11..].to_vec();
        wire[11] = 2;
        wire.extend(opt);
        wire
    };
    client.gets(&two).is("FORMERR");
    let mut option = ask("www.example.com", "A").edns(1232);
    option.edns.as_mut().unwrap().3 = vec![0, 3, 0, 9, 1]; // an option longer than its record
    client.gets(&option.wire()).is("FORMERR");
    let mut named = ask("www.example.com", "A").edns(1232).wire();
    let at = named.len() - 11;
    named.splice(at..=at, [1, b'x', 0]); // OPT's owner is the root
    client.gets(&named).is("FORMERR");

    let mut version = ask("www.example.com", "A").edns(1232);
    version.edns.as_mut().unwrap().1 = 1;
    let reply = client.asks(&version);
    reply.is("BADVERS");
    assert_eq!(reply.opt.as_ref().unwrap().version, 0, "the version that is known");
    assert!(reply.lines.is_empty());
}

#[test]
fn options_and_flags_that_are_unknown_are_not_echoed() {
    let centre = centre();
    let daemon = plain(&centre);
    // client subnet, cookie, padding, a local one
    let asked = ask("www.example.com", "A")
        .option(8, &[0, 1, 24, 0, 192, 0, 2])
        .option(10, &[1, 2, 3, 4, 5, 6, 7, 8])
        .option(12, &[0; 16])
        .option(65_001, b"what");
    for _ in 0..2 {
        let reply = daemon.asked(&asked);
        reply.is("NOERROR");
        assert_eq!(reply.opt.as_ref().unwrap().options, [], "no option comes back:\n{reply}");
    }
    let mut flags = ask("www.example.com", "A").edns(1232);
    flags.edns.as_mut().unwrap().2 = 0x7fff;
    let reply = daemon.asked(&flags);
    assert_eq!(reply.opt.as_ref().unwrap().flags, 0, "no flag but DO is known:\n{reply}");
    let reply = daemon.asked(&ask("www.example.com", "A").dnssec());
    assert!(reply.opt.as_ref().unwrap().dnssec_ok, "DO comes back (RFC 3225)");
    let reply = daemon.asked(&ask("www.example.com", "A").flag(0x0040));
    reply.always(); // Z never comes back
}

#[test]
fn zone_transfers_are_refused() {
    let centre = centre();
    let daemon = plain(&centre);
    for rtype in ["AXFR", "IXFR"] {
        daemon.asked(&ask("example.com", rtype)).is("REFUSED");
        daemon.connection().asks(&ask("example.com", rtype)).is("REFUSED");
    }
    // IXFR carries an SOA in its authority section (RFC 1995 3)
    let mut ixfr = ask("example.com", "IXFR").wire();
    ixfr[9] = 1;
    nearpath_tests::record::Record::parse("example.com. 0 SOA a. b. 1 2 3 4 5").write(&mut ixfr);
    daemon.client().gets(&ixfr).is("REFUSED");
    assert!(centre.seen().is_empty());
}

#[test]
fn class_chaos_says_who_answers_and_other_classes_are_refused() {
    let centre = centre();
    let daemon = plain(&centre);
    for name in ["version.bind", "hostname.bind", "id.server", "VERSION.bind"] {
        let reply = daemon.asked(&ask(name, "TXT").class(3));
        reply.is("NOERROR");
        let [line] = reply.lines.as_slice() else { panic!("one TXT record:\n{reply}") };
        assert!(line.text.contains(" TXT ") && line.text.len() > " TXT ".len() + name.len() + 1, "{reply}");
    }
    for asked in [
        ask("something.bind", "TXT").class(3),
        ask("www.example.com", "A").class(4),
        ask("www.example.com", "A").class(255),
        ask("www.example.com", "A").class(0),
    ] {
        daemon.asked(&asked).is("REFUSED");
    }
    assert!(centre.seen().is_empty());
}

#[test]
fn the_spelling_comes_back_and_does_not_matter() {
    let centre = centre();
    let daemon = plain(&centre);
    for name in ["www.example.com", "WWW.Example.COM", "wWw.eXaMpLe.cOm"] {
        daemon.asked(&ask(name, "A")).is("NOERROR").answers_are(&["www.example.com. A 192.0.2.1"]);
    }
    assert_eq!(centre.asked_for("www.example.com."), 1, "one question for three spellings");
    // the owner of a record is spelled as asked, since it points to the question
    let reply = daemon.asked(&ask("WWW.example.com", "A"));
    assert_eq!(&reply.wire[13..16], b"WWW");
}

#[test]
fn recursion_is_always_available() {
    let centre = centre();
    let daemon = plain(&centre);
    for (name, rcode) in [("www.example.com", "NOERROR"), ("nothing.example.com", "NXDOMAIN")] {
        for flags in [0, 0x0100] {
            let mut asked = ask(name, "A");
            asked.flags = flags;
            daemon.asked(&asked).is(rcode);
            daemon.asked(&asked).is(rcode);
        }
    }
}

#[test]
fn checking_disabled_comes_back() {
    let centre = centre();
    let daemon = plain(&centre);
    let reply = daemon.asked(&ask("www.example.com", "A").flag(0x0010));
    assert_eq!(reply.flags & 0x0010, 0x0010, "CD is copied (RFC 4035 3.2.2):\n{reply}");
    let reply = daemon.asked(&ask("www.example.com", "A"));
    assert_eq!(reply.flags & 0x0010, 0);
}

#[test]
fn the_node_tells_its_name_when_asked() {
    let centre = centre();
    let daemon = plain(&centre);
    for _ in 0..2 {
        let reply = daemon.asked(&ask("www.example.com", "A").option(3, &[]));
        let options = &reply.opt.as_ref().unwrap().options;
        assert!(options.iter().any(|(code, octets)| *code == 3 && !octets.is_empty()), "NSID (RFC 5001):\n{reply}");
    }
    let reply = daemon.asked(&ask("www.example.com", "A").edns(1232));
    assert!(reply.opt.as_ref().unwrap().options.is_empty(), "only when asked:\n{reply}");
}

#[test]
fn replies_are_cut_to_what_the_client_takes() {
    let many: Vec<String> = (0..100).map(|number| format!("many.example.com. 300 A 192.0.2.{number}")).collect();
    let mut table: Vec<&str> = super::TABLE.to_vec();
    table.extend(many.iter().map(String::as_str));
    let centre = nearpath_tests::Upstream::with(&table);
    let daemon = nearpath_tests::Daemon::given(
        ".:PORT {\n bind IP\n cache\n forward . CENTRE {\n force_tcp\n }\n}\n",
        &[("CENTRE", centre.address())],
    );
    let whole = 100;
    let cut = |asked: &Ask, limit: usize| {
        let reply: Reply = daemon.asked(asked);
        reply.is("NOERROR");
        assert!(reply.is_truncated(), "TC:\n{reply}");
        assert!(reply.wire.len() <= limit, "{} octets for {limit}", reply.wire.len());
        let full = (limit - 12 - 22 - if asked.edns.is_some() { 11 } else { 0 }) / 16;
        assert_eq!(reply.lines.len(), full, "as many whole records as fit:\n{reply}");
    };
    for _ in 0..2 {
        cut(&ask("many.example.com", "A"), 512);
        cut(&ask("many.example.com", "A").edns(0), 512); // below 512 means 512 (RFC 6891 6.2.5)
        cut(&ask("many.example.com", "A").edns(600), 600);
        cut(&ask("many.example.com", "A").edns(1232), 1232);
        cut(&ask("many.example.com", "A").edns(65_535), 1232);
    }
    let reply = daemon.connection().asks(&ask("many.example.com", "A"));
    assert!(!reply.is_truncated() && reply.lines.len() == whole, "TCP carries all:\n{reply}");
}

#[test]
fn nothing_fits_beside_a_long_name_but_the_reply_keeps_its_bound() {
    let centre = centre();
    let daemon = plain(&centre);
    let long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    for asked in [ask(&long, "A"), ask(&long, "A").edns(512), ask(&long, "A").edns(512).option(3, &[])] {
        daemon.asked(&asked).is("NXDOMAIN"); // `asked` fails if the reply is larger than 512 octets
    }
}

#[test]
fn options_of_ours_never_make_a_reply_larger_than_asked_for() {
    let node = "n".repeat(63);
    let daemon =
        nearpath_tests::Daemon::with("example.org:PORT {\n bind IP\n whoami\n}\n", &[], &[], &["--node-name", &node]);
    let long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    // the longest question, NSID, and an error text that names the question: `asked` fails above 512 octets
    let reply = daemon.asked(&ask(&long, "A").edns(512).option(3, &[]));
    reply.is("REFUSED");
}
