//! What is answered, what goes on, and how long a changed file takes to be seen.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use contract::limits;
use contract::testing::{self, ask, context, query};
use contract::wire::{Class, Flags, Name, Rcode, RecordType, Section, ede};
use contract::{BuildError, Failure, Plugin, Query, Reply, Spec, Storing, Story, What};

use crate::{Entry, HostsSpec, check};

/// The statement, alone in the server block `.`, as `check` judges it: the specification and what was reported.
fn checked(statement: &str) -> (Option<HostsSpec>, String) {
    testing::checked(statement, check)
}

/// A file of this test alone, removed when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("nearpath-hosts-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder.join("hosts"))
    }

    fn holding(text: &str) -> Self {
        let this = Self::new();
        fs::write(&this.0, text).unwrap();
        this
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.parent().unwrap());
    }
}

fn built(statement: &str) -> Arc<dyn Plugin> {
    testing::built(checked(statement), &context())
}

async fn reply(plugin: &Arc<dyn Plugin>, name: &str, rtype: RecordType) -> Option<Reply> {
    let asked = query(name, rtype);
    match ask(&[Arc::clone(plugin)], &asked).await {
        Ok(reply) => Some(reply),
        Err(failure) => {
            assert_eq!(failure, Failure::EndOfChain { name: asked.name.to_string() }, "the end of the chain");
            None
        }
    }
}

/// The RCODE and each answer's RDATA; `-` if the query went on.
async fn said(plugin: &Arc<dyn Plugin>, name: &str, rtype: RecordType) -> String {
    let Some(reply) = reply(plugin, name, rtype).await else { return "-".to_owned() };
    let message = reply.answer.message();
    assert!(message.asks(&Name::parse(name).unwrap(), rtype, Class::IN));
    let mut said = reply.answer.rcode().to_string();
    assert_eq!(message.flags() & Flags::AA != 0, reply.answer.rcode() == Rcode::NOERROR);
    for record in message.records().map(Result::unwrap) {
        assert_eq!((record.section, record.rtype), (Section::Answer, rtype), "and no SOA");
        let rdata = message.rdata(&record);
        said += &match rtype {
            RecordType::A => format!(" {}", std::net::Ipv4Addr::from(<[u8; 4]>::try_from(rdata).unwrap())),
            RecordType::AAAA => format!(" {}", std::net::Ipv6Addr::from(<[u8; 16]>::try_from(rdata).unwrap())),
            _ => format!(" {}", message.name(record.rdata).unwrap()),
        };
    }
    said
}

use RecordType as T;

const FILE: &str = "192.0.2.1 www.example.org\n\
                    192.0.2.2 www.example.org web.example.org\n\
                    2001:db8::2 six.example.org\n\
                    192.0.2.3 *.wild.example.org\n\
                    192.0.2.9 www.example.net\n";

/// `hosts FILE example.org` with these properties.
async fn cases(properties: &str, cases: &[(&str, RecordType, &str)]) {
    let file = Scratch::holding(FILE);
    let plugin = built(&format!("hosts {} example.org {{\n{properties}\n}}", file.path()));
    assert_eq!(plugin.storing(), Storing::Nothing);
    for (name, rtype, expected) in cases {
        assert_eq!(said(&plugin, name, *rtype).await, *expected, "{properties}: {name} {rtype}");
    }
}

#[tokio::test]
async fn without_fallthrough() {
    let table = [
        ("www.example.org", T::A, "NOERROR 192.0.2.1 192.0.2.2"),
        ("six.example.org", T::AAAA, "NOERROR 2001:db8::2"),
        // a known name has no other data
        ("www.example.org", T::AAAA, "NOERROR"),
        ("six.example.org", T::A, "NOERROR"),
        ("www.example.org", T::TXT, "NOERROR"),
        ("a.wild.example.org", T::A, "NOERROR 192.0.2.3"),
        ("a.wild.example.org", T::MX, "NOERROR"),
        // there is no SOA, so no NXDOMAIN either
        ("no.example.org", T::A, "SERVFAIL"),
        ("no.example.org", T::AAAA, "SERVFAIL"),
        ("no.example.org", T::TXT, "SERVFAIL"),
        ("example.org", T::SOA, "SERVFAIL"),
        ("a.b.wild.example.org", T::A, "SERVFAIL"),
        // another zone's
        ("www.example.net", T::A, "-"),
        ("example.net", T::TXT, "-"),
        (".", T::NS, "-"),
        // reverse look-ups need no zone; an unknown address goes on all the same
        ("1.2.0.192.in-addr.arpa", T::PTR, "NOERROR www.example.org."),
        ("2.2.0.192.in-addr.arpa", T::PTR, "NOERROR www.example.org. web.example.org."),
        ("8.2.0.192.in-addr.arpa", T::PTR, "-"),
        ("1.2.0.192.in-addr.arpa", T::A, "-"),
        // wildcards and names outside the zones give no reverse names
        ("3.2.0.192.in-addr.arpa", T::PTR, "-"),
        ("9.2.0.192.in-addr.arpa", T::PTR, "-"),
        // PTR is never asked of names: not NODATA, not SERVFAIL
        ("www.example.org", T::PTR, "-"),
        ("no.example.org", T::PTR, "-"),
    ];
    cases("", &table).await;
    let six = format!("2.{}8.b.d.0.1.0.0.2.ip6.arpa", "0.".repeat(23));
    cases("", &[(&six, T::PTR, "NOERROR six.example.org.")]).await;
}

#[tokio::test]
async fn with_fallthrough_unknown_names_go_on() {
    let known = [
        ("www.example.org", T::A, "NOERROR 192.0.2.1 192.0.2.2"),
        ("www.example.org", T::AAAA, "NOERROR"),
        ("www.example.org", T::TXT, "NOERROR"),
    ];
    let unknown = [("no.example.org", T::A, "-"), ("no.example.org", T::TXT, "-"), ("a.sub.example.org", T::A, "-")];
    for properties in ["fallthrough", "fallthrough .", "fallthrough example.net example.org"] {
        cases(properties, &known).await;
        cases(properties, &unknown).await;
    }
    let below = [("no.example.org", T::A, "SERVFAIL"), ("a.sub.example.org", T::A, "-")];
    cases("fallthrough sub.example.org", &below).await;
}

#[tokio::test]
async fn other_types_can_go_on_too() {
    let table = [
        ("www.example.org", T::TXT, "-"),
        ("www.example.org", T::HTTPS, "-"),
        ("www.example.org", T::AAAA, "NOERROR"),
        ("www.example.org", T::A, "NOERROR 192.0.2.1 192.0.2.2"),
        ("no.example.org", T::TXT, "-"),
    ];
    cases("fallthrough\nfallthrough_unsupported", &table).await;
    cases("fallthrough_unsupported\nfallthrough", &table).await;
    // it shares the zones of `fallthrough`
    let elsewhere = [("www.example.org", T::TXT, "NOERROR"), ("no.example.org", T::TXT, "SERVFAIL")];
    cases("fallthrough sub.example.org\nfallthrough_unsupported", &elsewhere).await;
}

#[tokio::test]
async fn lines_of_the_corefile_are_added_to_the_file() {
    let table = [
        // added, not put in its place, and each address once
        ("www.example.org", T::A, "NOERROR 192.0.2.1 192.0.2.2 192.0.2.4"),
        ("inline.example.org", T::A, "NOERROR 192.0.2.4"),
        ("4.2.0.192.in-addr.arpa", T::PTR, "NOERROR www.example.org. inline.example.org."),
        ("2.2.0.192.in-addr.arpa", T::PTR, "NOERROR www.example.org. web.example.org."),
        // a name of the Corefile is no exception to a wildcard of the file: each table is asked by itself
        ("a.wild.example.org", T::A, "NOERROR 192.0.2.3 192.0.2.5"),
        // and neither is an address of one family to a wildcard's of the other
        ("b.both.example.org", T::A, "NOERROR 192.0.2.7"),
        ("b.both.example.org", T::AAAA, "NOERROR 2001:db8::6"),
    ];
    let lines = "192.0.2.4 www.example.org inline.example.org\n192.0.2.2 www.example.org\n\
                 192.0.2.5 a.wild.example.org\n2001:db8::6 *.both.example.org\n192.0.2.7 b.both.example.org";
    cases(lines, &table).await;
}

#[tokio::test]
async fn reverse_names_can_be_left_out() {
    let table = [("1.2.0.192.in-addr.arpa", T::PTR, "-"), ("www.example.org", T::A, "NOERROR 192.0.2.1 192.0.2.2")];
    cases("no_reverse", &table).await;
}

#[tokio::test]
async fn the_client_gets_the_ttl_and_memory_a_reload_interval() {
    let file = Scratch::holding(FILE);
    // properties, TTL, lifetime of an answer, lifetime of a SERVFAIL
    for (properties, ttl, answer, failure) in [
        ("", 3600, 5_000, 5_000),
        ("ttl 30", 30, 5_000, 5_000),
        ("ttl 2", 2, 2_000, 2_000),
        ("reload 1h", 3600, 3_600_000, 5_000),
        ("reload 1.5s", 3600, 1_500, 1_500),
        ("reload 300ms", 3600, 300, 300),
        ("reload 1ms", 3600, 100, 100),
        ("reload 0s\nttl 60", 60, 60_000, 5_000),
    ] {
        let plugin = built(&format!("hosts {} {{\n{properties}\n}}", file.path()));
        for (name, rtype) in [("www.example.org", T::A), ("1.2.0.192.in-addr.arpa", T::PTR)] {
            let reply = reply(&plugin, name, rtype).await.unwrap();
            assert_eq!(reply.answer.smallest_ttl(), Some(ttl), "{properties}");
            assert_eq!(reply.true_for(), Some(Duration::from_millis(answer)), "{properties}");
        }
        let nodata = reply(&plugin, "www.example.org", T::TXT).await.unwrap();
        assert_eq!(nodata.true_for(), Some(Duration::from_millis(answer)), "{properties}");
        let unknown = reply(&plugin, "no.example.org", T::A).await.unwrap();
        assert_eq!(unknown.true_for(), Some(Duration::from_millis(failure)), "{properties}");
        assert_eq!(unknown.answer.ede().unwrap().code, ede::OTHER);
    }
}

/// Lets fake time pass until the name's address is as expected; panics after many intervals.
async fn await_address(plugin: &Arc<dyn Plugin>, name: &str, expected: &str) {
    for _ in 0..1_000 {
        if said(plugin, name, T::A).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    panic!("{name} is still {}", said(plugin, name, T::A).await);
}

#[tokio::test(start_paused = true)]
async fn a_file_is_followed_and_what_is_wrong_with_it_changes_nothing() {
    let file = Scratch::new();
    let context = context();
    let statement = format!("hosts {} {{\n192.0.2.8 inline.example.org\n}}", file.path());
    let plugin = testing::built(checked(&statement), &context);
    let help = "Looks at a hosts file that could not be taken over.";
    let labels = [("hostsfile", file.path())];
    let failures = context.metrics.counter("nearpath_hosts_reload_failures_total", help, &labels);
    let one_more_failure = async || {
        let before = failures.value();
        for _ in 0..1_000 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            if failures.value() > before {
                return;
            }
        }
        panic!("nothing is wrong with the file");
    };
    let put = |fill: &dyn Fn(&mut fs::File)| {
        // whole and at once, so that no look finds half of it
        let next = file.0.with_extension("new");
        fill(&mut fs::File::create(&next).unwrap());
        fs::rename(&next, &file.0).unwrap();
    };
    let work = tokio::spawn(Arc::clone(&plugin).run());

    // it does not exist yet
    assert_eq!(said(&plugin, "inline.example.org", T::A).await, "NOERROR 192.0.2.8");
    one_more_failure().await;
    assert_eq!(said(&plugin, "a.example.org", T::A).await, "SERVFAIL");
    // it comes
    fs::write(&file.0, "192.0.2.1 a.example.org\n").unwrap();
    await_address(&plugin, "a.example.org", "NOERROR 192.0.2.1").await;
    let text = context.metrics.text();
    assert!(text.contains(&format!("coredns_hosts_entries{{hostsfile=\"{}\"}} 4\n", file.path())), "{text}");
    assert!(!text.contains("coredns_hosts_reload_timestamp_seconds 0\n"), "{text}");
    // it changes, also by another file of the same size in its place
    fs::write(&file.0, "192.0.2.22 a.example.org\n").unwrap();
    await_address(&plugin, "a.example.org", "NOERROR 192.0.2.22").await;
    put(&|file| file.write_all(b"192.0.2.33 a.example.org\n").unwrap());
    await_address(&plugin, "a.example.org", "NOERROR 192.0.2.33").await;
    // it goes: the table stays
    fs::remove_file(&file.0).unwrap();
    one_more_failure().await;
    assert_eq!(said(&plugin, "a.example.org", T::A).await, "NOERROR 192.0.2.33");
    // it comes back too large: the table stays
    put(&|file| file.set_len(limits::HOSTS_FILE_MAX as u64 + 1).unwrap());
    one_more_failure().await;
    assert_eq!(said(&plugin, "a.example.org", T::A).await, "NOERROR 192.0.2.33");
    // it is well again
    fs::write(&file.0, "192.0.2.4 a.example.org\n").unwrap();
    await_address(&plugin, "a.example.org", "NOERROR 192.0.2.4").await;
    work.abort();
}

#[tokio::test]
async fn what_cannot_be_told_or_is_beyond_a_bound_is_an_error_at_start() {
    let large = Scratch::holding("");
    fs::OpenOptions::new().write(true).open(&large.0).unwrap().set_len(limits::HOSTS_FILE_MAX as u64 + 1).unwrap();
    for (statement, reason) in [
        (format!("hosts {}/hosts", large.path()), "Not a directory"),
        (format!("hosts {}/hosts {{\nreload 0s\n}}", large.path()), "Not a directory"),
        (format!("hosts {}", large.path()), "larger than 33554432 octets"),
    ] {
        let Err(BuildError::File { path, reason: said }) = checked(&statement).0.unwrap().build(&context()) else {
            panic!("{statement}");
        };
        assert!(said.contains(reason) && statement.contains(&path), "{statement}: {path}: {said}");
    }
    // a device that is empty is a way to have no file
    let plugin = built("hosts /dev/null {\n192.0.2.1 a.example.org\n}");
    assert_eq!(said(&plugin, "a.example.org", T::A).await, "NOERROR 192.0.2.1");
}

#[tokio::test]
async fn without_a_file_that_can_be_read_the_lines_of_the_corefile_are_answered() {
    let missing = Scratch::new();
    let folder = missing.0.parent().unwrap().to_str().unwrap();
    for path in [missing.path(), folder] {
        for reload in ["", "reload 0s", "reload 1m"] {
            let plugin = built(&format!("hosts {path} {{\n192.0.2.1 a.example.org\n{reload}\n}}"));
            assert_eq!(said(&plugin, "a.example.org", T::A).await, "NOERROR 192.0.2.1", "{path} {reload}");
            assert_eq!(said(&plugin, "b.example.org", T::A).await, "SERVFAIL", "{path} {reload}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_comes_in_the_place_of_a_folder_is_read_if_it_is_looked_at_again() {
    for (reload, expected) in [("reload 100ms", "NOERROR 192.0.2.2"), ("reload 0s", "SERVFAIL")] {
        let place = Scratch::new();
        fs::create_dir(&place.0).unwrap();
        let plugin = built(&format!("hosts {} {{\n{reload}\n}}", place.path()));
        let work = tokio::spawn(Arc::clone(&plugin).run());
        fs::remove_dir(&place.0).unwrap();
        fs::write(&place.0, "192.0.2.2 b.example.org\n").unwrap();
        match reload {
            "reload 0s" => work.await.unwrap(), // there is nothing to do
            _ => {
                await_address(&plugin, "b.example.org", expected).await;
                work.abort();
            }
        }
        assert_eq!(said(&plugin, "b.example.org", T::A).await, expected);
    }
}

#[tokio::test]
async fn a_reply_holds_as_many_records_as_fit() {
    let long = "x".repeat(59);
    let line = |index: usize| format!("192.0.2.1 {index}.{long}{index}.{long}{index:04}.example.org\n");
    let file = Scratch::holding(&(0..limits::HOSTS_RECORDS_MAX + 9).map(line).collect::<String>());
    let plugin = built(&format!("hosts {}", file.path()));
    let reply = reply(&plugin, "1.2.0.192.in-addr.arpa", T::PTR).await.unwrap();
    let count = reply.answer.message().section(Section::Answer).count();
    assert!(count > 300 && count < limits::HOSTS_RECORDS_MAX, "{count}");
}

#[test]
fn every_property_is_read() {
    let (spec, report) = checked(
        "hosts example.hosts Example.ORG 10.0.0.0/8 {\n\
         192.0.2.1 a.example.org B.example.org\nfe80::1%eth0 c.example.org\n\
         ttl 60\nreload 2m\nno_reverse\nfallthrough 10.0.0.0/8 x.example.org\nfallthrough_unsupported\n}",
    );
    let names = |names: &[&str]| names.iter().map(|name| Name::parse(name).unwrap()).collect::<Vec<_>>();
    let expected = HostsSpec {
        file: Some("example.hosts".into()),
        place: "Corefile:2:7".to_owned(),
        zones: names(&["example.org", "10.in-addr.arpa"]),
        inline: vec![
            Entry { address: "192.0.2.1".parse().unwrap(), names: names(&["a.example.org", "b.example.org"]) },
            Entry { address: "fe80::1".parse().unwrap(), names: names(&["c.example.org"]) },
        ],
        ttl: 60,
        reverse: false,
        reload: Some(Duration::from_secs(120)),
        fallthrough: names(&["10.in-addr.arpa", "x.example.org"]),
        fallthrough_unsupported: true,
    };
    assert_eq!(spec, Some(expected), "{report}");
    let (spec, report) = checked("hosts");
    let spec = spec.unwrap();
    assert_eq!(spec.place, "Corefile:2:1");
    assert!(report.is_empty() && spec.file.is_none() && spec.fallthrough.is_empty() && spec.zones == [Name::root()]);
    assert!(spec.reverse && spec.ttl == 3600 && spec.reload == Some(Duration::from_secs(5)));
}

#[test]
fn mistakes_have_a_place_and_a_nearest_word() {
    for (wrong, place, word) in [
        ("hosts f a..b", "Corefile:2:9: error", "empty label"),
        ("hosts {\nttl\n}", "Corefile:3:4: error", "1 to 65535"),
        ("hosts {\nttl 0\n}", "Corefile:3:5: error", "at least 1"),
        ("hosts {\nttl 65536\n}", "Corefile:3:5: error", "at most 65535"),
        ("hosts {\nttl 5s\n}", "Corefile:3:5: error", "1 to 65535"),
        ("hosts {\nttl 5 6\n}", "Corefile:3:7: error", "no more arguments"),
        ("hosts {\nreload\n}", "Corefile:3:7: error", "`5s`"),
        ("hosts {\nreload 5\n}", "Corefile:3:8: error", "`5s`"),
        ("hosts {\nreload -5s\n}", "Corefile:3:8: error", "negative"),
        ("hosts {\nno_reverse x\n}", "Corefile:3:12: error", "no more arguments"),
        ("hosts {\nfallthrough\nfallthrough_unsupported x\n}", "Corefile:4:25: error", "no more arguments"),
        ("hosts {\nfallthrough_unsupported\n}", "Corefile:3:1: error", "add `fallthrough`"),
        ("hosts {\nfalthrough\n}", "Corefile:3:1: error", "`fallthrough`?"),
        ("hosts {\nwww.example.org 192.0.2.1\n}", "Corefile:3:1: error", "`192.0.2.1 www.example.org`"),
        ("hosts {\nfallthrough\n192.0.2.1 a\n}", "Corefile:4:1: error", "before `fallthrough`"),
        ("hosts {\n192.0.2.1 a b..c\n}", "Corefile:3:13: error", "a domain name"),
        ("hosts {\nttl 5 {\nx\n}\n}", "Corefile:4:1: error", "no properties"),
    ] {
        let (spec, report) = checked(wrong);
        assert!(spec.is_none() && report.contains(place) && report.contains(word), "{wrong}\n{report}");
    }
    for (useless, place, word) in [
        ("hosts f example.org {\n192.0.2.1 a.example.net\n}", "Corefile:3:11: warning", "none of the zones"),
        ("hosts {\n192.0.2.1\n}", "Corefile:3:1: warning", "no name"),
        ("hosts {\nreload 1ms\n}", "Corefile:3:8: warning", "100 ms"),
    ] {
        let (spec, report) = checked(useless);
        assert!(spec.is_some() && report.contains(place) && report.contains(word), "{useless}\n{report}");
    }
}

/// What a question tells of this directive.
async fn told(plugin: &Arc<dyn Plugin>, name: &str, rtype: RecordType) -> String {
    let story = Arc::new(Story::begin());
    let asked = Query { story: Some(Arc::clone(&story)), ..query(name, rtype) };
    let _ = ask(&[Arc::clone(plugin)], &asked).await;
    let (steps, _) = story.steps();
    let [step] = &steps[..] else { panic!("one step: {steps:?}") };
    let What::Plugin { name: "hosts", text } = &step.what else { panic!("{step:?}") };
    text.clone().into_owned()
}

#[tokio::test]
async fn the_line_that_an_answer_stands_in_is_told() {
    let file = Scratch::holding("# first\n192.0.2.1 a.example\n192.0.2.2 *.w.example a.example\n");
    let path = file.path();
    let plugin =
        built(&format!("hosts {path} example {{\n192.0.2.3 b.example\n192.0.2.4 a.example\nfallthrough w.example\n}}"));
    for (name, rtype, expected) in [
        ("a.example", RecordType::A, format!("listed in {path} line 2, and in the Corefile")),
        ("a.example", RecordType::AAAA, format!("listed in {path} line 2, and in the Corefile")),
        ("x.w.example", RecordType::A, format!("listed in {path} line 3")),
        ("b.example", RecordType::A, "listed in the Corefile".to_owned()),
        ("c.example", RecordType::A, "not listed, and no fallthrough".to_owned()),
        ("y.x.w.example", RecordType::A, "not listed: handed on".to_owned()),
        // the line of the first name of the address
        ("2.2.0.192.in-addr.arpa", RecordType::PTR, format!("listed in {path} line 2")),
        ("3.2.0.192.in-addr.arpa", RecordType::PTR, "listed in the Corefile".to_owned()),
    ] {
        assert_eq!(told(&plugin, name, rtype).await, expected, "{name} {rtype}");
    }
}
