//! A scripted upstream: answers from a table over UDP and TCP, misbehaves as told, and remembers what it was asked.

use std::collections::{HashMap, HashSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use contract::wire::RecordType;

use crate::place;
use crate::record::Record;

/// How an upstream behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers at once.
    Normal,
    /// Answers after a while; several questions at a time.
    Slow(Duration),
    /// Over TCP it reads a question only when the one before is answered, each after a while.
    OneAtATime(Duration),
    /// Reads and says nothing.
    Hang,
    /// Says what is no DNS message.
    Junk,
    /// Says what is no reply to the question several times, and then the answer.
    NoiseFirst,
    /// Closes each TCP connection after one answer.
    CloseEach,
    /// Closes a TCP connection on which nothing was asked for this long.
    CloseIdle(Duration),
    /// Reads a question and closes the connection, without an answer.
    CloseUnanswered,
    /// An RCODE without records.
    Rcode(u8),
    /// TC without records over UDP, the answer over TCP.
    Truncate,
    /// TC without records over both.
    TruncateBoth,
}

/// A question that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// QNAME in lower case with its final dot.
    pub name: String,
    /// QTYPE.
    pub rtype: u16,
    /// True over TCP.
    pub tcp: bool,
    /// When.
    pub at: Instant,
    /// A datagram that its sender sent again, because no reply came in time: how often, the machine decides.
    pub again: bool,
}

#[derive(Debug)]
struct Script {
    table: Mutex<Vec<Record>>,
    behaviour: Mutex<Behaviour>,
    by_name: Mutex<HashMap<String, Behaviour>>,
    seen: Mutex<Vec<Seen>>,
    datagrams: Mutex<HashSet<(SocketAddr, Vec<u8>)>>,
    connections: AtomicUsize,
}

/// The upstream. Its sockets close with it.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    script: Arc<Script>,
    open: Option<(Arc<AtomicBool>, Vec<JoinHandle<()>>)>,
}

impl Upstream {
    /// An upstream with a table of records, each `OWNER TTL TYPE RDATA`.
    #[track_caller]
    pub fn with(lines: &[&str]) -> Self {
        let script = Script {
            table: Mutex::new(lines.iter().map(|line| Record::parse(line)).collect()),
            behaviour: Mutex::new(Behaviour::Normal),
            by_name: Mutex::default(),
            seen: Mutex::default(),
            datagrams: Mutex::default(),
            connections: AtomicUsize::new(0),
        };
        let mut upstream = Self { address: place::socket(), script: Arc::new(script), open: None };
        upstream.revive();
        upstream
    }

    /// `IP:PORT`, as Corefiles name it.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Replaces the table.
    #[track_caller]
    pub fn knows(&self, lines: &[&str]) {
        *held(&self.script.table) = lines.iter().map(|line| Record::parse(line)).collect();
    }

    /// Behaves so from now on.
    pub fn behaves(&self, behaviour: Behaviour) {
        *held(&self.script.behaviour) = behaviour;
    }

    /// Behaves so for one name.
    pub fn behaves_for(&self, name: &str, behaviour: Behaviour) {
        held(&self.script.by_name).insert(name.to_ascii_lowercase(), behaviour);
    }

    /// What it was asked, probes of its health (`. NS`) and [repeats](Seen::again) apart.
    pub fn seen(&self) -> Vec<Seen> {
        self.messages().into_iter().filter(|seen| seen.name != "." && !seen.again).collect()
    }

    /// Every message that it was sent.
    pub fn messages(&self) -> Vec<Seen> {
        held(&self.script.seen).clone()
    }

    /// How often it was asked for a name.
    pub fn asked_for(&self, name: &str) -> usize {
        self.seen().iter().filter(|seen| seen.name == name).count()
    }

    /// Forgets what it was asked.
    pub fn forgets(&self) {
        held(&self.script.seen).clear();
    }

    /// How many TCP connections it took.
    pub fn connections(&self) -> usize {
        self.script.connections.load(Ordering::SeqCst)
    }

    /// Closes its sockets: the system answers in its place that nobody is there.
    pub fn dies(&mut self) {
        if let Some((open, threads)) = self.open.take() {
            open.store(false, Ordering::SeqCst);
            threads.into_iter().for_each(|thread| thread.join().expect("an upstream's thread does not panic"));
        }
    }

    /// Opens its sockets, at the same address as ever.
    #[track_caller]
    pub fn revive(&mut self) {
        let udp = UdpSocket::bind(self.address).expect("the address is free");
        let tcp = TcpListener::bind(self.address).expect("the address is free");
        let open = Arc::new(AtomicBool::new(true));
        let (script, alive) = (Arc::clone(&self.script), Arc::clone(&open));
        let datagrams = std::thread::spawn(move || serve_udp(&udp, &script, &alive));
        let (script, alive) = (Arc::clone(&self.script), Arc::clone(&open));
        let streams = std::thread::spawn(move || serve_tcp(&tcp, &script, &alive));
        self.open = Some((open, vec![datagrams, streams]));
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.dies();
    }
}

/// How often threads look whether the upstream is still open.
const TICK: Duration = Duration::from_millis(20);

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("an upstream's thread does not panic")
}

fn serve_udp(socket: &UdpSocket, script: &Arc<Script>, alive: &Arc<AtomicBool>) {
    socket.set_read_timeout(Some(TICK)).expect("a wait above zero");
    let mut buffer = vec![0; 65_535];
    while alive.load(Ordering::SeqCst) {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
        let Some(question) = Question::read(&buffer[..length]) else { continue };
        let again = !held(&script.datagrams).insert((client, question.wire.clone()));
        let behaviour = script.notes(&question, false, again);
        let answer =
            question.answered(script, behaviour == Behaviour::Truncate || behaviour == Behaviour::TruncateBoth);
        let send = |octets: &[u8]| socket.send_to(octets, client).map(drop).unwrap_or_default();
        match behaviour {
            Behaviour::Hang | Behaviour::CloseUnanswered => {}
            Behaviour::Junk => send(b"this is no DNS message"),
            Behaviour::Rcode(rcode) => send(&question.with_rcode(rcode)),
            Behaviour::NoiseFirst => {
                noise(&question, &answer).iter().for_each(|octets| send(octets));
                if let Ok(stranger) = UdpSocket::bind((place::address(), 0)) {
                    stranger.send_to(&question.with_rcode(5), client).ok(); // right in all but its source
                }
                std::thread::sleep(TICK);
                send(&answer);
            }
            Behaviour::Slow(wait) | Behaviour::OneAtATime(wait) => {
                let socket = socket.try_clone().expect("a socket can be shared");
                std::thread::spawn(move || {
                    std::thread::sleep(wait);
                    socket.send_to(&answer, client).ok();
                });
            }
            _ => send(&answer),
        }
    }
}

/// Replies that do not belong to the question: wrong id, wrong name, a query, half a message.
fn noise(question: &Question, answer: &[u8]) -> Vec<Vec<u8>> {
    let mut wrong_id = question.with_rcode(5);
    wrong_id[0] ^= 0xff;
    let mut wrong_name = question.with_rcode(5);
    wrong_name[13] ^= 1;
    let mut query = answer.to_vec();
    query[2] &= 0x7f;
    vec![wrong_id, wrong_name, query, answer[..answer.len() / 2].to_vec(), vec![0; 3], b"noise noise noise".to_vec()]
}

fn serve_tcp(listener: &TcpListener, script: &Arc<Script>, alive: &Arc<AtomicBool>) {
    listener.set_nonblocking(true).expect("a listener");
    let mut threads = Vec::new();
    while alive.load(Ordering::SeqCst) {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(TICK / 4);
            continue;
        };
        script.connections.fetch_add(1, Ordering::SeqCst);
        let (script, alive) = (Arc::clone(script), Arc::clone(alive));
        threads.push(std::thread::spawn(move || serve_connection(&stream, &script, &alive).unwrap_or(())));
    }
    threads.into_iter().for_each(|thread| thread.join().expect("an upstream's thread does not panic"));
}

fn serve_connection(stream: &TcpStream, script: &Arc<Script>, alive: &AtomicBool) -> Option<()> {
    stream.set_nonblocking(false).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(TICK)).ok()?;
    let writer = Arc::new(Mutex::new(stream.try_clone().ok()?));
    let (mut pending, mut buffer, mut last) = (Vec::new(), [0; 4096], Instant::now());
    while alive.load(Ordering::SeqCst) {
        let mut reader: &TcpStream = stream;
        match reader.read(&mut buffer) {
            Ok(0) => return None,
            Ok(length) => pending.extend(&buffer[..length]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => return None,
        }
        while let Some(packet) = next_frame(&mut pending) {
            last = Instant::now();
            answer_one(&packet, script, &writer)?;
        }
        if let Behaviour::CloseIdle(bound) = *held(&script.behaviour)
            && last.elapsed() > bound
        {
            return None;
        }
    }
    None
}

/// Answers one question of a connection; `None` ends the connection.
fn answer_one(packet: &[u8], script: &Script, writer: &Arc<Mutex<TcpStream>>) -> Option<()> {
    let question = Question::read(packet)?;
    let behaviour = script.notes(&question, true, false);
    let answer = question.answered(script, behaviour == Behaviour::TruncateBoth);
    let send = |octets: &[u8]| held(writer).write_all(&framed(octets)).ok();
    match behaviour {
        Behaviour::Hang => Some(()),
        Behaviour::Junk => send(b"this is no DNS message"),
        Behaviour::Rcode(rcode) => send(&question.with_rcode(rcode)),
        Behaviour::CloseUnanswered => None,
        Behaviour::CloseEach => send(&answer).and(None),
        Behaviour::OneAtATime(wait) => {
            std::thread::sleep(wait);
            send(&answer)
        }
        Behaviour::Slow(wait) => {
            let writer = Arc::clone(writer);
            std::thread::spawn(move || {
                std::thread::sleep(wait);
                held(&writer).write_all(&framed(&answer)).ok()
            });
            Some(())
        }
        _ => send(&answer),
    }
}

fn framed(octets: &[u8]) -> Vec<u8> {
    [&(octets.len() as u16).to_be_bytes(), octets].concat()
}

/// Takes the next whole message out of what has come over a connection.
pub(crate) fn next_frame(pending: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes(*pending.first_chunk::<2>()?));
    (pending.len() >= 2 + length).then(|| pending.drain(..2 + length).skip(2).collect())
}

impl Script {
    fn notes(&self, question: &Question, tcp: bool, again: bool) -> Behaviour {
        held(&self.seen).push(Seen { again, ..question.seen(tcp) });
        let general = *held(&self.behaviour);
        held(&self.by_name).get(&question.name).copied().unwrap_or(general)
    }
}

/// A question as it came.
pub(crate) struct Question {
    wire: Vec<u8>,
    end: usize,
    name: String,
    rtype: u16,
    edns: bool,
}

impl Question {
    /// The first question of a message; `None` if there is no whole one.
    pub(crate) fn read(wire: &[u8]) -> Option<Self> {
        let (mut at, mut name) = (12, String::new());
        loop {
            let length = usize::from(*wire.get(at)?);
            let label = wire.get(at + 1..at + 1 + length)?;
            at += 1 + length;
            if length == 0 {
                break;
            }
            name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
            name.push('.');
        }
        let rtype = u16::from_be_bytes([*wire.get(at)?, *wire.get(at + 1)?]);
        let name = if name.is_empty() { ".".to_owned() } else { name };
        Some(Self { wire: wire.to_vec(), end: at + 4, name, rtype, edns: wire[11] > 0 })
    }

    /// What is remembered of it: it came just now.
    pub(crate) fn seen(&self, tcp: bool) -> Seen {
        Seen { name: self.name.clone(), rtype: self.rtype, tcp, at: Instant::now(), again: false }
    }

    fn header(&self, flags: u16, counts: [usize; 3]) -> Vec<u8> {
        let rd = u16::from(self.wire[2] & 1) << 8;
        let mut out = self.wire[..2].to_vec();
        out.extend((0x8080 | rd | flags).to_be_bytes());
        out.extend([0, 1]);
        counts.iter().for_each(|count| out.extend((*count as u16).to_be_bytes()));
        out.extend(&self.wire[12..self.end]);
        out
    }

    fn with_rcode(&self, rcode: u8) -> Vec<u8> {
        self.header(rcode.into(), [0; 3])
    }

    /// The answer from the table: CNAMEs followed, wildcards known, negative ones with the SOA of the longest zone.
    fn answered(&self, script: &Script, truncated: bool) -> Vec<u8> {
        if truncated {
            return self.header(0x0200, [0; 3]);
        }
        let table = held(&script.table);
        let (mut answers, mut current, mut exists) = (Vec::new(), self.name.clone(), false);
        for _ in 0..16 {
            let here: Vec<Record> = at(&table, &current);
            exists = !here.is_empty() || table.iter().any(|record| record.owner.ends_with(&format!(".{current}")));
            let wanted: Vec<_> = here.iter().filter(|record| record.rtype == self.rtype).cloned().collect();
            let link = here.into_iter().find(|record| record.target.is_some() && record.rtype != self.rtype);
            let Some(link) = link else {
                answers.extend(wanted);
                break;
            };
            current = link.target.clone().expect("only links with a target are taken");
            answers.push(link);
        }
        let found = answers.last().is_some_and(|record| record.rtype == self.rtype);
        let soas = table.iter().filter(|record| record.rtype == RecordType::SOA.0 && encloses(&record.owner, &current));
        let soa = soas.max_by_key(|record| record.owner.len()).filter(|_| !found);
        let rcode = if exists || found || current == "." { 0 } else { 3 };
        let aa = 0x0400;
        let counts = [answers.len(), usize::from(soa.is_some()), usize::from(self.edns)];
        let mut out = self.header(aa | rcode, counts);
        answers.iter().chain(soa).for_each(|record| record.write(&mut out));
        if self.edns {
            out.extend([0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0]);
        }
        out
    }
}

fn encloses(zone: &str, name: &str) -> bool {
    zone == "." || name == zone || name.ends_with(&format!(".{zone}"))
}

/// The records at a name, or those of a wildcard above it.
fn at(table: &[Record], name: &str) -> Vec<Record> {
    let exact: Vec<_> = table.iter().filter(|record| record.owner == name).cloned().collect();
    if !exact.is_empty() {
        return exact;
    }
    let above = name.split_once('.').map_or("", |(_, above)| above);
    let star = format!("*.{above}");
    let mut from_star: Vec<_> = table.iter().filter(|record| record.owner == star).cloned().collect();
    from_star.iter_mut().for_each(|record| record.owner = name.to_owned());
    from_star
}
