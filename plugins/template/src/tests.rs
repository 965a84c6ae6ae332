//! Statements as they are judged, and what a chain with templates replies.

use std::sync::Arc;

use contract::testing::{self, all_checked, context, query};
use contract::wire::{Class, Flags, Name, Rcode, RecordType, Section};
use contract::{Age, Answer, Blocks, Boxed, Context, Failure, Next, Plugin, Query, Reply, Served, Source, Spec};

use crate::{TemplateSpec, check};

/// The templates of the server block `.` as one specification, and what was reported.
fn checked(statements: &str) -> (Option<TemplateSpec>, String) {
    let (specs, report) = all_checked(statements, &[Name::root()], check);
    (specs.into_iter().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().reduce(TemplateSpec::then)), report)
}

fn built(statements: &str, context: &Context) -> Arc<dyn Plugin> {
    testing::built(checked(statements), context)
}

async fn asked(statements: &str, name: &str, rtype: RecordType) -> Served {
    testing::ask(&[built(statements, &context())], &query(name, rtype)).await
}

/// The records of a reply, one a line: section, owner, TTL, class, type, data.
fn told(reply: &Reply) -> String {
    let message = reply.answer.message();
    let line = |section: &str, record: contract::wire::Record| {
        let owner = message.name(record.owner).unwrap();
        let data = match record.rtype {
            RecordType::CNAME | RecordType::NS | RecordType::PTR => message.name(record.rdata).unwrap().to_string(),
            _ => message.rdata(&record).iter().map(|octet| format!("{octet:02x}")).collect(),
        };
        format!("{section} {owner} {} {} {} {data}\n", record.ttl, record.class, record.rtype)
    };
    [(Section::Answer, "an"), (Section::Authority, "ns"), (Section::Additional, "ad")]
        .into_iter()
        .flat_map(|(section, label)| message.section(section).map(move |record| (label, record)))
        .map(|(label, record)| line(label, record))
        .collect()
}

const PATTERNS: &str = r#"
template IN A example {
    match "^ip0a(?P<b>[a-f0-9]{2})(?P<c>[a-f0-9]{2})(?P<d>[a-f0-9]{2})[.]example[.]$"
    match (^|[.])ip-(?P<a>[0-9]*)-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]example[.]$
    answer "{{ .Name }} 60 IN A {{ if .Group.a }}{{ .Group.a }}.{{ .Group.b }}.{{ .Group.c }}.{{ .Group.d }}{{ else }}10.{{ parseInt .Group.b 16 8 }}.{{ parseInt .Group.c 16 8 }}.{{ parseInt .Group.d 16 8 }}{{ end }}"
    authority "example. 60 IN NS ns0.example."
    additional "ns0.example. 60 IN A 203.0.113.8"
    fallthrough
}"#;

#[tokio::test]
async fn records_are_made_of_the_parts_of_a_name() {
    let rest = "ns example. 60 IN NS ns0.example.\nad ns0.example. 60 IN A cb007108\n";
    for (name, address) in [("ip0a7b7bff.example", "0a7b7bff"), ("x.ip-192-0-2-1.example", "c0000201")] {
        let reply = asked(PATTERNS, name, RecordType::A).await.unwrap();
        assert_eq!(told(&reply), format!("an {name}. 60 IN A {address}\n{rest}"));
        assert_eq!((reply.answer.rcode(), reply.personal, reply.storable), (Rcode::NOERROR, false, true));
        assert_ne!(reply.answer.message().flags() & Flags::AA, 0);
    }
}

#[tokio::test]
async fn what_is_of_no_concern_goes_on() {
    let end = |name: &str| Failure::EndOfChain { name: format!("{name}.") };
    for (name, rtype) in [
        ("other.example", RecordType::A),
        ("ip-192-0-2-1.example", RecordType::AAAA),
        ("ip-192-0-2-1.example.org", RecordType::A),
    ] {
        assert_eq!(asked(PATTERNS, name, rtype).await.unwrap_err(), end(name));
    }
    let other_class = Query { class: Class::CH, ..query("ip-192-0-2-1.example", RecordType::A) };
    let failure = testing::ask(&[built(PATTERNS, &context())], &other_class).await.unwrap_err();
    assert_eq!(failure, end("ip-192-0-2-1.example"));
}

#[tokio::test]
async fn where_no_pattern_fits_fallthrough_decides() {
    let first = "template ANY ANY a.example b.example {\n match ^x\n answer \"{{ .Zone }} A 192.0.2.1\"\n fallthrough b.example\n}\n";
    let second = "template IN A example {\n answer \"{{ .Name }} A 192.0.2.2\"\n}";
    let both = format!("{first}{second}");
    let reply = asked(&both, "x.b.example", RecordType::A).await.unwrap();
    assert_eq!(told(&reply), "an b.example. 3600 IN A c0000201\n");
    let reply = asked(&both, "y.b.example", RecordType::A).await.unwrap();
    assert_eq!(told(&reply), "an y.b.example. 3600 IN A c0000202\n", "the next template");
    let reply = asked(&both, "y.a.example", RecordType::A).await.unwrap();
    assert_eq!((reply.answer.rcode(), told(&reply)), (Rcode::SERVFAIL, String::new()));
    assert_eq!(reply.answer.ede().unwrap().text, "template: no `match` fits the name, and no fallthrough");
    let failure = asked(first, "y.b.example", RecordType::MX).await.unwrap_err();
    assert_eq!(failure, Failure::EndOfChain { name: "y.b.example.".to_owned() });
}

#[tokio::test]
async fn any_type_is_every_type() {
    let statement = "template IN MX {\n answer \"{{ .Name }} 60 IN {{ .Type }} 10 {{ .Name }}\"\n}";
    let reply = asked(statement, "a.example", RecordType::ANY).await.unwrap();
    assert!(told(&reply).starts_with("an a.example. 60 IN MX 000a"), "{}", told(&reply));
}

#[tokio::test]
async fn response_code_and_extended_error_are_said() {
    let statement = "template ANY ANY invalid {\n rcode NXDOMAIN\n authority \"invalid. 60 {{ .Class }} SOA ns.invalid. hostmaster.invalid. (1 60 60 60 60)\"\n ederror 21 \"Blocked according to RFC2606\"\n}";
    let reply = asked(statement, "a.invalid", RecordType::AAAA).await.unwrap();
    assert_eq!((reply.answer.rcode(), reply.answer.negative_ttl()), (Rcode::NXDOMAIN, Some(60)));
    let ede = reply.answer.ede().unwrap();
    assert_eq!((ede.code, ede.text.as_ref()), (21, "Blocked according to RFC2606"));
    let reply = asked("template IN A {\n rcode SERVFAIL\n answer \"a. A 192.0.2.1\"\n}", "a", RecordType::A).await;
    let reply = reply.unwrap();
    assert_eq!((reply.answer.rcode(), told(&reply)), (Rcode::SERVFAIL, String::new()));
    let reply = asked("template IN A", "a", RecordType::A).await.unwrap();
    assert_eq!((reply.answer.rcode(), told(&reply)), (Rcode::NOERROR, String::new()));
}

#[tokio::test]
async fn a_record_that_cannot_be_made_is_servfail_and_counted() {
    let context = context();
    let statement = "template IN A example {\n match ^([a-z0-9]*)\n answer \"{{ .Name }} A 10.0.0.{{ index .Match 1 }}\"\n}\ntemplate IN TXT example {\n match ^([a-z0-9]*)\n answer \"{{ .Name }} TXT {{ parseInt (index .Match 1) 10 8 }}\"\n}";
    let chain = [built(statement, &context)];
    for (name, rtype, why) in [
        ("300.example", RecordType::A, "template: A: `10.0.0.300` is not an IPv4 address"),
        ("x.example", RecordType::TXT, "template: `parseInt` is given `x`, which is no such number"),
    ] {
        let reply = testing::ask(&chain, &query(name, rtype)).await.unwrap();
        assert_eq!((reply.answer.rcode(), told(&reply)), (Rcode::SERVFAIL, String::new()));
        assert_eq!(reply.answer.ede().unwrap().text.as_ref(), why);
    }
    let text = context.metrics.text();
    for line in [
        "coredns_template_matches_total{server=\"dns://.:53\",zone=\"example.\",view=\"\",class=\"IN\",type=\"A\"} 1\n",
        "coredns_template_matches_total{server=\"dns://.:53\",zone=\"example.\",view=\"\",class=\"IN\",type=\"TXT\"} 1\n",
        "coredns_template_rr_failures_total{server=\"dns://.:53\",zone=\"example.\",view=\"\",class=\"IN\",type=\"A\",section=\"answer\",template=\"{{.Name}} A 10.0.0.{{index .Match 1}}\"} 1\n",
        "coredns_template_template_failures_total{server=\"dns://.:53\",zone=\"example.\",view=\"\",class=\"IN\",type=\"TXT\",section=\"answer\",template=\"{{.Name}} TXT {{parseInt (index .Match 1) 10 8}}\"} 1\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[tokio::test]
async fn a_reply_that_depends_on_who_asks_is_for_nobody_else() {
    let reply = asked("template IN A {\n answer \"{{ .Name }} A {{ .Remote }}\"\n}", "a", RecordType::A).await.unwrap();
    assert_eq!(told(&reply), "an a. 3600 IN A c0000207\n");
    assert!(reply.personal);
}

/// Server blocks that have one address for every name, as old as this, or fail.
struct Addresses {
    age: Option<Age>,
}

impl Blocks for Addresses {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            let Some(age) = self.age else {
                return Err(Failure::NoBlock { name: query.name.to_string() });
            };
            let mut composer = contract::wire::Composer::new(&query.name, query.rtype, query.class);
            let write = |to: &mut contract::wire::Composer| to.octets(&[192, 0, 2, 9]);
            composer.record(Section::Answer, &query.name, RecordType::A, 5, write).unwrap();
            let answer = Answer::composed(composer.finish(), Rcode::NOERROR);
            Ok(Reply { age, personal: true, ..Reply::fresh(answer, Source::Plugin("test")) })
        })
    }
}

#[tokio::test]
async fn the_target_of_a_cname_is_asked_for() {
    let statement =
        "template IN ANY foogle.com {\n match \"^foogle\\.com\\.$\"\n answer \"foogle.com 60 IN CNAME Google.com\"\n}";
    let chain = [built(statement, &context())];
    let asked = query("foogle.com", RecordType::A);
    let reply = Next::new(&chain, &Addresses { age: Some(Age::Fresh(0)) }).serve(&asked).await.unwrap();
    assert_eq!(told(&reply), "an foogle.com. 60 IN CNAME google.com.\nan google.com. 5 IN A c0000209\n");
    assert!(reply.personal && reply.storable, "what was found holds for the one who asked");
    let reply = Next::new(&chain, &Addresses { age: None }).serve(&asked).await.unwrap();
    assert_eq!(told(&reply), "an foogle.com. 60 IN CNAME google.com.\n");
    assert!(!reply.storable, "half a chain is not memorised");
    let asked = query("foogle.com", RecordType::TXT);
    let reply = Next::new(&chain, &Addresses { age: Some(Age::Fresh(0)) }).serve(&asked).await.unwrap();
    assert_eq!(told(&reply), "an foogle.com. 60 IN CNAME google.com.\n");
}

#[tokio::test]
async fn what_leads_to_a_stale_answer_is_stale() {
    let chain = [built("template IN A a {\n answer \"a. 60 IN CNAME b.\"\n}", &context())];
    let blocks = Addresses { age: Some(Age::StaleWith(30)) };
    let reply = Next::new(&chain, &blocks).serve(&query("a", RecordType::A)).await.unwrap();
    assert_eq!((reply.age, reply.storable), (Age::StaleWith(30), false), "all of it is told with that TTL");
}

#[tokio::test]
async fn a_record_is_right_if_it_is_for_names_below_the_zone() {
    let statement =
        "template IN A {\n match [.]old[.]$\n answer \"{{ .Name }} 60 IN CNAME {{ .Name }}example.net.\"\n}";
    let reply = asked(statement, "www.old", RecordType::A).await.unwrap();
    assert_eq!(told(&reply), "an www.old. 60 IN CNAME www.old.example.net.\n");
    let (spec, report) = checked("template IN A . x {\n answer \"a.{{ .Zone }} 60 IN A 192.0.2.1\"\n}");
    assert!(spec.is_some(), "what is one in a zone is right: {report}");
}

#[test]
fn mistakes_have_a_place() {
    for (wrong, place, word) in [
        ("template", "Corefile:2:9: error", "a class: `IN`"),
        ("template in A", "Corefile:2:10: error", "not a class"),
        ("template IN", "Corefile:2:12: error", "a type such as"),
        ("template IN AAA", "Corefile:2:13: error", "`AAAA`?"),
        ("template IN a", "Corefile:2:13: error", "not a type"),
        ("template IN A a..b", "Corefile:2:15: error", "empty label"),
        ("template IN A {\n match\n}", "Corefile:3:7: error", "regular expression"),
        ("template IN A {\n match a(\n}", "Corefile:3:8: error", "unclosed group"),
        ("template IN A {\n answer\n}", "Corefile:3:8: error", "a record such as"),
        ("template IN A {\n answr x\n}", "Corefile:3:2: error", "`answer`?"),
        ("template IN A {\n answer \"{{ .Nmae }} A 192.0.2.1\"\n}", "Corefile:3:13: error", "`.Name`"),
        ("template IN A {\n answer \"{{ parseInt \\\"a\\\" 16 }} A\"\n}", "Corefile:3:13: error", "expected: 3"),
        ("template IN A {\n answer \"{{ .Group.x }} A 192.0.2.1\"\n}", "Corefile:3:19: error", "group `x`"),
        ("template IN A {\n answer \"a. A 192.0.2.256\"\n}", "Corefile:3:9: error", "`192.0.2.256` is not an IPv4"),
        ("template IN A {\n answer \"{{ .Name }}. A 192.0.2.1\"\n}", "Corefile:3:9: error", "label is empty"),
        ("template IN A {\n answer {{ .Name }}\n}", "Corefile:3:9: error", "does not end"),
        ("template IN A {\n rcode nxdomain\n}", "Corefile:3:8: error", "not a response code"),
        ("template IN A {\n rcode NXDOMAN\n}", "Corefile:3:8: error", "`NXDOMAIN`?"),
        ("template IN A {\n rcode NXDOMAIN x\n}", "Corefile:3:17: error", "unexpected"),
        ("template IN A {\n rcode NXDOMAIN\n rcode REFUSED\n}", "Corefile:4:2: error", "twice"),
        ("template IN A {\n ederror x\n}", "Corefile:3:10: error", "0 to 65535"),
        ("template IN A {\n ederror 1 a b\n}", "Corefile:3:14: error", "unexpected"),
        ("template IN A {\n fallthrough a..b\n}", "Corefile:3:14: error", "empty label"),
    ] {
        let (spec, report) = checked(wrong);
        assert!(spec.is_none() && report.contains(place) && report.contains(word), "{wrong}\n{report}");
    }
}

#[test]
fn what_coredns_accepts_is_accepted() {
    for statement in [
        PATTERNS,
        "template ANY ANY",
        "template ANY TXT . {\n upstream\n upstream 192.0.2.1\n}",
        "template IN NSAP-PTR 10.0.0.0/8 {\n rcode BADCOOKIE\n ederror 65535\n}",
        "template IN A a b {\n match x y\n match z\n answer \"a. A 192.0.2.1\" \"a. A 192.0.2.2\"\n fallthrough a b\n}",
        "template IN A {\n answer \"{{ .Name }} 60 IN TXT \\\"{{ .Type }}\\\"\"\n}",
    ] {
        let (spec, report) = checked(statement);
        assert!(spec.is_some() && report.is_empty(), "{statement}\n{report}");
    }
    let (spec, report) = checked("template CH TXT . {\n answer \"a. CH TXT x\"\n}");
    assert!(spec.is_some() && report.contains("Corefile:2:10: warning: questions of class CHAOS"), "{report}");
    let (spec, _) = checked(PATTERNS);
    assert_eq!(spec.unwrap().describe(), "answers by 1 template with 3 records");
}
