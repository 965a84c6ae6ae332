//! The directive before a sink that the test plays: what arrives, in which order, and what becomes of it when nobody reads.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use contract::testing::{built, checked, client, context};
use contract::wire::{Class, Name, Rcode, RecordType};
use contract::{Client, Context, Forwarded, Plugin, Sighting, Transport, Way};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// Generous: nothing here depends on it but the end of a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

const READY: u32 = 4;
const ACCEPT: u32 = 1;
const START: u32 = 2;
const STOP: u32 = 3;

/// A socket's path that goes with the test.
struct Path(PathBuf);

impl Path {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("nearpath-dnstap-{}-{name}", std::process::id())))
    }

    fn listen(&self) -> UnixListener {
        let _ = std::fs::remove_file(&self.0);
        UnixListener::bind(&self.0).expect("the folder for temporary files can be written")
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A frame as a sink sees it.
#[derive(Debug, PartialEq)]
enum Seen {
    Control(u32),
    Data(Vec<u8>),
    End,
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Seen {
    let reading = async {
        let Ok(length) = stream.read_u32().await else { return Seen::End };
        let is_control = length == 0;
        let length = if is_control { stream.read_u32().await.expect("a whole frame") } else { length };
        let mut octets = vec![0; length as usize];
        if stream.read_exact(&mut octets).await.is_err() {
            return Seen::End;
        }
        match is_control {
            true => Seen::Control(u32::from_be_bytes(octets[..4].try_into().expect("four octets"))),
            false => Seen::Data(octets),
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("a frame comes")
}

/// The sink's part of the handshake.
async fn open(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    assert_eq!(read(stream).await, Seen::Control(READY));
    let content = b"protobuf:dnstap.Dnstap";
    let body = [&ACCEPT.to_be_bytes()[..], &1_u32.to_be_bytes(), &22_u32.to_be_bytes(), content].concat();
    let frame = [&[0; 4][..], &u32::try_from(body.len()).expect("a short frame").to_be_bytes(), &body].concat();
    stream.write_all(&frame).await.expect("it reads");
    assert_eq!(read(stream).await, Seen::Control(START));
}

async fn accept(listener: &UnixListener) -> UnixStream {
    let (mut stream, _) =
        tokio::time::timeout(PATIENCE, listener.accept()).await.expect("it connects").expect("a connection");
    open(&mut stream).await;
    stream
}

/// A plugin, and its work under way.
struct Running {
    plugin: Arc<dyn Plugin>,
    work: JoinHandle<()>,
}

fn start(text: &str, context: &Context) -> Running {
    let plugin = built(checked(text, dnstap::check), context);
    let work = tokio::spawn(Arc::clone(&plugin).run());
    Running { plugin, work }
}

impl Running {
    fn saw(&self, name: &str, weight: u32) {
        let name = Name::parse(name).expect("a name");
        let sighting = Sighting {
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250),
            took: Duration::from_millis(50),
            client: client("192.0.2.7"),
            name: name.as_wire(),
            question: (RecordType::A, Class::IN),
            rcode: Rcode::NOERROR,
            way: Way::Hit,
            query: b"the question",
            reply: b"the reply",
            weight,
        };
        self.plugin.witness().expect("it looks on").seen(&sighting);
    }

    async fn end(self) {
        self.work.abort();
        let _ = self.work.await;
    }
}

fn counts(context: &Context) -> (u64, u64) {
    let page = context.metrics.text();
    let sum = |name: &str| {
        let lines = page.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok()).expect("a count")).sum()
    };
    (sum("nearpath_dnstap_sent_total"), sum("nearpath_dnstap_dropped_total"))
}

/// Reads a protobuf message: field numbers with their values, nested ones and octets as they are.
fn fields(mut octets: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut fields = Vec::new();
    while !octets.is_empty() {
        let key = varint(&mut octets);
        let value = match key & 7 {
            0 => Value::Number(varint(&mut octets)),
            2 => {
                let length = usize::try_from(varint(&mut octets)).expect("a length");
                let (value, rest) = octets.split_at(length);
                octets = rest;
                Value::Octets(value)
            }
            5 => {
                let (value, rest) = octets.split_first_chunk().expect("four octets");
                octets = rest;
                Value::Number(u32::from_le_bytes(*value).into())
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

fn varint(octets: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = octets.split_first().expect("an octet");
        *octets = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    number
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value<'v> {
    Number(u64),
    Octets(&'v [u8]),
}

fn field<'v>(fields: &[(u64, Value<'v>)], number: u64) -> Option<Value<'v>> {
    fields.iter().find(|(found, _)| *found == number).map(|(_, value)| *value)
}

fn kind_of(frame: &Seen) -> u64 {
    let Seen::Data(octets) = frame else { panic!("{frame:?}") };
    let Some(Value::Octets(message)) = field(&fields(octets), 14) else { panic!("no message") };
    let Some(Value::Number(kind)) = field(&fields(message), 1) else { panic!("no type") };
    kind
}

#[tokio::test]
async fn a_query_is_two_messages_with_all_that_is_known_of_it() {
    use Value::{Number, Octets};
    let path = Path::new("fields");
    let listener = path.listen();
    let context = context();
    let text = format!("dnstap {} full {{\n identity node-7\n version one\n extra rack-3\n}}", path.0.display());
    let running = start(&text, &context);
    assert!(running.plugin.witness().unwrap().wants_messages());
    let mut sink = accept(&listener).await;
    running.saw("www.example.com", 1);
    for (kind, wire, has_response) in [(5, (10, &b"the question"[..]), false), (6, (14, b"the reply"), true)] {
        let Seen::Data(frame) = read(&mut sink).await else { panic!("a data frame") };
        let outer = fields(&frame);
        let said = [1, 2, 3, 15].map(|number| field(&outer, number).unwrap());
        assert_eq!(said, [Octets(b"node-7"), Octets(b"one"), Octets(b"rack-3"), Number(1)]);
        let Some(Octets(message)) = field(&outer, 14) else { panic!("no message") };
        let inner = fields(message);
        let who = [1, 2, 3, 4, 5, 6, 7].map(|number| field(&inner, number).unwrap());
        let (address, local) = (Octets(&[192, 0, 2, 7]), Octets(&[127, 0, 0, 1]));
        assert_eq!(who, [Number(kind), Number(1), Number(1), address, local, Number(40_212), Number(53)]);
        let asked = [8, 9].map(|number| field(&inner, number).unwrap());
        assert_eq!(asked, [Number(1_700_000_000), Number(200_000_000)]);
        assert_eq!(field(&inner, wire.0), Some(Octets(wire.1)));
        let told = [12, 13].map(|number| field(&inner, number));
        let at = [Some(Number(1_700_000_000)), Some(Number(250_000_000))];
        assert_eq!(told, if has_response { at } else { [None, None] });
    }
    running.end().await;
}

#[tokio::test]
async fn forwarded_messages_name_the_upstream_and_whom_they_are_for() {
    use Value::{Number, Octets};
    let path = Path::new("forwarded");
    let listener = path.listen();
    let running = start(&format!("dnstap {}", path.0.display()), &context());
    assert!(!running.plugin.witness().unwrap().wants_messages());
    let mut sink = accept(&listener).await;
    let wiretap = Arc::clone(&running.plugin).wiretap().unwrap();
    let upstream: SocketAddr = "[2001:db8::53]:853".parse().unwrap();
    let whom = Client { transport: Transport::Tcp, ..client("192.0.2.9") };
    let mut message = Forwarded { upstream, protocol: "tls", client: whom, message: b"octets", answered_after: None };
    wiretap.forwarded(&message);
    message.answered_after = Some(Duration::from_millis(3));
    wiretap.forwarded(&message);
    let mut asked = Vec::new();
    for kind in [7, 8] {
        let Seen::Data(frame) = read(&mut sink).await else { panic!("a data frame") };
        let outer = fields(&frame);
        let Some(Octets(message)) = field(&outer, 14) else { panic!("no message") };
        let inner = fields(message);
        let who = [1, 2, 3, 4, 7].map(|number| field(&inner, number).unwrap());
        assert_eq!(who, [Number(kind), Number(2), Number(3), Octets(&[192, 0, 2, 9]), Number(853)]);
        assert_eq!(field(&inner, 5), Some(Octets(&"2001:db8::53".parse::<std::net::Ipv6Addr>().unwrap().octets())));
        assert_eq!((field(&inner, 10), field(&inner, 14)), (None, None), "not without `full`");
        let has_response = field(&inner, 12).is_some() && field(&inner, 13).is_some();
        assert_eq!(has_response, kind == 8);
        asked.push([field(&inner, 8), field(&inner, 9)].map(|time| matches!(time, Some(Number(_)))));
    }
    assert_eq!(asked, [[true, true], [true, true]]);
    running.end().await;
}

#[tokio::test]
async fn what_was_not_shown_counts_as_dropped() {
    let path = Path::new("weight");
    let listener = path.listen();
    let context = context();
    let running = start(&format!("dnstap {}", path.0.display()), &context);
    let mut sink = accept(&listener).await;
    running.saw("www.example.com", 10);
    assert_eq!((kind_of(&read(&mut sink).await), kind_of(&read(&mut sink).await)), (5, 6));
    assert_eq!(counts(&context).1, 18, "nine queries with a question and a reply each");
    running.end().await;
}

#[tokio::test]
async fn messages_wait_for_a_sink_that_comes_later_and_for_one_that_comes_back() {
    let path = Path::new("back");
    let context = context();
    let running = start(&format!("dnstap {}", path.0.display()), &context);
    running.saw("www.example.com", 1);
    let listener = path.listen();
    let mut sink = accept(&listener).await;
    assert_eq!((kind_of(&read(&mut sink).await), kind_of(&read(&mut sink).await)), (5, 6));
    drop(sink);
    let mut sink = accept(&listener).await;
    running.saw("www.example.com", 1);
    assert_eq!((kind_of(&read(&mut sink).await), kind_of(&read(&mut sink).await)), (5, 6));
    assert_eq!(counts(&context), (4, 0));
    running.end().await;
}

#[tokio::test]
async fn a_queue_that_nobody_empties_drops_and_counts_and_holds_up_nobody() {
    let path = Path::new("full");
    let context = context();
    let running = start(&format!("dnstap {}", path.0.display()), &context);
    for _ in 0..6_000 {
        running.saw("www.example.com", 1);
    }
    assert_eq!(counts(&context), (0, 2_000), "10,000 of 12,000 messages fit");
    let listener = path.listen();
    let mut sink = accept(&listener).await;
    for _ in 0..10_000 {
        assert!(matches!(read(&mut sink).await, Seen::Data(_)));
    }
    running.end().await;
}

#[tokio::test]
async fn long_messages_are_bounded_by_their_octets() {
    let path = Path::new("octets");
    let context = context();
    let running = start(&format!("dnstap {} full", path.0.display()), &context);
    let wiretap = Arc::clone(&running.plugin).wiretap().unwrap();
    let (upstream, message) = ("192.0.2.53:53".parse().unwrap(), vec![0; 65_535]);
    for _ in 0..1_000 {
        let message = &message;
        wiretap.forwarded(&Forwarded {
            upstream,
            protocol: "tcp",
            client: client("192.0.2.9"),
            message,
            answered_after: None,
        });
    }
    let fit = contract::limits::DNSTAP_QUEUE_OCTETS_MAX as u64 / 65_535;
    let dropped = counts(&context).1;
    assert!((1_000 - fit..1_000 - fit + 5).contains(&dropped), "{dropped}");
    running.end().await;
}

#[tokio::test]
async fn a_reload_keeps_the_connection_of_an_endpoint_that_stays() {
    let path = Path::new("reload");
    let listener = path.listen();
    let context = context();
    let text = format!("dnstap {}", path.0.display());
    let old = start(&text, &context);
    let mut sink = accept(&listener).await;
    old.saw("www.example.com", 1);
    let new = built(checked(&format!("{text} full"), dnstap::check), &context);
    old.end().await; // the old work ends, then the new begins
    let new = Running { work: tokio::spawn(Arc::clone(&new).run()), plugin: new };
    new.saw("www.example.com", 1);
    let kinds = [read(&mut sink).await, read(&mut sink).await, read(&mut sink).await, read(&mut sink).await];
    assert_eq!(kinds.map(|frame| kind_of(&frame)), [5, 6, 5, 6]);
    let none = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(none.is_err(), "no second connection");
    new.end().await;
}

#[tokio::test]
async fn the_last_messages_go_out_and_then_the_sink_is_told_that_they_are_all() {
    let path = Path::new("last");
    let listener = path.listen();
    let context = context();
    let running = start(&format!("dnstap {}", path.0.display()), &context);
    let mut sink = accept(&listener).await;
    running.work.abort();
    while !running.work.is_finished() {
        tokio::task::yield_now().await;
    }
    running.saw("www.example.com", 1);
    running.end().await;
    let frames = [read(&mut sink).await, read(&mut sink).await];
    assert_eq!(frames.map(|frame| kind_of(&frame)), [5, 6]);
    assert_eq!((read(&mut sink).await, read(&mut sink).await), (Seen::Control(STOP), Seen::End));
    assert_eq!(counts(&context), (2, 0));
}

#[tokio::test]
async fn two_blocks_share_an_endpoint_and_tcp_is_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let context = context();
    let text = format!("dnstap tcp://{} full 2", listener.local_addr().unwrap());
    let (one, other) = (start(&text, &context), start(&text, &context));
    let (mut sink, _) = tokio::time::timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    open(&mut sink).await;
    one.saw("www.example.com", 1);
    other.saw("www.example.com", 1);
    for kind in [5, 6, 5, 6] {
        assert_eq!(kind_of(&read(&mut sink).await), kind);
    }
    one.end().await;
    other.saw("www.example.com", 1);
    assert_eq!((kind_of(&read(&mut sink).await), kind_of(&read(&mut sink).await)), (5, 6), "the other goes on with it");
    other.end().await;
}
