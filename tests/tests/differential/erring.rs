//! An upstream that errs as the name asked for says, and remembers how often it was asked for each name. Each server under test has one
//! of its own, so that what the one does is not seen by the other.
//!
//! The first label says what happens: `servfail`, `refused`, `formerr`, `notimp`; `silent`; `slowN` (N ms); `tc` (cut over UDP);
//! `noedns`; `lame` (a referral to the root); `empty` (no SOA); `nx`, `nxbare` (without a SOA); `ede`; `ad` (AD is set); `junk`;
//! `foreign`, `bare` (first a reply to another question, or with none, the right one a little later), `onlyforeign`; `onceW` (an
//! answer once, then W such as `servfail`), `firstW` (W once, then answers). More words follow after a hyphen: `ttlN` is the TTL,
//! all others only make names different.
//!
//! The address says what was asked: 192.0.2.N for `lastN`; the number of questions so far for `count`; the last octet of the last
//! EDNS option for `option`, 200 without one; 201 with RD and 200 without for `rd`; 1 for all others.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nearpath_tests::place;
use nearpath_tests::record::{Record, name_wire};

/// How often threads look whether it is still wanted.
const TICK: Duration = Duration::from_millis(50);
/// How long after a reply to something else the right one comes: before a datagram is sent again.
const RIGHT_AFTER: Duration = Duration::from_millis(150);

/// The upstream; its sockets close some time after its owner has gone.
#[derive(Debug)]
pub(crate) struct Erring {
    /// Where it serves UDP and TCP.
    pub address: SocketAddr,
    alive: Arc<AtomicBool>,
}

struct State {
    /// What every name does, in place of what its first label says.
    always: Option<&'static str>,
    counts: Mutex<HashMap<(String, u16), u32>>,
}

impl Erring {
    /// Starts one. With `always`, every name does that.
    pub(crate) fn start(always: Option<&'static str>) -> Self {
        let address = place::socket();
        let (udp, tcp) = (UdpSocket::bind(address).expect("a free address"), TcpListener::bind(address));
        let tcp = tcp.expect("a free address");
        let alive = Arc::new(AtomicBool::new(true));
        let state = Arc::new(State { always, counts: Mutex::default() });
        let (one, open) = (Arc::clone(&state), Arc::clone(&alive));
        std::thread::spawn(move || datagrams(&udp, &one, &open));
        let open = Arc::clone(&alive);
        std::thread::spawn(move || connections(&tcp, &state, &open));
        Self { address, alive }
    }
}

impl Drop for Erring {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::SeqCst);
    }
}

fn datagrams(socket: &UdpSocket, state: &State, alive: &AtomicBool) {
    socket.set_read_timeout(Some(TICK)).expect("a wait above zero");
    let mut buffer = vec![0; 65_535];
    // what each asked last, and was told: a datagram that is sent again, on a busy machine, is no further question
    let mut last: HashMap<SocketAddr, (Vec<u8>, Said)> = HashMap::new();
    while alive.load(Ordering::SeqCst) {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
        let asked = &buffer[..length];
        let said = match last.get(&client) {
            Some((before, said)) if before == asked => said.clone(),
            _ => answer(asked, state, false),
        };
        last.insert(client, (asked.to_vec(), said.clone()));
        for (wait, reply) in said {
            let socket = socket.try_clone().expect("a socket can be shared");
            later(wait, move || drop(socket.send_to(&reply, client)));
        }
    }
}

fn connections(listener: &TcpListener, state: &Arc<State>, alive: &Arc<AtomicBool>) {
    listener.set_nonblocking(true).expect("a listener");
    while alive.load(Ordering::SeqCst) {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(TICK / 10);
            continue;
        };
        let (state, alive) = (Arc::clone(state), Arc::clone(alive));
        std::thread::spawn(move || connection(stream, &state, &alive));
    }
}

fn connection(mut stream: TcpStream, state: &State, alive: &AtomicBool) -> Option<()> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(TICK)).ok()?;
    let (mut pending, mut buffer) = (Vec::new(), [0; 4096]);
    while alive.load(Ordering::SeqCst) {
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(length) => pending.extend(&buffer[..length]),
            Err(_) => {}
        }
        while let Some(length) = pending.first_chunk::<2>().map(|pair| usize::from(u16::from_be_bytes(*pair))) {
            if pending.len() < 2 + length {
                break;
            }
            let packet: Vec<u8> = pending.drain(..2 + length).skip(2).collect();
            for (wait, reply) in answer(&packet, state, true) {
                let mut writer = stream.try_clone().ok()?;
                let framed = [&(reply.len() as u16).to_be_bytes(), reply.as_slice()].concat();
                later(wait, move || drop(writer.write_all(&framed)));
            }
        }
    }
    None
}

fn later(wait: Duration, work: impl FnOnce() + Send + 'static) {
    if wait.is_zero() {
        return work();
    }
    std::thread::spawn(move || {
        std::thread::sleep(wait);
        work();
    });
}

/// The question of a message: its end, the name in lower case, the type.
fn question(wire: &[u8]) -> Option<(usize, String, u16)> {
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
    Some((at + 4, name, rtype))
}

/// What is said to a message: each reply after its wait.
type Said = Vec<(Duration, Vec<u8>)>;

fn answer(wire: &[u8], state: &State, tcp: bool) -> Said {
    let Some((end, name, rtype)) = question(wire) else { return Vec::new() };
    let first = name.split('.').next().unwrap_or_default().to_owned();
    let mut words = first.split('-');
    let mut what = words.next().unwrap_or_default();
    let ttl: u32 = words.find_map(|word| word.strip_prefix("ttl")?.parse().ok()).unwrap_or(60);
    if let Some(always) = state.always {
        what = always;
    }
    let count = {
        let mut counts = state.counts.lock().expect("nobody panics with it");
        let count = counts.entry((name.clone(), rtype)).or_insert(0);
        *count += 1;
        *count
    };
    if let Some(after) = what.strip_prefix("once") {
        what = if count > 1 { after } else { "once" };
    } else if let Some(before) = what.strip_prefix("first") {
        what = if count > 1 { "first" } else { before };
    }
    let wait =
        what.strip_prefix("slow").and_then(|wait| wait.parse().ok()).map_or(Duration::ZERO, Duration::from_millis);
    let last = last_octet(what, count, wire, end);
    let a = |owner: &str| Record::parse(&format!("{owner} {ttl} A 192.0.2.{last}"));
    let soa = || Record::parse("err.example. 60 SOA ns.err.example. admin.err.example. 1 7200 900 86400 30");
    let edns = wire.get(11).is_some_and(|count| *count > 0) && what != "noedns";
    let ad = if what == "ad" { 0x0020 } else { 0 };
    let (flags, answers, authority): (u16, Vec<Record>, Vec<Record>) = match what {
        "silent" => return Vec::new(),
        "junk" => return vec![(wait, b"no message of DNS".to_vec())],
        "servfail" => (2, vec![], vec![]),
        "refused" => (5, vec![], vec![]),
        "formerr" => (1, vec![], vec![]),
        "notimp" => (4, vec![], vec![]),
        "tc" if !tcp => (0x0200, vec![], vec![]),
        "lame" => (0, vec![], vec![Record::parse(". 3600 NS a.root-servers.invalid.")]),
        "empty" => (0x0400, vec![], vec![]),
        "nx" => (0x0403, vec![], vec![soa()]),
        "nxbare" => (0x0403, vec![], vec![]),
        _ if rtype == 1 => (0x0400 | ad, vec![a(if name.is_empty() { "." } else { &name })], vec![]),
        _ => (0x0400 | ad, vec![], vec![soa()]),
    };
    let reply = compose(wire, end, flags, [&answers, &authority], edns.then_some(what == "ede"));
    match what {
        "foreign" => vec![(wait, foreign(&reply)), (RIGHT_AFTER, reply)],
        "bare" => vec![(wait, bare(&reply, end)), (RIGHT_AFTER, reply)],
        "onlyforeign" => vec![(wait, foreign(&reply))],
        _ => vec![(wait, reply)],
    }
}

/// The last octet of the address, which tells what was asked.
fn last_octet(what: &str, count: u32, wire: &[u8], end: usize) -> u32 {
    match what {
        "count" => count.min(250),
        // OPT is the only record of a question, and 11 octets long without options
        "option" => wire.get(end + 11..).and_then(<[u8]>::last).map_or(200, |last| u32::from(*last)),
        "rd" => 200 + u32::from(wire[2] & 1),
        _ => what.strip_prefix("last").and_then(|last| last.parse().ok()).unwrap_or(1),
    }
}

/// The reply with another name in its question.
fn foreign(reply: &[u8]) -> Vec<u8> {
    let mut other = reply.to_vec();
    other[13] = b'x'; // the first letter of the first label
    other
}

/// The reply without its question section, which ends here.
fn bare(reply: &[u8], end: usize) -> Vec<u8> {
    let mut head = reply[..12].to_vec();
    head[5] = 0;
    [&head, &reply[end..]].concat()
}

fn compose(wire: &[u8], end: usize, flags: u16, sections: [&[Record]; 2], edns: Option<bool>) -> Vec<u8> {
    let mut out = wire[..2].to_vec();
    out.extend((0x8080 | flags | u16::from(wire[2] & 1) << 8).to_be_bytes());
    out.extend([0, 1]);
    sections.iter().for_each(|records| out.extend((records.len() as u16).to_be_bytes()));
    out.extend([0, u8::from(edns.is_some())]);
    out.extend(&wire[12..end]);
    sections.iter().for_each(|records| records.iter().for_each(|record| record.write(&mut out)));
    if let Some(error) = edns {
        out.extend(name_wire("."));
        out.extend([0, 41, 4, 0xd0, 0, 0, 0, 0]);
        match error {
            true => out.extend([0, 10, 0, 15, 0, 6, 0, 17, b't', b'e', b's', b't']), // Filtered, `test`
            false => out.extend([0, 0]),
        }
    }
    out
}
