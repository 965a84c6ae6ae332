//! Datagrams over loopback: pairing, batches, addresses, draining, panics.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::socket::SockaddrStorage;
use tokio::runtime::Runtime;

use super::batch::{Asked, Batch, Lane, Return, Sent};
use super::counters::Counters;
use super::late::Late;
use super::pulse::Pulse;
use super::worker::{Listen as _, Station};
use super::{UdpSockets, UdpWorkers};
use contract::Transport;
use contract::limits::RECEIVE_BUFFER;

use crate::serve::desk::{TestDoor, apology, packet};
use crate::serve::{Door as _, sockets};

/// Only against hanging for ever.
const HANG: Duration = Duration::from_secs(30);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn client(bind: &str, server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(bind).unwrap();
    socket.set_read_timeout(Some(HANG)).unwrap();
    // A connected socket hears only replies from the address that it asked.
    socket.connect(server).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2_048];
    let length = socket.recv(&mut buffer).expect("a reply");
    buffer[..length].to_vec()
}

fn ask(socket: &UdpSocket, packet: &[u8]) -> Vec<u8> {
    socket.send(packet).unwrap();
    receive(socket)
}

#[test]
fn ten_thousand_questions_each_get_their_own_reply() {
    let (runtime, door) = (runtime(), Arc::new(TestDoor::default()));
    let mut workers = UdpWorkers::start(2, runtime.handle().clone()).unwrap();
    let server = workers.add("127.0.0.1:0".parse().unwrap(), &door).unwrap().local;
    let askers = (0..10).map(|_| {
        std::thread::spawn(move || {
            let socket = client("127.0.0.1:0", server);
            for round in 0..50u16 {
                let ids = round * 20..round * 20 + 20;
                let mut open: HashSet<Vec<u8>> =
                    ids.map(|id| packet(id, if id % 5 == 0 { b'D' } else { b'E' }, id % 3)).collect();
                open.iter().for_each(|packet| assert!(socket.send(packet).is_ok()));
                while !open.is_empty() {
                    assert!(open.remove(&receive(&socket)), "a reply that was not asked for");
                }
            }
        })
    });
    askers.collect::<Vec<_>>().into_iter().for_each(|asker| asker.join().unwrap());
    let counts = workers.counts();
    assert_eq!(counts.received, 10_000);
    assert_eq!((counts.unsent, counts.silent, counts.panicked), (0, 0, 0));
    assert!(runtime.block_on(workers.drain(HANG)));
    assert_eq!(door.desks.load(Ordering::Relaxed), 2, "a desk for each thread");
}

#[test]
fn what_is_queued_together_is_answered_together() {
    let (runtime, door) = (runtime(), Arc::new(TestDoor::default()));
    let sockets = UdpSockets::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let socket = client("127.0.0.1:0", sockets.added().local);
    (0..50).for_each(|id| assert!(socket.send(&packet(id, b'E', 0)).is_ok()));
    let mut workers = UdpWorkers::start(1, runtime.handle().clone()).unwrap();
    workers.serve(sockets, &door).unwrap();
    (0..50).for_each(|id| assert_eq!(receive(&socket), packet(id, b'E', 0)));
    // The worker counts after it has sent.
    while workers.counts().sent < 50 {
        std::thread::yield_now();
    }
    assert_eq!(workers.counts().batches, 1);
}

fn asked_address_answers(bind: &str, clients: &[(&str, &str)]) {
    let (runtime, door) = (runtime(), Arc::new(TestDoor::default()));
    let sockets = UdpSockets::bind(bind.parse().unwrap(), 1).unwrap();
    let port = sockets.added().local.port();
    let clients: Vec<_> = clients
        .iter()
        .map(|(from, to)| {
            let asked: std::net::IpAddr = to.parse().unwrap();
            (client(from, SocketAddr::new(asked, port)), asked)
        })
        .collect();
    // All in one batch: runs of different addresses.
    for (id, (socket, _)) in clients.iter().enumerate() {
        socket.send(&packet(id as u16, b'A', 0)).unwrap();
        socket.send(&packet(id as u16, b'D', 1)).unwrap();
    }
    let mut workers = UdpWorkers::start(1, runtime.handle().clone()).unwrap();
    workers.serve(sockets, &door).unwrap();
    for (id, (socket, asked)) in clients.iter().enumerate() {
        let mut expected = (id as u16).to_be_bytes().to_vec();
        match asked {
            std::net::IpAddr::V4(ip) => expected.extend(ip.octets()),
            std::net::IpAddr::V6(ip) => expected.extend(ip.octets()),
        }
        let mut replies = [receive(socket), receive(socket)];
        replies.sort_by_key(|reply| reply[2] == b'D' && reply.len() == 13);
        assert_eq!(replies, [expected, packet(id as u16, b'D', 1)]);
        assert_eq!(ask(socket, &packet(7, b'E', 0)), packet(7, b'E', 0));
    }
    assert_eq!(workers.counts().unsent, 0);
}

#[test]
fn a_wildcard_socket_answers_from_the_address_that_was_asked() {
    let from = "127.0.0.1:0";
    asked_address_answers(
        "0.0.0.0:0",
        &[(from, "127.0.0.2"), (from, "127.0.0.3"), (from, "127.0.0.2"), (from, "127.0.0.1")],
    );
}

#[test]
fn ipv6_is_served_where_there_is_any() {
    if UdpSocket::bind("[::1]:0").is_err() {
        return;
    }
    asked_address_answers("[::1]:0", &[("[::1]:0", "::1")]);
    asked_address_answers("[::]:0", &[("[::1]:0", "::1"), ("127.0.0.1:0", "127.0.0.2"), ("[::1]:0", "::1")]);
}

#[test]
fn draining_answers_all_that_was_sent_before() {
    for bind in ["127.0.0.1:0", "0.0.0.0:0"] {
        let (runtime, door) = (runtime(), Arc::new(TestDoor::default()));
        let mut workers = UdpWorkers::start(2, runtime.handle().clone()).unwrap();
        let port = workers.add(bind.parse().unwrap(), &door).unwrap().local.port();
        let askers: Vec<_> = (0..20).map(|_| client("127.0.0.1:0", SocketAddr::from(([127, 0, 0, 1], port)))).collect();
        let mut open = HashSet::new();
        for (number, asker) in askers.iter().enumerate() {
            for id in 0..40 {
                let packet = packet(id, if id % 4 == 0 { b'D' } else { b'E' }, 50);
                asker.send(&packet).unwrap();
                open.insert((number, packet));
            }
        }
        assert!(runtime.block_on(workers.drain(HANG)), "all misses are answered");
        for (number, asker) in askers.iter().enumerate() {
            (0..40).for_each(|_| assert!(open.remove(&(number, receive(asker)))));
        }
        assert!(open.is_empty());
    }
}

#[test]
fn a_drain_ends_at_its_deadline() {
    let (runtime, door) = (runtime(), Arc::new(TestDoor::default()));
    let mut workers = UdpWorkers::start(1, runtime.handle().clone()).unwrap();
    let server = workers.add("127.0.0.1:0".parse().unwrap(), &door).unwrap().local;
    let socket = client("127.0.0.1:0", server);
    socket.send(&packet(1, b'R', 0)).unwrap();
    assert_eq!(ask(&socket, &packet(2, b'E', 0)), packet(2, b'E', 0));
    assert!(!runtime.block_on(workers.drain(Duration::from_millis(50))));
}

#[test]
fn an_address_is_handed_over_under_load_without_loss() {
    let (runtime, door) = (runtime(), Arc::new(TestDoor::default()));
    let mut workers = UdpWorkers::start(2, runtime.handle().clone()).unwrap();
    // An address that no other test uses, so that at the end nobody else can have its port.
    let server = workers.add("127.0.0.77:0".parse().unwrap(), &door).unwrap().local;
    let asker = std::thread::spawn(move || {
        for id in 0..2_000 {
            // A new socket each time, so that the kernel chooses among ours anew.
            let socket = client("127.0.0.1:0", server);
            assert_eq!(ask(&socket, &packet(id, b'E', 0)), packet(id, b'E', 0));
        }
    });
    for _ in 0..20 {
        assert_eq!(workers.add(server, &door).unwrap().local, server);
        workers.remove(server).unwrap();
    }
    asker.join().unwrap();
    let before = workers.counts_by_worker();
    for id in 0..200 {
        let socket = client("127.0.0.1:0", server);
        assert_eq!(ask(&socket, &packet(id, b'E', 0)), packet(id, b'E', 0));
    }
    let by_worker = workers.counts_by_worker();
    let shares = by_worker.iter().zip(&before).map(|(after, before)| after.received - before.received);
    assert!(
        shares.clone().all(|share| share > 0),
        "the kernel still spreads questions: {:?}",
        shares.collect::<Vec<_>>()
    );
    workers.remove(server).unwrap();
    assert!(workers.remove(server).is_err(), "nothing is served any more");
    assert!(UdpSocket::bind(server).is_ok(), "the sockets are closed");
}

#[test]
fn a_panic_costs_one_question_which_gets_servfail() {
    let (runtime, door) = (runtime(), Arc::new(TestDoor::default()));
    let mut workers = UdpWorkers::start(1, runtime.handle().clone()).unwrap();
    let server = workers.add("127.0.0.1:0".parse().unwrap(), &door).unwrap().local;
    let socket = client("127.0.0.1:0", server);
    for letter in [b'P', b'L'] {
        assert_eq!(ask(&socket, &packet(1, letter, 0)), apology(&packet(1, letter, 0)));
    }
    for letter in [b'S', b'N'] {
        socket.send(&packet(1, letter, 0)).unwrap();
    }
    // Less than a header is told nothing.
    socket.send(&packet(1, b'P', 0)[..11]).unwrap();
    socket.send(b"?").unwrap();
    socket.send(b"").unwrap();
    assert_eq!(ask(&socket, &packet(2, b'E', 0)), packet(2, b'E', 0));
    assert_eq!(ask(&socket, &packet(3, b'D', 0)), packet(3, b'D', 0));
    while workers.counts().sent < 4 || workers.counts().panicked < 3 || workers.counts().silent < 4 {
        std::thread::yield_now();
    }
    let counts = workers.counts();
    assert_eq!((counts.received, counts.sent, counts.panicked, counts.silent), (9, 4, 3, 4));
}

#[test]
fn a_reply_that_cannot_be_sent_does_not_stop_the_others() {
    let server = sockets::datagram("127.0.0.1:0".parse().unwrap()).unwrap();
    let socket = client("127.0.0.1:0", server.local_addr().unwrap());
    let good = SockaddrStorage::from(socket.local_addr().unwrap());
    // Broadcasting is not allowed to this socket.
    let bad = SockaddrStorage::from("255.255.255.255:53".parse::<SocketAddr>().unwrap());
    let (mut batch, mut lane) = (Batch::new(), Lane::new(server.local_addr().unwrap()));
    for id in 0..3 {
        socket.send(&packet(id, b'E', 0)).unwrap();
    }
    assert_eq!(batch.receive(&server, &mut lane).unwrap(), 3);
    for (index, to) in [good, bad, good].into_iter().enumerate() {
        let (query, _, out) = batch.question(index).unwrap();
        out[..query.len()].copy_from_slice(query);
        let length = query.len();
        batch.keep(length, Return { to, from: Asked::Bound });
    }
    assert_eq!(batch.send(&server, &mut lane), Sent { sent: 2, unsent: 1 });
    assert_eq!(receive(&socket), packet(0, b'E', 0));
    assert_eq!(receive(&socket), packet(2, b'E', 0));
}

#[test]
fn a_hit_allocates_nothing() {
    let (runtime, door) = (runtime(), TestDoor::default());
    for bind in ["127.0.0.1:0", "0.0.0.0:0"] {
        let server = sockets::datagram(bind.parse().unwrap()).unwrap();
        let local = server.local_addr().unwrap();
        let socket = client("127.0.0.1:0", SocketAddr::from(([127, 0, 0, 1], local.port())));
        let (under_way, _all) = tokio::sync::mpsc::channel(1);
        let late = Late::start(runtime.handle(), Arc::default(), under_way);
        let desk = door.desk(Transport::Udp);
        let (pulse, hits) = (Pulse::default(), Arc::default());
        let mut station = Station { socket: Arc::new(server), local, lane: Lane::new(local), desk, late, pulse, hits };
        let (mut batch, counters) = (Batch::new(), Counters::default());
        (0..100).for_each(|id| assert!(socket.send(&packet(id, b'E', 0)).is_ok()));
        let mut served = 0;
        let used = allocation_counter::measure(|| {
            while served < 100 {
                served += station.serve_batch(&mut batch, &counters);
            }
        });
        assert_eq!((served, used.count_total), (100, 0));
        assert_eq!((counters.counts().batches, counters.counts().sent), (2, 100));
    }
}

#[test]
fn the_wrong_number_of_sockets_is_refused() {
    let (runtime, door) = (runtime(), Arc::new(TestDoor::default()));
    let mut workers = UdpWorkers::start(2, runtime.handle().clone()).unwrap();
    let sockets = UdpSockets::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    assert!(sockets.added().receive_buffer > 0);
    assert!(workers.serve(sockets, &door).is_err());
}

#[test]
fn what_is_got_of_a_bounded_receive_buffer_is_told() {
    let mut sockets = UdpSockets::bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
    let got = sockets.added().receive_buffer;
    sockets.bound_receive_buffers(RECEIVE_BUFFER / 2).unwrap();
    // Whoever may pass the system's bound passes it here too; whoever may not has had less.
    assert_eq!(sockets.added().receive_buffer, got.min(RECEIVE_BUFFER / 2));
    sockets.bound_receive_buffers(100 << 10).unwrap();
    assert_eq!(sockets.added().receive_buffer, 100 << 10);
    for socket in &sockets.sockets {
        assert_eq!(
            socket2::SockRef::from(socket).recv_buffer_size().unwrap(),
            2 * (100 << 10),
            "the kernel says the double"
        );
    }
    sockets.bound_receive_buffers(RECEIVE_BUFFER).unwrap();
    assert_eq!(sockets.added().receive_buffer, 100 << 10, "a bound makes nothing larger");
}

#[test]
fn more_sockets_than_threads_are_all_served_and_all_closed() {
    let (runtime, door) = (runtime(), Arc::new(TestDoor::default()));
    let mut workers = UdpWorkers::start(2, runtime.handle().clone()).unwrap();
    let bound = UdpSockets::bind("127.0.0.1:0".parse().unwrap(), 5).unwrap();
    let server = workers.serve(bound, &door).unwrap().local;
    // The kernel chooses the socket by the client's port: with so many of them each is chosen.
    for id in 0..100 {
        assert_eq!(ask(&client("127.0.0.1:0", server), &packet(id, b'E', 0)), packet(id, b'E', 0));
    }
    assert_eq!(door.desks.load(Ordering::Relaxed), 5, "a desk for each socket");
    let again = workers.add(server, &door).unwrap().local;
    assert_eq!(again, server);
    workers.take_back(server).unwrap();
    assert_eq!(ask(&client("127.0.0.1:0", server), &packet(1, b'E', 0)), packet(1, b'E', 0));
    workers.remove(server).unwrap();
    assert!(workers.remove(server).is_err() && workers.take_back(server).is_err());
    sockets::probe(server, socket2::Protocol::UDP).expect("nobody has the address any more");
    assert!(workers.serve(UdpSockets::bind(server, 1).unwrap(), &door).is_err(), "fewer than threads");
    assert!(runtime.block_on(workers.drain(HANG)));
}
