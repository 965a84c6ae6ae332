//! Leases of several processes: every order of leaving, a killed holder, races, other namespaces.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Barrier;

use super::*;
use crate::node::link::testing::{run, skip};

/// The variable that makes the test `process` an instance of this name.
const NAME: &str = "NEARPATH_TEST_LEASE";

/// A name that no other run has.
fn name(test: &str) -> String {
    format!("{test}{}", std::process::id())
}

/// An instance in a process of its own; it is killed with its value.
struct Instance {
    process: Child,
    orders: ChildStdin,
    words: BufReader<ChildStdout>,
}

impl Instance {
    /// Started by these words, and holding a lease.
    fn start_by(words: &[&str], name: &str) -> Self {
        let this = std::env::current_exe().unwrap();
        let mut all: Vec<_> = words.iter().map(std::ffi::OsString::from).collect();
        all.push(this.into());
        let mut process = Command::new(&all[0])
            .args(&all[1..])
            .args(["node::lease::tests::process", "--exact", "--ignored", "--nocapture"])
            .env(NAME, name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let words = BufReader::new(process.stdout.take().unwrap());
        let mut instance = Self { process, orders, words };
        assert_eq!(instance.hears("lease "), "held");
        instance
    }

    fn start(name: &str) -> Self {
        Self::start_by(&[], name)
    }

    /// What it says after these words.
    fn hears(&mut self, begin: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.words.read_line(&mut line).unwrap(), 0, "it has ended");
            if let Some(at) = line.find(begin) {
                return line[at + begin.len()..].trim().to_owned();
            }
        }
    }

    /// Leaves; true if it was the last one.
    fn leaves(mut self) -> bool {
        self.orders.write_all(b"leave\n").unwrap();
        self.hears("last ").parse().unwrap()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
#[ignore = "a process of the other tests"]
fn process() {
    let name = std::env::var(NAME).expect("started by another test");
    let lease = Lease::take(&name).unwrap();
    writeln!(std::io::stdout(), "lease held").unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
    writeln!(std::io::stdout(), "last {}", lease.leave().unwrap()).unwrap();
}

#[test]
fn the_last_of_three_knows_it_in_every_order() {
    for (round, order) in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].into_iter().enumerate() {
        let name = name(&format!("order{round}-"));
        assert!(nobody(&name).unwrap());
        let mut all = [0, 1, 2].map(|_| Some(Instance::start(&name)));
        for (place, who) in order.into_iter().enumerate() {
            assert_eq!(held(&name, |_| true).unwrap(), 3 - place);
            assert_eq!(all[who].take().unwrap().leaves(), place == 2, "{order:?}: place {place}");
        }
        assert!(nobody(&name).unwrap());
    }
}

#[test]
fn a_killed_holder_holds_no_more() {
    let name = name("killed");
    let mine = Lease::take(&name).unwrap();
    let other = Instance::start(&name);
    assert_eq!(mine.others().unwrap(), 1);
    drop(other); // SIGKILL, and waited for
    assert_eq!(mine.others().unwrap(), 0);
    assert!(mine.leave().unwrap());
}

#[test]
fn names_do_not_see_each_other() {
    let (one, other) = (name("one"), name("other"));
    let lease = Lease::take(&one).unwrap();
    assert!(nobody(&other).unwrap());
    assert!(!nobody(&one).unwrap());
    drop(lease);
    assert!(nobody(&one).unwrap());
}

#[test]
fn two_that_take_together_get_one_each() {
    let name = name("race");
    for _ in 0..200 {
        let barrier = Barrier::new(2);
        let take = || {
            barrier.wait();
            Lease::take(&name).unwrap()
        };
        let (one, two) = std::thread::scope(|scope| {
            let other = scope.spawn(take);
            (take(), other.join().unwrap())
        });
        assert_ne!(one.number, two.number);
        assert_eq!((one.others().unwrap(), two.others().unwrap()), (1, 1));
    }
}

#[test]
fn of_two_that_leave_together_one_is_the_last() {
    let name = name("leaving");
    for _ in 0..200 {
        let (one, two) = (Lease::take(&name).unwrap(), Lease::take(&name).unwrap());
        let barrier = Barrier::new(2);
        let leave = |lease: Lease| {
            barrier.wait();
            lease.leave().unwrap()
        };
        let (first, second) = std::thread::scope(|scope| {
            let other = scope.spawn(|| leave(two));
            (leave(one), other.join().unwrap())
        });
        assert!(first || second, "somebody must tear down");
    }
}

#[test]
fn the_bound_is_reached_and_said() {
    let name = name("bound");
    let all: Vec<_> = (0..LEASES_MAX).map(|_| Lease::take(&name).unwrap()).collect();
    assert_eq!(all[3].others().unwrap(), LEASES_MAX - 1);
    let refused = Lease::take(&name).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::QuotaExceeded);
    assert!(refused.to_string().contains(&format!("{LEASES_MAX} instances serve {name}")), "{refused}");
}

#[test]
fn a_process_in_other_mount_and_pid_namespaces_is_seen() {
    let unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !run(&format!("{} true", unshare.join(" "))).status.success() {
        return skip("lease in other namespaces", "not root");
    }
    let name = name("spaces");
    let mine = Lease::take(&name).unwrap();
    // the end of `unshare` ends what it started, and with it that namespace
    let other = Instance::start_by(&unshare, &name);
    assert_eq!(mine.others().unwrap(), 1);
    assert!(!other.leaves());
    assert_eq!(mine.others().unwrap(), 0);
    let elsewhere = Instance::start_by(&["unshare", "--net"], &name);
    assert_eq!(mine.others().unwrap(), 0, "another network is another node");
    assert!(elsewhere.leaves());
}
