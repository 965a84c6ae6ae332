//! The directive before a collector that the test plays: what arrives, and what becomes of spans that nobody takes.

use std::sync::Arc;
use std::time::Duration;

use contract::testing::{built, checked, context, query};
use contract::wire::{Rcode, RecordType};
use contract::{Context, Failure, Plugin, Query, Story, What};
use prost::Message;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Generous: nothing here depends on it but the end of a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request to a collector, as far as it is looked at here.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
}

/// One request: its head, and its body. Answered with this status.
async fn receive(listener: &TcpListener, status: &str) -> (String, Export) {
    let exchange = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let (head, body) = read(&mut stream).await;
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.expect("it reads");
        (head, Export::decode(&body[..]).expect("OTLP in protobuf"))
    };
    tokio::time::timeout(PATIENCE, exchange).await.expect("a request comes")
}

async fn read(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a whole head"));
    }
    let head = String::from_utf8(head).expect("a head in ASCII").to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.expect("a body with a length");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("a whole body");
    (head, body)
}

fn spans(export: &Export) -> Vec<Span> {
    let scopes = export.resources.iter().flat_map(|resource| &resource.scopes);
    scopes.flat_map(|scope| scope.spans.clone()).collect()
}

struct Running {
    plugin: Arc<dyn Plugin>,
    work: JoinHandle<()>,
}

fn start(text: &str, context: &Context) -> Running {
    let plugin = built(checked(text, trace::check), context);
    let work = tokio::spawn(Arc::clone(&plugin).run());
    Running { plugin, work }
}

impl Running {
    /// A miss with a step.
    fn misses(&self) {
        let tracer = self.plugin.tracer().expect("it is told");
        if !tracer.wants() {
            return;
        }
        let story = Arc::new(Story::begin());
        let query = Query { story: Some(Arc::clone(&story)), ..query("www.example.com", RecordType::A) };
        query.tell(|| What::Block { zones: ".".to_owned() });
        let failed = Err(Failure::NotReady { what: "forward" });
        tracer.told(&query, &story, &failed, Rcode::SERVFAIL);
    }

    async fn end(self) {
        self.work.abort();
        let _ = self.work.await;
    }
}

/// Spans sent and dropped.
fn counts(context: &Context) -> [u64; 2] {
    let page = context.metrics.text();
    ["nearpath_trace_spans_sent_total{", "nearpath_trace_spans_dropped_total{"].map(|name| {
        let lines = page.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok()).expect("a count")).sum()
    })
}

async fn until(what: impl Fn() -> bool) {
    let waiting = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it comes about");
}

#[tokio::test]
async fn a_collector_is_sent_whole_stories_under_the_services_name() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, context) = (listener.local_addr().unwrap(), context());
    let running = start(
        &format!(
            "trace otlp http://{at} {{\n service pods\n zipkin_max_batch_interval 1h\n zipkin_max_batch_size 4\n}}"
        ),
        &context,
    );
    running.misses();
    running.misses();
    let (head, export) = receive(&listener, "200 OK").await;
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(
        head.contains(&format!("host: {at}\r\n")) && head.contains("content-type: application/x-protobuf\r\n"),
        "{head}"
    );
    let resource = export.resources[0].resource.clone().unwrap();
    let service = resource.attributes.into_iter().find(|attribute| attribute.key == "service.name").unwrap();
    assert_eq!(service.value.unwrap().text.as_deref(), Some("pods"));
    let spans = spans(&export);
    assert_eq!(spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["query", "block", "query", "block"]);
    assert!(spans[0].parent.is_empty() && spans[1].parent == spans[0].id && spans[3].parent == spans[2].id);
    until(|| counts(&context) == [4, 0]).await;
    running.end().await;
}

#[tokio::test]
async fn one_of_so_many_misses_is_traced() {
    let context = context();
    let running = start("trace otlp 127.0.0.1:1 {\n every 10\n}", &context);
    let tracer = running.plugin.tracer().unwrap();
    assert_eq!((0..1_000).filter(|_| tracer.wants()).count(), 100);
    running.end().await;
}

#[tokio::test]
async fn spans_that_nobody_takes_are_dropped_and_counted_until_the_collector_is_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, context) = (listener.local_addr().unwrap(), context());
    let running = start(&format!("trace otlp {at} {{\n zipkin_max_batch_interval 1ms\n}}"), &context);
    running.misses();
    let (_, export) = receive(&listener, "503 Service Unavailable").await;
    assert_eq!(spans(&export).len(), 2);
    until(|| counts(&context) == [0, 2]).await;
    running.misses();
    receive(&listener, "200 OK").await;
    until(|| counts(&context) == [2, 2]).await;
    running.end().await;
}

#[tokio::test]
async fn a_full_backlog_drops_and_holds_up_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, context) = (listener.local_addr().unwrap(), context());
    let text = format!("trace otlp {at} {{\n zipkin_max_backlog_size 100\n zipkin_max_batch_size 100\n}}");
    let plugin = built(checked(&text, trace::check), &context);
    let running = Running { plugin, work: tokio::spawn(async {}) };
    for _ in 0..80 {
        running.misses();
    }
    assert_eq!(counts(&context), [0, 60], "50 stories of two spans fit");
    let work = tokio::spawn(Arc::clone(&running.plugin).run());
    assert_eq!(spans(&receive(&listener, "200 OK").await.1).len(), 100);
    work.abort();
}

#[tokio::test]
async fn a_reload_keeps_what_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, context) = (listener.local_addr().unwrap(), context());
    let text = format!("trace otlp {at} {{\n zipkin_max_batch_size 4\n zipkin_max_batch_interval 1h\n}}");
    let old = start(&text, &context);
    old.misses();
    until(|| !old.work.is_finished()).await;
    tokio::task::yield_now().await; // the old work has taken it out of the queue
    let plugin = built(checked(&text, trace::check), &context);
    old.end().await;
    let new = Running { work: tokio::spawn(Arc::clone(&plugin).run()), plugin };
    new.misses();
    assert_eq!(spans(&receive(&listener, "200 OK").await.1).len(), 4);
    new.end().await;
}
