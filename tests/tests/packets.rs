//! Tier `packets`: random and mutated octets into each parser, without a fuzzer, in a debug build (overflow is a panic).

use std::time::Instant;

use std::sync::Arc;
use std::time::Duration;

use cache::warm::{Names, Stamp, write};
use cache::{BlockId, KeyBuffer, Policy, Store};
use contract::metrics::Metrics;
use contract::wire::{Class, Message, Name, RecordType};
use contract::{Answer, Client, Moment, Query, Reply, Scope, SearchLists, Source, Transport};
use nearpath_fuzz::{Mutator, corefile, message, packet, record, rewrite, template, view, warm, zone};
use nearpath_tests::mode::{self, note};
use nearpath_tests::record::Record;
use nearpath_tests::{Ask, ask};

/// Good queries of every kind.
pub(crate) fn queries() -> Vec<Vec<u8>> {
    let mut axfr = ask("example.com", "AXFR").wire();
    axfr.extend([0; 4]);
    asks().iter().map(Ask::wire).chain([axfr]).collect()
}

fn asks() -> Vec<Ask> {
    vec![
        ask("www.example.com", "A"),
        ask("www.example.com.default.svc.cluster.local", "AAAA").edns(1232),
        ask("version.bind", "TXT").class(3),
        ask("_http._tcp.example.com", "SRV").dnssec(),
        ask(".", "NS").option(10, &[1, 2, 3, 4, 5, 6, 7, 8]),
        ask("example.com", "TXT").option(3, &[]),
        ask(&"a.".repeat(127), "A").edns(512),
        ask(&format!("{0}.{0}.{0}", "b".repeat(63)), "MX").flag(0x0030),
    ]
}

/// Good replies of every kind.
fn replies() -> Vec<Vec<u8>> {
    let sets: [&[&str]; 5] = [
        &["www.example.com. 60 CNAME web.example.com.", "web.example.com. 30 A 192.0.2.1", "x. 1 A 192.0.2.9"],
        &["www.example.com. 60 TXT one two three", "www.example.com. 60 MX 10 mail.example.com."],
        &["example.com. 60 SOA ns.example.com. admin.example.com. 1 2 3 4 5"],
        &["_http._tcp.example.com. 60 SRV 1 2 3 web.example.com.", "www.example.com. 5 DNAME example.net."],
        &["www.example.com. 60 NS ns.example.com.", "ns.example.com. 60 AAAA 2001:db8::1"],
    ];
    let mut replies = Vec::new();
    for asked in asks() {
        for set in sets {
            let mut reply = asked.wire();
            let tail = reply.split_off(12 + asked.name.len() + 4);
            reply[2] |= 0x80;
            reply[7] = set.len() as u8;
            set.iter().for_each(|line| Record::parse(line).write(&mut reply));
            // and one whose owner is a pointer to the question
            reply[9] = 1;
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 3]);
            reply.extend(tail);
            assert_eq!(contract::wire::Message::parse(&reply).err(), None, "the corpus is good");
            replies.push(reply);
        }
    }
    replies
}

/// The body of a file of hot answers: two blocks, a search list, and an answer for most replies of [`replies`].
fn kept() -> Vec<u8> {
    let (store, now, blocks) = (Store::new(1 << 20, Arc::new(Metrics::default())), Moment(1), [BlockId(1), BlockId(2)]);
    let list = SearchLists::default().intern(&[Name::parse("shop.svc.cluster.local").expect("a name"), Name::root()]);
    for (index, wire) in replies().iter().step_by(4).enumerate() {
        let message = Message::parse(wire).expect("the corpus is good");
        let (name, rtype) = (message.question_name().expect("the corpus is good"), message.question_type());
        let scope = if index % 3 == 0 { Scope::Search(list.id) } else { Scope::Shared };
        let Ok(answer) = Answer::from_upstream(&query(&name, rtype), wire) else { continue };
        let mut key = KeyBuffer::new();
        key.set_name(name.as_wire());
        key.set(blocks[index % 2], scope, rtype, Class::IN, false, false);
        store.insert(&key, Reply::fresh(answer, Source::Store), &Policy::default(), now);
    }
    let names = Names { blocks: blocks.map(|block| (block, format!("{block:?}"))).into(), lists: vec![list] };
    let (file, count) = write(&store, now, &names, &Stamp::default(), (Duration::from_secs(60), false, 1 << 20));
    assert!(count > 3, "{count} answers kept");
    file[cache::warm::HEAD..].to_vec()
}

fn query(name: &Name, rtype: RecordType) -> Query {
    let nobody = ([127, 0, 0, 1], 1).into();
    Query {
        name: name.clone(),
        rtype,
        class: Class::IN,
        dnssec_ok: false,
        checking_disabled: false,
        scope: Scope::Shared,
        client: Client { address: nobody, local: nobody, transport: Transport::Udp },
        edns: None,
        header: (1, 0),
        arrived: Moment(1),
        reentries: 0,
        refresh: false,
        chased: None,
        past: contract::Past::Not,
        options: contract::Options::default(),
        story: None,
    }
}

fn feed(what: &str, take: fn(&[u8]), corpus: Vec<Vec<u8>>, packets: usize) {
    let seed = mode::seed();
    corpus.iter().for_each(|octets| take(octets));
    let mut mutator = Mutator::new(seed, corpus);
    let (mut octets, start) = (Vec::new(), Instant::now());
    for index in 0..packets {
        mutator.next_packet(&mut octets);
        if std::panic::catch_unwind(|| take(&octets)).is_err() {
            panic!("{what} number {index} of seed {seed}: {octets:02x?}");
        }
    }
    note(&format!("{packets} of {what} in {:.1} s, no panic", start.elapsed().as_secs_f64()));
}

#[test]
fn any_packet_of_a_client_is_survived() {
    feed("packets of clients", packet, queries(), mode::of(300_000, 10_000_000));
}

#[test]
fn any_message_of_an_upstream_is_survived() {
    feed("messages of upstreams", message, replies(), mode::of(300_000, 10_000_000));
}

#[test]
fn any_octets_as_kept_answers_are_survived() {
    feed("files of kept answers", warm, vec![kept()], mode::of(3_000, 300_000));
}

#[test]
fn any_text_as_corefile_is_survived() {
    let texts = [
        ".:53 {\n    errors\n    cache 30 {\n        success 100\n    }\n    forward . 127.0.0.1 {\n        force_tcp\n    }\n}\n",
        "(snippet) {\n log\n}\nexample.com 10.0.0.0/9, tls://example.org:853 {\n import snippet\n tls a b \"c \\\" d\"\n}\n",
        "a {$HOME} {%PATH%} {\n whoami # text\n}\nimport *.conf\n",
    ];
    let corpus = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    feed("texts as Corefile", corefile, corpus, mode::of(100_000, 2_000_000));
}

fn corpus(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn any_text_as_record_is_survived() {
    let texts = [
        "www.example.org. 1h30m IN A 192.0.2.1",
        "a\\.b\\255 CLASS4 60 AAAA 2001:db8::1 ; text",
        "@ SOA ns.example.org. admin 1 (2h 3m\n 4w 5d)",
        "a 1 TXT (\"b c\" d \"\\\"\\059\")\nb A 192.0.2.2",
        "a NAPTR 1 2 \"u\" \"\" \"!^.*$!b!\" .",
        "a CAA 0 issue \"x.y\"",
        "a HINFO \"b c d\"",
        "a RRSIG A RSASHA256 2 300 20260101000000 1767225599 7 o. AQI=",
        "a NSEC b.c A RRSIG NSEC TYPE1234",
        "a NSEC3PARAM 1 0 5 aabb",
        "a EUI48 00-00-5e-00-53-2a",
        r"a TYPE65280 \# 3 ab cdef",
        r"a MX \# 5 000a016100",
        r#"a HTTPS 16 foo. alpn="f\\\\oo\\,bar,h2" mandatory=port,key667 port=53 ipv4hint=192.0.2.1,192.0.2.2 ech=AQI="#,
    ];
    feed("texts as record", record, corpus(&texts), mode::of(200_000, 3_000_000));
}

#[test]
fn any_text_as_zone_file_is_survived() {
    let texts = [
        "$TTL 1h\n@ IN SOA ns host 1 2h 3m 4d 1w\n  NS ns\nns A 192.0.2.1\n*.w 5 TXT \"a b\" c\n$ORIGIN sub\n@ MX 10 a\n",
        "$ORIGIN example.org.\n@ 9 SOA . . (1 2 3 4 5)\n$GENERATE 1-5/2 h-${1,3,x} A 192.0.2.$\nb A 192.0.2.1\n$INCLUDE sub/db in\n",
        "@ 1 SOA a b 1 2 3 4 5\na DNAME b\nb CNAME C\n  RRSIG CNAME 8 2 1 1 1 1 . AQ==\nd NSEC a A TYPE999\nd HTTPS 1 . port=1\n",
    ];
    feed("texts as zone file", zone, corpus(&texts), mode::of(60_000, 500_000));
}

#[test]
fn any_text_as_template_is_survived() {
    let texts = [
        "template IN A example.org {\n match ^ip-(?P<a>[0-9]*)-([0-9]*)[.]\n answer \"{{ .Name }} 60 IN A 10.{{ .Group.a }}.{{ index .Match 2 }}.1\"\n fallthrough\n}",
        "template ANY ANY {\n answer \"{{ .Name }} TXT {{ printf `%5.2q|%x|%-3v|%d` .Zone .Type true 7 }}\"\n authority \"a. {{ .Class }} NS b.\"\n rcode NXDOMAIN\n ederror 21 \"why\"\n}",
        "template IN TXT . {\n answer \"{{ $x := slice .Name 1 4 }}{{ if and (eq .Type `TXT`) (gt (len .Name) 3) }}a. TXT {{ $x | print | len }}{{ else }}b. CNAME c.{{ end }}\"\n}",
        "template IN A {\n match (a)|b\n answer \"{{ with .Meta `view/name` }}{{ . }}{{ else }}{{- .Remote -}}{{ end }} A 192.0.2.{{ parseInt `0x1` 0 8 }}\"\n}",
    ];
    feed("texts as template", template, corpus(&texts), mode::of(12_000, 500_000));
}

#[test]
fn any_text_as_view_is_survived() {
    let texts = [
        "view a {\n expr incidr(client_ip(), '10.0.0.0/8') && type() in ['A', 'AAAA']\n expr name() matches '^ip-\\\\d+\\\\..*'\n}",
        "view b {\n expr size() % 10 == 5 ? int(port()) > 1e3 : 'b' == (metadata('view/name') ?? 'a')\n}",
        "view c {\n expr (1 < size() <= 33 and 0x21 == -size() * 2) or not ((type() | lower()) startsWith `x`)\n}",
        "view d {\n expr 1 in 1..33 and '\\\\x41\\\\u{43}' contains upper('a') and len(name()) / 2 != .5 /* text */ // end\n}",
    ];
    feed("texts as view", view, corpus(&texts), mode::of(25_000, 1_000_000));
}

#[test]
fn any_text_as_rewrite_is_survived() {
    let texts = [
        "rewrite stop {\n name regex ip-(.*)\\.(.*)\\.org {1}.{2}.net\n answer name (.*)\\.net {1}.org\n answer value (.*) x.{1}\n}",
        "rewrite continue name suffix .example.org .example.com answer auto\nrewrite name substring www ftp\nrewrite name exact a b",
        "rewrite ttl regex (.*) 30-60\nrewrite rcode exact a. 3 NOERROR\nrewrite type A TXT\nrewrite class IN CH",
        "rewrite cname regex (.*)\\.example\\.com\\. {1}.other.\nrewrite edns0 local set 0xffee {client_ip} revert\nrewrite edns0 subnet set 24 56",
    ];
    feed("texts as rewrite", rewrite, corpus(&texts), mode::of(10_000, 500_000));
}
