//! The way of a hit, from packet to reply, without sockets: what it says and what it costs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contract::limits::MISSES_PER_CLIENT_MAX;
use contract::wire::{Composer, Flags, Message, Name, Question, Rcode, RecordType, Section};
use contract::{Client, Transport};

use crate::daemon::{self, Options};
use crate::see::Filter;
use crate::serve::entrance::Entrance;
use crate::serve::{Desk as _, Door as _, Front, Outcome};

/// A daemon's blocks without its sockets, and a desk before them.
struct House {
    runtime: tokio::runtime::Runtime,
    entrance: Entrance,
    dir: tempdir::Dir,
}

mod tempdir {
    //! A folder of the test's own, removed at its end.

    use std::path::PathBuf;

    pub(super) struct Dir(pub(super) PathBuf);

    impl Dir {
        pub(super) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nearpath-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(super) fn write(&self, name: &str, text: &str) -> String {
            let path = self.0.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// The pod of the tests; its search list is the usual one.
const POD: &str = "127.0.0.9:5000";
/// A pod with the same list.
const NEIGHBOUR: &str = "127.0.0.10:5000";
const STRANGER: &str = "127.0.0.77:5000";

/// A central server that denies every name, with an SOA; on a thread that ends with the process.
fn denying_centre() -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            let asked = Question::parse(&packet[..length]).unwrap();
            let name = Name::from_wire(&asked.name().to_ascii_lowercase()).unwrap();
            let mut reply = Composer::new(&name, asked.rtype, asked.class);
            let zone = Name::parse("cluster.local").unwrap();
            let soa = |to: &mut Composer| {
                to.rdata_name(&zone);
                to.rdata_name(&zone);
                [1u32, 60, 60, 60, 60].iter().for_each(|number| to.octets(&number.to_be_bytes()));
            };
            reply.rcode(Rcode::NXDOMAIN).record(Section::Authority, &zone, RecordType::SOA, 60, soa).unwrap();
            let mut reply = reply.finish().wire;
            reply[..2].copy_from_slice(&asked.id().to_be_bytes());
            socket.send_to(&reply, from).unwrap();
        }
    });
    address
}

fn house(name: &str) -> House {
    house_with(name, "")
}

/// With `gate` in the block of the outside names.
fn house_with(name: &str, gate: &str) -> House {
    let dir = tempdir::Dir::new(name);
    let search = "search shop.svc.cluster.local svc.cluster.local cluster.local";
    let pods = dir.write("pods", &format!("shop/cart-0 127.0.0.9 {search}\nshop/cart-1 127.0.0.10 {search}\n"));
    let hosts = dir.write("hosts", "192.0.2.9 www.example.com\n");
    let centre = denying_centre();
    let text = format!(
        "cluster.local {{\n cache\n autopath {{\n pods {pods}\n }}\n forward . {centre}\n}}\n\
         . {{\n {gate} cache\n hosts {hosts}\n}}\n"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let entrance = {
        let _inside = runtime.enter();
        daemon::without_sockets(&text, &Options::default(), runtime.handle()).unwrap()
    };
    House { runtime, entrance, dir }
}

fn packet(name: &str, rtype: RecordType) -> Vec<u8> {
    let mut packet = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    packet.extend_from_slice(Name::parse(name).unwrap().as_wire());
    packet.extend_from_slice(&rtype.0.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    packet
}

fn client(address: &str) -> Client {
    let local: SocketAddr = "127.0.0.1:53".parse().unwrap();
    Client { address: address.parse().unwrap(), local, transport: Transport::Udp }
}

/// Asks until the answer is a hit, and returns that.
fn hit(house: &House, desk: &mut crate::serve::FrontDesk, packet: &[u8], client: &Client) -> Vec<u8> {
    let mut out = [0; 1_232];
    for _ in 0..4 {
        match desk.answer(packet, client, desk.now(), &mut out) {
            Outcome::Reply(length) => return out[..length].to_vec(),
            Outcome::Silent => panic!("no reply"),
            Outcome::Miss(later) => {
                house.runtime.block_on(later).expect("a reply");
            }
        }
    }
    panic!("never a hit");
}

#[test]
fn a_hit_allocates_nothing_whatever_kind_it_is() {
    hits_allocate_nothing(&house("hits"));
}

#[test]
fn a_hit_allocates_nothing_behind_a_gate() {
    hits_allocate_nothing(&house_with("gated-hits", "acl {\n block net 192.0.2.0/24\n }\n"));
}

fn hits_allocate_nothing(house: &House) {
    assert!(house.dir.0.exists());
    let front = Front::new(Arc::clone(&house.entrance.0));
    let mut desk = front.desk(Transport::Udp);
    let kinds = [
        ("plain", packet("www.example.com", RecordType::A), STRANGER),
        ("negative", packet("www.example.com", RecordType::AAAA), STRANGER),
        ("autopath", packet("www.example.com.shop.svc.cluster.local", RecordType::A), POD),
        ("autopath refused", packet("db.shop.svc.cluster.local", RecordType::A), STRANGER),
    ];
    for (kind, packet, from) in kinds {
        let client = client(from);
        let reply = hit(house, &mut desk, &packet, &client);
        let message = Message::parse(&reply).unwrap();
        let expected = if kind == "autopath refused" { Rcode::NXDOMAIN } else { Rcode::NOERROR };
        assert_eq!(message.rcode(), expected, "{kind}");
        let mut out = [0; 1_232];
        let info = allocation_counter::measure(|| {
            for _ in 0..400 {
                let Outcome::Reply(_) = desk.answer(&packet, &client, desk.now(), &mut out) else {
                    panic!("{kind}: no hit")
                };
            }
        });
        assert_eq!(info.count_total, 0, "{kind}");
    }
}

#[test]
fn a_hit_that_is_shown_allocates_nothing() {
    let house = house("shown-hits");
    let taps = &house.entrance.0.shared().taps;
    let _watch = taps.watch(Filter::default()).unwrap();
    taps.top();
    hits_allocate_nothing(&house);
    assert!(taps.is_open());
}

#[test]
fn whoever_watches_sees_hits_misses_and_what_no_block_has_a_part_in() {
    let house = house("watched");
    let mut watch = house.entrance.0.shared().taps.watch(Filter::default()).unwrap();
    let mut desk = Front::new(Arc::clone(&house.entrance.0)).desk(Transport::Udp);
    let asked = packet("www.example.com", RecordType::A);
    hit(&house, &mut desk, &asked, &client(STRANGER));
    let chaos = [&packet("version.bind", RecordType::TXT)[..26], &[0, 16, 0, 3]].concat();
    desk.answer(&chaos, &client(STRANGER), desk.now(), &mut [0; 1_232]);
    let mut seen = std::collections::BTreeSet::new();
    let sees = async {
        while seen.len() < 3 {
            let sighted = watch.next().await.unwrap();
            assert_eq!((&*sighted.client, sighted.weight), ("127.0.0.77", 1));
            seen.insert((sighted.way, sighted.name));
        }
    };
    house
        .runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(30), sees).await })
        .expect("they are shown");
    let seen: Vec<_> = seen.iter().map(|(way, name)| (&**way, &**name)).collect();
    assert_eq!(seen, [("hit", "www.example.com"), ("local", "version.bind"), ("miss", "www.example.com")]);
}

#[test]
fn a_walk_is_one_hit_with_the_cname_and_only_for_its_pods() {
    let house = house("walk");
    let front = Front::new(Arc::clone(&house.entrance.0));
    let mut desk = front.desk(Transport::Udp);
    let asked = packet("www.example.com.shop.svc.cluster.local", RecordType::A);
    let reply = hit(&house, &mut desk, &asked, &client(POD));
    let message = Message::parse(&reply).unwrap();
    assert_eq!(message.id(), 0x1234);
    assert_ne!(message.flags() & Flags::RA, 0);
    let types: Vec<_> = message.records().map(|record| record.unwrap().rtype).collect();
    assert_eq!(types, [RecordType::CNAME, RecordType::A]);

    // the walk's own question for this name is memorised for everybody
    let plain = hit(&house, &mut desk, &asked, &client(STRANGER));
    let plain = Message::parse(&plain).unwrap();
    assert_eq!(plain.rcode(), Rcode::NXDOMAIN, "as asked there is no such name");
}

#[test]
fn case_comes_back_and_no_opt_is_sent_unasked() {
    let house = house("case");
    let front = Front::new(Arc::clone(&house.entrance.0));
    let mut desk = front.desk(Transport::Udp);
    let mut asked = packet("www.example.com", RecordType::A);
    asked[13..16].copy_from_slice(b"WwW");
    let reply = hit(&house, &mut desk, &asked, &client(STRANGER));
    assert_eq!(&reply[12..asked.len()], &asked[12..]);
    assert!(Message::parse(&reply).unwrap().opt().is_none());
}

#[test]
fn at_a_bound_an_expired_walk_passes_no_gate() {
    let house = house_with("gated-bound", "acl {\n block net 127.0.0.10/32\n }\n");
    let mut desk = Front::new(Arc::clone(&house.entrance.0)).desk(Transport::Udp);
    let asked = packet("www.example.com.shop.svc.cluster.local", RecordType::A);
    hit(&house, &mut desk, &asked, &client(POD));
    let later = desk.now().after(Duration::from_secs(600)); // past its end, and not yet gone
    for (address, expected) in [(POD, Rcode::NOERROR), (NEIGHBOUR, Rcode::SERVFAIL)] {
        let client = client(address);
        let turnstile = &house.entrance.0.shared().turnstile;
        let _turns: Vec<_> =
            (0..MISSES_PER_CLIENT_MAX).map(|_| turnstile.enter(client.ip()).expect("a place")).collect();
        let mut out = [0; 1_232];
        let Outcome::Reply(length) = desk.answer(&asked, &client, later, &mut out) else { panic!("no place is left") };
        assert_eq!(Message::parse(&out[..length]).unwrap().rcode(), expected, "{address}");
    }
}

#[test]
fn what_is_made_of_a_is_told_to_those_who_may_ask_for_a() {
    let gate = "acl {\n block type A net 127.0.0.10/32\n }\n dns64 {\n allow_ipv4\n }\n";
    let house = house_with("gated-made", gate);
    let mut desk = Front::new(Arc::clone(&house.entrance.0)).desk(Transport::Udp);
    let asked = packet("www.example.com.shop.svc.cluster.local", RecordType::AAAA);
    let mut has_address = |address: &str| {
        let mut out = [0; 1_232];
        let reply = match desk.answer(&asked, &client(address), desk.now(), &mut out) {
            Outcome::Reply(length) => out[..length].to_vec(),
            Outcome::Miss(later) => house.runtime.block_on(later).expect("a reply"),
            Outcome::Silent => panic!("no reply"),
        };
        let message = Message::parse(&reply).unwrap();
        message.section(Section::Answer).any(|record| record.rtype == RecordType::AAAA)
    };
    for _ in 0..2 {
        assert_eq!((has_address(POD), has_address(POD), has_address(NEIGHBOUR)), (true, true, false));
    }
}

#[test]
fn at_a_bound_memory_answers_what_a_rule_makes_of_a_question_and_the_bound_is_counted_once() {
    let house = house_with("ruled-bound", "rewrite name old.example.com www.example.com\n");
    let shared = house.entrance.0.shared();
    let mut desk = Front::new(Arc::clone(&house.entrance.0)).desk(Transport::Udp);
    let client = client(STRANGER);
    let mut refused = 0;
    for (expected, prepare) in [(Rcode::SERVFAIL, false), (Rcode::NOERROR, true)] {
        if prepare {
            hit(&house, &mut desk, &packet("www.example.com", RecordType::A), &client);
        }
        let _turns: Vec<_> =
            (0..MISSES_PER_CLIENT_MAX).map(|_| shared.turnstile.enter(client.ip()).expect("a place")).collect();
        let now = desk.now();
        let asked = packet("old.example.com", RecordType::A);
        let Outcome::Miss(reply) = desk.answer(&asked, &client, now, &mut [0; 1_232]) else {
            panic!("a rule is for it")
        };
        let reply = house.runtime.block_on(reply).expect("a reply");
        assert_eq!(Message::parse(&reply).unwrap().rcode(), expected);
        refused += 1;
        assert_eq!(shared.bounds.iter().map(|bound| bound.value()).sum::<u64>(), refused);
    }
}

#[test]
fn what_is_memorised_of_ds_is_found_under_the_block_of_the_parent() {
    let dir = tempdir::Dir::new("parent");
    let block = |zone: &str, key_tag: u16| {
        let record = format!("{{{{ .Name }}}} 60 IN DS {key_tag} 8 2 {}", "AB".repeat(32));
        format!("{zone} {{\n cache\n template IN DS {{\n answer \"{record}\"\n }}\n}}\n")
    };
    let text = format!("{}{}", block("sub.example.org", 2), block("example.org", 1));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let entrance = {
        let _inside = runtime.enter();
        daemon::without_sockets(&text, &Options::default(), runtime.handle()).unwrap()
    };
    let house = House { runtime, entrance, dir };
    let mut desk = Front::new(Arc::clone(&house.entrance.0)).desk(Transport::Udp);
    let (asked, client) = (packet("sub.example.org", RecordType::DS), client(STRANGER));
    let reply = hit(&house, &mut desk, &asked, &client);
    let message = Message::parse(&reply).unwrap();
    let record = message.section(Section::Answer).next().expect("a record");
    assert_eq!(message.rdata(&record)[..2], [0, 1], "the key tag that the parent's block has");
    let mut out = [0; 1_232];
    let info = allocation_counter::measure(|| {
        assert!(matches!(desk.answer(&asked, &client, desk.now(), &mut out), Outcome::Reply(_)));
    });
    assert_eq!(info.count_total, 0);
}
