//! A limit of 30 MB by cgroup: the store's bound fits, and a flood of distinct names neither kills nor starves.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nearpath_tests::metrics::sum;
use nearpath_tests::mode::{self, note};
use nearpath_tests::{Daemon, Reply, Udp, Upstream, ask};

use super::*;

/// The limit, octets.
const LIMIT: u64 = 30_000_000;
/// Questions that wait for their answers at a time.
const OUTSTANDING: usize = 128;

/// A store that no capacity bounds, so that memory does.
const LARGE: &str = "\
.:PORT {
    bind IP
    cache 3600 {
        success 10000000
        denial 10000000
    }
    prometheus 127.0.0.1:9253
    forward . CENTRE
}
";

/// A cgroup of the test's own, with a limit; gone at the end.
struct Group(PathBuf);

impl Group {
    /// One of version 1 below the test's own; `None` where none can be made. Of version 2 only the reading of limits is tested,
    /// beside its code.
    fn new() -> Option<Self> {
        // pages of a file count where they are first read: those of a debug build alone are more than the limit
        std::fs::read(nearpath_tests::daemon::binary()).expect("it was built");
        let own = std::fs::read_to_string("/proc/thread-self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.split_once(":memory:"))?.1;
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("nearpath-life-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let group = Self(Path::new("/sys/fs/cgroup/memory").join(own.trim_start_matches('/')).join(name));
        std::fs::create_dir(&group.0).ok()?;
        std::fs::write(group.0.join("memory.limit_in_bytes"), LIMIT.to_string()).ok()?;
        Some(group)
    }

    /// Starts something in it: a thread is in a cgroup of version 1 by itself, and hands it down.
    fn starting<T>(&self, start: impl FnOnce() -> T) -> T {
        let thread = nix::unistd::gettid().to_string();
        std::fs::write(self.0.join("tasks"), &thread).expect("root may");
        let started = start();
        let above = self.0.parent().expect("it has one above").join("tasks");
        std::fs::write(above, &thread).expect("root may");
        started
    }

    /// Sets the limit so that 92 % are used, as the daemon sees it. The kernel may give pages of files back at that.
    fn squeezes(&self) {
        let used = self.word("memory.usage_in_bytes", "").expect("version 1 says it");
        let used = used - self.word("memory.stat", "total_inactive_file ").expect("version 1 says it").min(used);
        self.limits(used + used / 12);
    }

    /// Sets another limit.
    fn limits(&self, octets: u64) {
        std::fs::write(self.0.join("memory.limit_in_bytes"), octets.to_string()).expect("root may");
    }

    fn word(&self, file: &str, key: &str) -> Option<u64> {
        let text = std::fs::read_to_string(self.0.join(file)).ok()?;
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let gone = || std::fs::remove_dir(&self.0).is_ok();
        within(5, gone);
    }
}

#[test]
fn thirty_megabytes_survive_a_flood_of_distinct_names() {
    alone(|| {
        let Some(group) = Group::new() else {
            return mode::skip("node", "no cgroup of version 1 can be made that limits memory");
        };
        let centre = Upstream::with(crate::scenario::TABLE);
        let mut daemon = group.starting(|| daemon(LARGE, &centre, &["-threads=2"]));
        assert!(daemon.has_logged(0, "memory is limited to 28 MiB", Duration::from_secs(1)));
        daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
        let idle = daemon.resident();
        let count = mode::of(100_000, 1_000_000);
        let begun = Instant::now();
        let told = flood(&mut daemon, count);
        let peak = group.word("memory.max_usage_in_bytes", "").unwrap_or(0);
        note(&format!(
            "{count} distinct names in {:.0} s: {} answered, {} refused, {} without a reply; hits {} of {}; resident {idle} KiB \
             before, {} after; the cgroup held {} KiB at most",
            begun.elapsed().as_secs_f64(),
            told.answered,
            told.refused,
            told.lost,
            told.hits,
            told.asked_hits,
            daemon.resident(),
            peak >> 10
        ));
        daemon.is_well();
        assert_eq!(group.word("memory.oom_control", "oom_kill ").unwrap_or(0), 0);
        assert_eq!(told.lost, 0, "every question has an answer");
        assert_eq!(told.hits, told.asked_hits, "hits go on");
        assert!(told.answered > count / 2, "{} of {count} answered", told.answered);
        daemon.asked(&ask("later.wild.example.com", "A")).is("NOERROR");
        let (_, text) = page("127.0.0.1:9253", "/metrics").unwrap();
        assert!(text.contains("nearpath_memory_limit_bytes 29999104\n"), "the limit in whole pages");
    });
}

#[test]
fn when_memory_runs_short_the_store_gives_and_hits_go_on() {
    alone(|| {
        let Some(group) = Group::new() else {
            return mode::skip("node", "no cgroup of version 1 can be made that limits memory");
        };
        let centre = Upstream::with(crate::scenario::TABLE);
        let mut daemon = group.starting(|| daemon(LARGE, &centre, &["-threads=2"]));
        daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
        flood(&mut daemon, 10_000);
        let client = daemon.client();
        let figure = |name| page("127.0.0.1:9253", "/metrics").map_or(0.0, |(_, text)| sum(&text, name, &[]));
        let bound = figure("nearpath_cache_bound_bytes");
        assert!(bound > 5e6, "{bound}");
        let relieved = || within(3, || figure("nearpath_memory_reliefs_total") >= 1.0);
        assert!((0..8).any(|_| {
            group.squeezes();
            relieved()
        }));
        assert!(within(5, || figure("nearpath_cache_bound_bytes") < bound), "the store's bound is lower");
        client.asks(&ask("www.example.com", "A")).is("NOERROR");
        // refused with an Extended DNS Error or answered, as the kernel has found pages of files to give back or not
        let reply = client.asks(&ask("p.wild.example.com", "A").edns(1232));
        note(&format!("a miss while memory is short: {} {:?}", reply.rcode, reply.edes()));
        assert!(reply.rcode == 0 || reply.edes() == [0], "{reply}");
        group.limits(LIMIT);
        let mut number = 0;
        let mut is_answered = || {
            number += 1;
            client.asks(&ask(&format!("p{number}.wild.example.com"), "A")).rcode == 0
        };
        assert!(within(10, || (0..50).all(|_| is_answered())), "all are answered once there is enough");
        assert!(within(30, || figure("nearpath_cache_bound_bytes") >= bound), "and the store has its room again");
        daemon.is_well();
    });
}

/// What became of the questions.
#[derive(Default)]
struct Told {
    answered: usize,
    refused: usize,
    lost: usize,
    hits: usize,
    asked_hits: usize,
}

/// So many distinct names, a window of them at a time, and a hit now and then.
fn flood(daemon: &mut Daemon, count: usize) -> Told {
    let (client, hits) = (daemon.client(), daemon.client());
    let mut told = Told::default();
    for first in (0..count).step_by(OUTSTANDING) {
        let window = first..(first + OUTSTANDING).min(count);
        let size = window.len();
        for index in window {
            client.send(&ask(&format!("n{index}.wild.example.com"), "A").wire());
        }
        let got = (0..size).map_while(|_| client.receive(Duration::from_secs(6))).map(|octets| rcode(&octets));
        let (good, bad): (Vec<u8>, Vec<u8>) = got.partition(|rcode| *rcode == 0);
        told.answered += good.len();
        told.refused += bad.len();
        told.lost += size - good.len() - bad.len();
        if first % (OUTSTANDING * 16) == 0 {
            told.asked_hits += 1;
            told.hits += usize::from(is_hit(&hits));
        }
    }
    told
}

fn rcode(octets: &[u8]) -> u8 {
    octets[3] & 0x0f
}

fn is_hit(client: &Udp) -> bool {
    client.send(&ask("www.example.com", "A").wire());
    let reply = client.receive(Duration::from_secs(6)).and_then(|octets| Reply::read(&octets).ok());
    reply.is_some_and(|reply| reply.answers() == ["www.example.com. A 192.0.2.1"])
}
