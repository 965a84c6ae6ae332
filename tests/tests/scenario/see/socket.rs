//! The unix socket: whose it is, who is turned away, what is malformed, and what a thousand slow clients do to DNS: nothing.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nearpath_tests::place::Folder;
use nearpath_tests::{Daemon, Upstream, ask, mode};
use nix::sys::signal::Signal;

use super::{COREFILE, House, PATIENCE, PODS, Said, TABLE, everybodys_copy, house, until};

/// Sends octets and reads to the end: the status, and all that was said.
#[track_caller]
fn sent(socket: &Path, octets: &[u8]) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).expect("the daemon listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a wait above zero");
    stream.write_all(octets).ok(); // it may close before it has read all
    let mut said = Vec::new();
    stream.read_to_end(&mut said).ok();
    let said = String::from_utf8_lossy(&said).into_owned();
    (said.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), said)
}

#[track_caller]
fn got(socket: &Path, target: &str) -> (u16, String) {
    sent(socket, format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
}

#[test]
fn it_is_the_owners_alone_and_goes_with_the_daemon() {
    let house = house();
    let found = house.socket().symlink_metadata().expect("it is there");
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o7777, 0o600);
    assert_eq!(got(&house.socket(), "/v1/overview").0, 200);
    let (socket, House { daemon, .. }) = (house.socket(), house);
    let folder = daemon.folder().path().to_owned();
    assert!(folder.exists());
    assert_eq!(daemon.terminates(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn without_a_state_folder_there_is_none_and_nothing_is_said_of_it() {
    let centre = Upstream::with(TABLE);
    let daemon = super::super::plain(&centre);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    assert!(daemon.log_since(0).iter().all(|line| !line.contains("sock")), "{:?}", daemon.log_since(0));
}

#[test]
fn malformed_requests_are_refused_with_what_was_expected() {
    let house = house();
    let long = "a".repeat(5_000);
    for (target, status, word) in [
        ("/v1/overview", 200, "\"uptime_s\""),
        ("/v1/history", 200, "\"points\""),
        ("/v1/pods?limit=5", 200, "127.3.0.1"),
        ("/v1/overview?verbose=1", 400, "no parameter is expected"),
        ("/v1/explain", 400, "'name' is missing"),
        ("/v1/explain?name=", 400, "'name' is empty"),
        ("/v1/explain?name=a&name=b", 400, "stands there twice"),
        ("/v1/explain?nam=a", 400, "expected one of: name, type"),
        ("/v1/explain?name=a&type=NOTYPE", 400, "is not a record type"),
        ("/v1/explain?name=%zz", 400, "hexadecimal"),
        ("/v1/explain?name=a&pod=web", 400, "NAMESPACE/NAME"),
        ("/v1/explain?name=a&ip=1.2.3.4.5", 400, "an IP address"),
        ("/v1/explain?name=a&search=b&ndots=99", 400, "a number from 0 to 15"),
        ("/v1/watch?rcode=MAYBE", 400, "an RCODE"),
        ("/v1/pods?limit=0", 400, "a number from 1"),
        ("/", 404, "error"),
        ("/metrics", 404, "error"),
        ("/v1/explain?name=a&pod=shop/none", 404, "no pod 'shop/none'"),
        (&format!("/v1/explain?name={long}"), 414, "octets"),
    ] {
        let (got, said) = got(&house.socket(), target);
        assert!(got == status && said.contains(word), "{target}: {said}");
    }
    for (request, status) in [
        (&b"POST /v1/overview HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"[..], 405),
        (b"GET /v1/overview HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 400),
        (b"GET /v1/overview HTTP/1.1\r\nHost x\r\n\r\n", 400),
        (b"GET /v1/over view HTTP/1.1\r\n\r\n", 400),
        (b"\0\0\0\x10\x12\x34\x01\0\0\x01\0\0\0\0\0\0\r\n\r\n", 400),
        (&[b'A'; 64 << 10], 400),
    ] {
        let (got, said) = sent(&house.socket(), request);
        assert!(got == status || (status == 400 && (got == 431 || got == 414)), "{status}: {said}");
    }
    house.daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
}

/// The program as nobody runs it, with nothing but the socket in common.
#[track_caller]
fn as_nobody(program: &Path, house: &House) -> Said {
    let output = mode::command("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"])
        .arg(program)
        .args(["explain", "www.example.com.", "--statedir"])
        .arg(house.folder())
        .current_dir("/")
        .output();
    output.expect("setpriv runs").into()
}

#[test]
fn other_users_are_turned_away() {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !is_root {
        return mode::skip("scenario: another user", "only root can become somebody else");
    }
    if !mode::have("scenario: another user", &["setpriv"]) {
        return;
    }
    let house = house();
    let program = everybodys_copy(house.daemon.folder().path());
    let everybody = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("the file is ours");
    };
    everybody(house.daemon.folder().path(), 0o755);
    everybody(&house.folder(), 0o755);
    let closed = as_nobody(&program, &house);
    assert_eq!(closed.code, Some(2), "{closed:?}");
    assert!(closed.err.contains("only root and the daemon's own user may ask"), "the system: {closed:?}");
    // and where somebody has opened the file to all, the daemon itself looks who asks
    everybody(&house.socket(), 0o666);
    let refused = as_nobody(&program, &house);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("only root and the daemon's own user may ask here"), "{refused:?}");
    assert_eq!(got(&house.socket(), "/v1/overview").0, 200, "root may");
}

#[test]
fn the_newest_daemon_of_a_folder_is_the_one_that_answers() {
    let centre = Upstream::with(TABLE);
    let shared = Folder::new();
    let folder = shared.path().display().to_string();
    let starts = |name: &str| {
        let words = [("CENTRE", centre.address())];
        Daemon::with(COREFILE, &words, &[("pods", PODS)], &["-statedir", &folder, "-node-name", name])
    };
    let socket = shared.file("nearpath.sock");
    let answers = |name: &str| got(&socket, "/v1/overview").1.contains(&format!("\"node\":\"{name}\""));
    let first = starts("first");
    assert!(answers("first"));
    let second = starts("second");
    assert!(answers("second"));
    assert_eq!(first.terminates(), Some(0));
    assert!(answers("second"), "the first one leaves what is the second one's");
    // killed, it leaves a socket behind that the next one replaces
    second.signal(Signal::SIGKILL);
    drop(second);
    assert!(socket.symlink_metadata().is_ok() && UnixStream::connect(&socket).is_err());
    let third = starts("third");
    assert!(answers("third"));
    assert_eq!(third.terminates(), Some(0));
    assert!(socket.symlink_metadata().is_err());
}

#[test]
fn a_thousand_slow_connections_do_not_hurt_dns() {
    const SLOW: usize = 1_000;
    let house = house();
    house.daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    let mut open = Vec::new();
    let mut most = 0;
    for number in 0..SLOW {
        let mut stream = UnixStream::connect(house.socket()).expect("the daemon listens");
        stream.write_all(b"GET /v1/over").ok(); // it may be closed already
        stream.set_nonblocking(true).expect("a socket");
        open.push(stream);
        open.retain_mut(is_open);
        most = most.max(open.len());
        // DNS is asked all along; who gets no answer in time panics
        if number % 5 == 0 {
            house.daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
            house.daemon.asked(&ask(&format!("n{number}.wild.example.com"), "A")).is("NOERROR");
        }
    }
    assert!(most > 32, "they were held open together: {most}");
    // somebody who asks properly is told something as soon as a place is free, and they are all cut
    until("a place is free", || got(&house.socket(), "/v1/overview").0 == 200);
    until("all are cut", || {
        open.retain_mut(is_open);
        open.is_empty()
    });
    let mut daemon = house.daemon;
    daemon.is_well();
}

fn is_open(stream: &mut UnixStream) -> bool {
    let mut octets = [0; 1_024];
    match stream.read(&mut octets) {
        Ok(length) => length > 0,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}
