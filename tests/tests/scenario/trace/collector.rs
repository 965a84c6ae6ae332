//! A collector as far as it is needed: OTLP over HTTP, read by code of its own.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long spans may take. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A span, with its times in nanoseconds since 1970.
#[derive(Clone, Debug, Default)]
pub(super) struct Span {
    pub(super) trace: Vec<u8>,
    pub(super) id: Vec<u8>,
    /// Empty: it has none.
    pub(super) parent: Vec<u8>,
    pub(super) name: String,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) failed: bool,
}

/// A collector that takes everything. Its thread ends with the process.
pub(super) struct Collector {
    address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    spans: Vec<Span>,
    services: Vec<String>,
}

impl Collector {
    /// One that listens on a port of its own.
    #[track_caller]
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let taken = Arc::<Mutex<Taken>>::default();
        let into = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                take(&stream, &into);
            }
        });
        Self { address, taken }
    }

    /// As a Corefile names it.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans, once there are so many traces.
    #[track_caller]
    pub(super) fn traces(&self, count: usize) -> Vec<Span> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let spans = self.taken.lock().expect("no reader panics").spans.clone();
            if spans.iter().filter(|span| span.parent.is_empty()).count() >= count {
                return spans;
            }
            assert!(Instant::now() < deadline, "{count} traces within {PATIENCE:?}: {spans:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Who sent them.
    pub(super) fn services(&self) -> Vec<String> {
        let mut services = self.taken.lock().expect("no reader panics").services.clone();
        services.dedup();
        services
    }
}

/// Takes one request, and says that all is well.
fn take(stream: &TcpStream, into: &Mutex<Taken>) {
    let mut reader = BufReader::new(stream);
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        reader.read_line(&mut line).expect("a whole head");
        let header = line.trim().to_lowercase();
        length = header.strip_prefix("content-length: ").map_or(length, |text| text.parse().expect("a length"));
        if header.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a whole body");
    let mut taken = into.lock().expect("no reader panics");
    for resource in all(&body, 1) {
        let attributes = all(resource, 1).into_iter().flat_map(|described| attributes(described, 1));
        taken.services.extend(attributes.filter(|(key, _)| key == "service.name").map(|(_, value)| value));
        let spans = all(resource, 2).into_iter().flat_map(|scope| all(scope, 2)).map(span);
        taken.spans.extend(spans);
    }
    drop(taken);
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok();
}

fn span(octets: &[u8]) -> Span {
    let one = |number| all(octets, number).into_iter().next().unwrap_or_default();
    let time = |number| numbers(octets, number).next().unwrap_or_default();
    let status = one(15);
    Span {
        trace: one(1).to_vec(),
        id: one(2).to_vec(),
        parent: one(4).to_vec(),
        name: text(one(5)),
        start: time(7),
        end: time(8),
        attributes: attributes(octets, 9).collect(),
        failed: numbers(status, 3).any(|code| code == 2),
    }
}

/// The attributes that stand in a message under this number.
fn attributes(message: &[u8], number: u64) -> impl Iterator<Item = (String, String)> {
    all(message, number).into_iter().map(|pair| {
        let one = |message, number| all(message, number).into_iter().next();
        let value = one(pair, 2).unwrap_or_default();
        let said = one(value, 1).map(text).or_else(|| numbers(value, 3).next().map(|number| number.to_string()));
        (one(pair, 1).map(text).unwrap_or_default(), said.unwrap_or_default())
    })
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("text is UTF-8")
}

/// All fields of a message with this number that hold octets.
fn all(message: &[u8], number: u64) -> Vec<&[u8]> {
    let fields = fields(message).into_iter().filter(|(found, _)| *found == number);
    fields.filter_map(|(_, field)| if let Field::Octets(octets) = field { Some(octets) } else { None }).collect()
}

/// The same for numbers.
fn numbers(message: &[u8], number: u64) -> impl Iterator<Item = u64> {
    let fields = fields(message).into_iter().filter(move |(found, _)| *found == number);
    fields.filter_map(|(_, field)| if let Field::Number(number) = field { Some(number) } else { None })
}

enum Field<'o> {
    Number(u64),
    Octets(&'o [u8]),
}

/// A message of protobuf, taken apart.
fn fields(mut octets: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !octets.is_empty() {
        let key = varint(&mut octets);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut octets)),
            1 => Field::Number(u64::from_le_bytes(taken(&mut octets, 8).try_into().expect("eight octets"))),
            2 => {
                let length = usize::try_from(varint(&mut octets)).expect("a length");
                Field::Octets(taken(&mut octets, length))
            }
            5 => Field::Number(u32::from_le_bytes(taken(&mut octets, 4).try_into().expect("four octets")).into()),
            other => panic!("there is no wire type {other}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

fn taken<'o>(octets: &mut &'o [u8], count: usize) -> &'o [u8] {
    let (taken, rest) = octets.split_at(count);
    *octets = rest;
    taken
}

fn varint(octets: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let octet = taken(octets, 1)[0];
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            break;
        }
    }
    number
}
