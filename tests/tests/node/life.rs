//! What keeps a node with DNS while a process hangs, runs short of memory, restarts or shares its ports: the daemon in a network
//! of the test's own, which goes with its last process.

mod memory;
mod ports;
mod warm;
mod watchdog;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nearpath_tests::{Daemon, Upstream, mode};
use nix::sched::{CloneFlags, unshare};

/// Where the daemons of a test serve; each test has a network of its own.
const ADDRESS: &str = "127.0.0.1:53";

/// A server block with all pages, and an upstream.
const COREFILE: &str = "\
.:PORT {
    bind IP
    errors
    cache 3600
    prometheus 127.0.0.1:9253
    health 127.0.0.1:8080
    ready 127.0.0.1:8181
    forward . CENTRE
}
";

/// What makes the daemon one of a node, with nothing to set up there.
const NODE: [&str; 4] =
    ["-localip=127.0.0.1", "-setupinterface=false", "-setupiptables=false", "-metrics-listen-address=127.0.0.1:9353"];

/// Does something in a network of its own: all threads and processes that it starts are in it too.
#[track_caller]
fn alone(work: impl FnOnce() + Send + 'static) {
    let inside = || {
        if unshare(CloneFlags::CLONE_NEWNET).is_err() {
            return mode::skip("node", "no network can be made without rights");
        }
        let up = mode::command("ip").args(["link", "set", "lo", "up"]).status();
        assert!(up.is_ok_and(|status| status.success()), "loopback comes up");
        work();
    };
    if let Err(panic) = std::thread::spawn(inside).join() {
        std::panic::resume_unwind(panic);
    }
}

/// A daemon in this network.
#[track_caller]
fn daemon(corefile: &str, centre: &Upstream, flags: &[&str]) -> Daemon {
    let address: SocketAddr = ADDRESS.parse().expect("an address");
    Daemon::at(address, corefile, &[("CENTRE", centre.address())], &[], flags)
}

/// A daemon of a node, in this network.
#[track_caller]
fn on_node(corefile: &str, centre: &Upstream, flags: &[&str]) -> Daemon {
    daemon(corefile, centre, &[&NODE[..], flags].concat())
}

/// A page, if it is there.
fn page(address: &str, path: &str) -> Option<(u16, String)> {
    let there = std::net::TcpStream::connect(address).is_ok();
    there.then(|| nearpath_tests::http::fetch(address, path))
}

/// Waits until something holds; false if it does not within so many seconds.
fn within(seconds: u64, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
