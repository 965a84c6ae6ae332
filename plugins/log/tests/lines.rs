//! Given a `log` and a query with its reply, when the reply went out, then the log says what CoreDNS's would.

#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::metrics::Metrics;
use contract::testing;
use contract::wire::{Class, Composer, EdnsView, Flags, Name, Rcode, RecordType, Section};
use contract::{Client, Context, Event, Observer as _, Plugin as _, Transport, limits};
use query_log::{LogSpec, QueryLog};
use tracing::field::{Field, Visit};
use tracing::span;

/// Keeps what is logged: level, target, message.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl Visit for Kept {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        assert_eq!(field.name(), "message");
        self.0.lock().unwrap().last_mut().unwrap().push_str(&format!("{value:?}"));
    }
}

impl tracing::Subscriber for Kept {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let metadata = event.metadata();
        self.0.lock().unwrap().push(format!("[{}] {} ", metadata.level(), metadata.target()));
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Kept {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn spec(lines: &str) -> LogSpec {
    let (specs, _) = testing::all_checked(lines, &[], query_log::check);
    specs.into_iter().flatten().reduce(LogSpec::then).unwrap()
}

fn plugin(lines: &str, metrics: &Arc<Metrics>) -> Arc<QueryLog> {
    let context = Context { metrics: Arc::clone(metrics), ..testing::context() };
    Arc::new(QueryLog::new(spec(lines).rules, &context))
}

/// A query with its reply, as one of CoreDNS's examples has it.
struct Example {
    client: &'static str,
    local: &'static str,
    transport: Transport,
    name: &'static str,
    rtype: RecordType,
    class: Class,
    edns: Option<EdnsView>,
    rcode: Rcode,
    flags: u16,
    answers: u8,
    took: Duration,
    replied: bool,
}

impl Default for Example {
    fn default() -> Self {
        Self {
            client: "127.0.0.1:50759",
            local: "127.0.0.1:53",
            transport: Transport::Udp,
            name: "example.org",
            rtype: RecordType::A,
            class: Class::IN,
            edns: Some(EdnsView { udp_size: 4096, version: 0, dnssec_ok: false, nsid: false }),
            rcode: Rcode::NOERROR,
            flags: Flags::RD | Flags::AD,
            answers: 1,
            took: Duration::from_nanos(37_990_251),
            replied: true,
        }
    }
}

impl Example {
    fn shown_to(&self, log: &QueryLog) {
        let name = Name::parse(self.name).unwrap();
        let mut composer = Composer::new(&name, self.rtype, self.class);
        composer.rcode(self.rcode).flags(self.flags);
        for _ in 0..self.answers {
            let octets = Ipv4Addr::LOCALHOST.octets();
            composer.record(Section::Answer, &name, RecordType::A, 60, |to| to.octets(&octets)).unwrap();
        }
        let reply = if self.replied { composer.finish().wire } else { Vec::new() };
        log.replied(&Event {
            client: Client {
                address: self.client.parse().unwrap(),
                local: self.local.parse().unwrap(),
                transport: self.transport,
            },
            header: (29_008, Flags::RD | Flags::AD),
            name: name.as_wire(),
            question: (self.rtype, self.class),
            edns: self.edns,
            query_len: 41,
            reply: &reply,
            upstream: None,
            failure: None,
            took: self.took,
        });
    }
}

/// What is logged for the examples; the writer runs until it has nothing to do.
fn logged(lines: &str, examples: &[Example]) -> Vec<String> {
    let kept = Kept::default();
    let _guard = tracing::subscriber::set_default(kept.clone());
    let log = plugin(lines, &Arc::default());
    examples.iter().for_each(|example| example.shown_to(&log));
    drop(log);
    kept.take()
}

fn line(format: &str, example: Example) -> String {
    let mut lines = logged(&format!("log . \"{format}\""), &[example]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0).strip_prefix("[INFO] log ").unwrap().to_owned()
}

#[test]
fn the_common_format_is_coredns_own() {
    assert_eq!(
        logged("log", &[Example::default()]),
        [
            "[INFO] log 127.0.0.1:50759 - 29008 \"A IN example.org. udp 41 false 4096\" NOERROR qr,rd,ra,ad 45 0.037990251s"
        ]
    );
    let over_six = Example { client: "[::1]:50759", ..Example::default() };
    assert!(line("{common}", over_six).starts_with("[::1]:50759 - 29008 "));
    assert!(line("{combined}", Example::default()).ends_with("0.037990251s \"0\""));
}

#[test]
fn every_placeholder_has_its_value() {
    let edns = |udp_size, dnssec_ok| Some(EdnsView { udp_size, version: 0, dnssec_ok, nsid: false });
    let example = Example::default;
    for (format, example, expected) in [
        ("{type}", example(), "A"),
        ("{type}", Example { rtype: RecordType(65_280), ..example() }, "TYPE65280"),
        ("{name}", example(), "example.org."),
        ("{name}", Example { name: ".", ..example() }, "."),
        ("{name}", Example { name: r"a\010b.org", ..example() }, r"a\010b.org."),
        ("{class}", example(), "IN"),
        ("{class}", Example { class: Class::CH, ..example() }, "CH"),
        ("{proto}", example(), "udp"),
        ("{proto}", Example { transport: Transport::Tcp, ..example() }, "tcp"),
        ("{proto}", Example { transport: Transport::Tls, ..example() }, "tls"),
        ("{remote}", Example { client: "[::ffff:10.0.0.1]:9", ..example() }, "10.0.0.1"),
        ("{remote}", Example { client: "[fd00::1]:9", ..example() }, "[fd00::1]"),
        ("{local}", Example { local: "169.254.20.10:53", ..example() }, "169.254.20.10"),
        ("{local}", Example { local: "[fd00::a]:53", ..example() }, "[fd00::a]"),
        ("{size}", example(), "41"),
        ("{port}", example(), "50759"),
        ("{duration}", Example { took: Duration::ZERO, ..example() }, "0s"),
        ("{duration}", Example { took: Duration::from_nanos(250), ..example() }, "0.00000025s"),
        ("{duration}", Example { took: Duration::from_millis(1_500), ..example() }, "1.5s"),
        ("{rcode}", Example { rcode: Rcode::NXDOMAIN, ..example() }, "NXDOMAIN"),
        ("{rcode}", Example { rcode: Rcode(11), ..example() }, "11"),
        ("{rcode}", Example { replied: false, ..example() }, "-"),
        ("{rsize}", example(), "45"),
        ("{rsize}", Example { replied: false, ..example() }, "0"),
        ("{>rflags}", Example { flags: Flags::AA | Flags::TC | Flags::CD | 0x40, ..example() }, "qr,aa,tc,ra,z,cd"),
        ("{>rflags}", Example { replied: false, ..example() }, "-"),
        ("{>bufsize}", Example { edns: None, ..example() }, "512"),
        ("{>bufsize}", Example { edns: edns(100, false), ..example() }, "512"),
        ("{>bufsize}", Example { edns: edns(1_232, false), ..example() }, "1232"),
        ("{>bufsize}", Example { transport: Transport::Tcp, ..example() }, "65535"),
        ("{>do}", Example { edns: edns(1_232, true), ..example() }, "true"),
        ("{>do}", Example { edns: None, ..example() }, "false"),
        ("{>id}", example(), "29008"),
        ("{>opcode}", example(), "0"),
        ("{/log/class} {/log/type}", Example { rcode: Rcode::NXDOMAIN, answers: 0, ..example() }, "denial NXDOMAIN"),
        ("{/log/class} {/log/type}", example(), "success NOERROR"),
    ] {
        assert_eq!(line(format, example), expected, "{format}");
    }
}

#[test]
fn the_first_rule_that_encloses_the_name_decides() {
    let names = |lines: &str| {
        let examples =
            ["a.example.org", "example.org", "example.com"].map(|name| Example { name, ..Example::default() });
        logged(lines, &examples)
    };
    assert_eq!(names("log . {name}").len(), 3);
    assert_eq!(names("log example.org {name}"), ["[INFO] log a.example.org.", "[INFO] log example.org."]);
    assert_eq!(
        names("log a.example.org one-{name}\nlog example.org example.com two-{name}"),
        ["[INFO] log one-a.example.org.", "[INFO] log two-example.org.", "[INFO] log two-example.com."]
    );
    assert_eq!(names("log example.org {name} {\n class error\n}\nlog . {name}"), ["[INFO] log example.com."]);
}

#[test]
fn only_the_classes_asked_for_are_logged() {
    let rcodes = |classes: &str| {
        let denial = Example { rcode: Rcode::NXDOMAIN, answers: 0, ..Example::default() };
        let error = Example { rcode: Rcode::SERVFAIL, answers: 0, ..Example::default() };
        let silence = Example { replied: false, ..Example::default() };
        let lines =
            logged(&format!("log . {{rcode}} {{\n class {classes}\n}}"), &[Example::default(), denial, error, silence]);
        lines.iter().map(|line| line.trim_start_matches("[INFO] log ").to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(rcodes("success"), "NOERROR");
    assert_eq!(rcodes("denial"), "NXDOMAIN");
    assert_eq!(rcodes("error"), "SERVFAIL -");
    assert_eq!(rcodes("denial success"), "NOERROR NXDOMAIN");
    assert_eq!(rcodes("all"), "NOERROR NXDOMAIN SERVFAIL -");
}

#[test]
fn lines_over_the_bound_are_dropped_and_counted() {
    let metrics: Arc<Metrics> = Arc::default();
    let log = plugin("log . {name}", &metrics);
    for _ in 0..limits::LOG_LINES_MAX + 7 {
        Example::default().shown_to(&log);
    }
    let counted = metrics.text();
    assert!(counted.contains("nearpath_log_dropped_lines_total{server=\"dns://.:53\"} 7\n"), "{counted}");
}

#[tokio::test(start_paused = true)]
async fn the_writer_writes_beside_the_queries() {
    let kept = Kept::default();
    let _guard = tracing::subscriber::set_default(kept.clone());
    let log = plugin("log . {name}", &Arc::default());
    let writer = tokio::spawn(log.clone().run());
    for _ in 0..1_000 {
        Example::default().shown_to(&log);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(kept.take(), vec!["[INFO] log example.org."; 1_000]);
    writer.abort();
}
