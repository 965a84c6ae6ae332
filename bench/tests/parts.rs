//! The parts of the program that run as processes of their own: pinned programs, the echo, the relay.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A question for `a.cluster.local A`, id 0x0102.
const QUESTION: &[u8] =
    b"\x01\x02\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07cluster\x05local\x00\x00\x01\x00\x01";
/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_nearpath-bench"))
}

/// Ends a process when a test is over, however it ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A listener and a datagram socket with the same port.
fn server() -> (TcpListener, UdpSocket) {
    for _ in 0..100 {
        let streams = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let port = streams.local_addr().expect("it is bound").port();
        if let Ok(datagrams) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) {
            return (streams, datagrams);
        }
    }
    panic!("no port is free for both");
}

fn free_port() -> u16 {
    server().1.local_addr().expect("it is bound").port()
}

fn client(port: u16, patience: Duration) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    socket.connect((Ipv4Addr::LOCALHOST, port)).expect("loopback");
    socket.set_read_timeout(Some(patience)).expect("not zero");
    socket
}

#[test]
fn a_pinned_program_runs_on_its_cores() {
    let parent = std::process::id().to_string();
    let output = program()
        .args(["pinned", "--cores", "0", "--parent", &parent, "--", "grep", "Cpus_allowed_list", "/proc/self/status"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.split_whitespace().last(), Some("0"), "{text}");
}

#[test]
fn a_pinned_program_does_not_outlive_the_run() {
    let output = program().args(["pinned", "--cores", "0", "--parent", "1", "--", "echo", "alive"]).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "its parent is not the one that it was started for");
}

#[test]
fn the_echo_sends_back_what_is_a_reply_by_length_and_flag() {
    let port = free_port();
    let _echo = Ended(program().args(["echo", "--port", &port.to_string()]).spawn().unwrap());
    let (socket, mut reply) = (client(port, Duration::from_millis(200)), [0; 512]);
    // It may not listen yet: asked until it answers.
    let deadline = Instant::now() + PATIENCE;
    let length = std::iter::repeat_with(Instant::now).take_while(|now| *now < deadline).find_map(|_| {
        let _ = socket.send(QUESTION);
        std::thread::sleep(Duration::from_millis(20));
        socket.recv(&mut reply).ok()
    });
    let reply = &reply[..length.expect("an answer")];
    assert_eq!(reply.len(), QUESTION.len() + 16);
    assert_eq!((&reply[..2], reply[2]), (&QUESTION[..2], 0x81));
    assert_eq!(reply[3..QUESTION.len()], QUESTION[3..]);
}

#[test]
fn the_relay_passes_on_and_counts_over_udp_and_tcp() {
    let (streams, datagrams) = server();
    datagrams.set_read_timeout(Some(PATIENCE)).unwrap();
    let to = datagrams.local_addr().unwrap().port();
    let port = free_port();
    let mut relay = Ended(
        program()
            .args(["relay", "--port", &port.to_string(), "--to", &to.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut told = BufReader::new(relay.0.stdout.take().unwrap());
    let mut count = || {
        relay.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        line.trim().to_owned()
    };
    assert_eq!(count(), "0 0");

    let (socket, mut buffer) = (client(port, PATIENCE), [0; 512]);
    socket.send(QUESTION).unwrap();
    let (length, relayed) = datagrams.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], QUESTION);
    datagrams.send_to(&buffer[..length], relayed).unwrap();
    assert_eq!(socket.recv(&mut buffer).unwrap(), QUESTION.len());
    assert_eq!(count(), "1 1");

    let framed = [&u16::try_from(QUESTION.len()).unwrap().to_be_bytes()[..], QUESTION].concat();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(&framed).unwrap();
    let mut upstream = streams.accept().unwrap().0;
    let mut passed = vec![0; framed.len()];
    upstream.read_exact(&mut passed).unwrap();
    upstream.write_all(&passed).unwrap();
    client.read_exact(&mut passed).unwrap();
    assert_eq!(passed, framed);
    assert_eq!(count(), "2 2");
}
