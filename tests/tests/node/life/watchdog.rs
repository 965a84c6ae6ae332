//! A worker that hangs ends the process, and overload does not.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nearpath_tests::metrics::sum;
use nearpath_tests::mode::{self, note};
use nearpath_tests::{Daemon, Udp, ask};
use nix::sys::signal::Signal;

use super::*;
use crate::scenario;

/// How long is waited for the end of a process that hangs. Generous: the machine may be busy.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// One that does not hang is there still after this.
const STAYS: Duration = Duration::from_secs(5);

/// The watchdog's questions reach all its workers.
fn is_covered(address: &str, workers: f64) -> bool {
    page(address, "/metrics").is_some_and(|(_, text)| sum(&text, "nearpath_watchdog_workers_covered", &[]) >= workers)
}

fn tell_to_hang(client: &Udp) {
    client.send(&ask("hang.debug.nearpath", "TXT").class(3).wire());
}

#[test]
fn a_worker_that_hangs_ends_the_process_and_the_other_instance_answers() {
    alone(|| {
        let centre = scenario::centre();
        let mut first = daemon(COREFILE, &centre, &[&NODE[..], &["-threads=2", "-debug-hooks"]].concat());
        assert!(within(20, || is_covered("127.0.0.1:9253", 2.0)), "every worker is asked");
        tell_to_hang(&first.client());
        let told = Instant::now();
        let told_unwell = within(5, || page("127.0.0.1:8080", "/health").is_some_and(|(status, _)| status == 503));
        let ended = first.ends(GONE_WITHIN);
        note(&format!("a hanging worker: the process is gone after {:.1} s", told.elapsed().as_secs_f64()));
        let status = ended.expect("it does not go");
        assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{status}");
        assert!(!status.core_dumped(), "a core dump keeps the sockets open");
        assert!(told_unwell, "/health tells it before");
        assert!(first.has_logged(0, "has questions waiting and has done nothing", GONE_WITHIN));
    });
}

#[test]
fn without_the_flag_the_hook_is_refused() {
    alone(|| {
        let centre = scenario::centre();
        let mut daemon = daemon(COREFILE, &centre, &["-threads=1"]);
        daemon.asked(&ask("hang.debug.nearpath", "TXT").class(3)).is("REFUSED");
        assert!(daemon.ends(STAYS).is_none());
        daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    });
}

#[test]
fn the_other_instance_answers_while_one_hangs_and_after() {
    alone(|| {
        let centre = scenario::centre();
        let mut first = on_node(COREFILE, &centre, &["-threads=1", "-debug-hooks"]);
        let mut second = on_node(COREFILE, &centre, &["-threads=1"]);
        assert!(within(20, || is_covered("127.0.0.1:9253", 1.0)));
        // a port that reaches the first: the second refuses the hook
        let question = || ask("hang.debug.nearpath", "TXT").class(3).wire();
        let reaches_first = |client: &Udp| {
            client.send(&question());
            client.receive(Duration::from_secs(2)).is_none()
        };
        let hit = (0..40).any(|_| reaches_first(&second.client()));
        assert!(hit, "the kernel spreads questions over both");
        assert!(first.ends(GONE_WITHIN).is_some_and(|status| status.signal() == Some(6)));
        for _ in 0..50 {
            second.asked(&ask("www.example.com", "A")).is("NOERROR");
        }
        assert!(second.ends(Duration::from_secs(6)).is_none(), "the hang of another is not its own");
    });
}

#[test]
fn overload_does_not_end_the_process() {
    alone(|| {
        let centre = scenario::centre();
        let mut daemon = daemon(COREFILE, &centre, &["-threads=1"]);
        daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
        let seconds = mode::of(10, 60);
        let done = Arc::new(AtomicBool::new(false));
        let floods: Vec<_> = (0..3).map(|_| flood(&daemon, Arc::clone(&done))).collect();
        let ended = daemon.ends(Duration::from_secs(seconds));
        done.store(true, Ordering::SeqCst);
        let sent: u64 = floods.into_iter().map(|flood| flood.join().unwrap()).sum();
        assert!(ended.is_none(), "it ended: {ended:?}");
        let lost = dropped();
        note(&format!("{seconds} s of overload: {sent} questions sent, {lost} lost for want of room"));
        assert!(lost > 1_000, "that was no overload: {lost} of {sent} lost");
        // the first question may find the queue still full
        let client = daemon.client();
        let is_answered = || {
            client.send(&ask("www.example.com", "A").wire());
            client.receive(Duration::from_millis(500)).is_some()
        };
        assert!(within(10, is_answered));
        assert_eq!(page("127.0.0.1:8080", "/health").unwrap().0, 200);
    });
}

/// Sends as fast as the kernel takes it, until told; how many.
fn flood(daemon: &Daemon, done: Arc<AtomicBool>) -> std::thread::JoinHandle<u64> {
    let client = daemon.client();
    std::thread::spawn(move || {
        let packet = ask("www.example.com", "A").wire();
        let mut sent = 0;
        while !done.load(Ordering::Relaxed) {
            client.send(&packet);
            sent += 1;
        }
        sent
    })
}

/// Datagrams to the daemon's port that found no room.
fn dropped() -> u64 {
    let sockets = std::fs::read_to_string("/proc/thread-self/net/udp").expect("Linux");
    let ours = sockets.lines().filter(|line| line.contains(" 0100007F:0035 "));
    ours.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
}
