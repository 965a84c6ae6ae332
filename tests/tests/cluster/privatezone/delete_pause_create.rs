//! Names that are deleted and made again with another address 3 s later, as several providers of ExternalDNS change them, while
//! four clients ask all the time: with `vanish_grace` none of them ever hears that there is nothing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nearpath_tests::knot::Change;
use nearpath_tests::mode::{self, note};
use nearpath_tests::{Daemon, Knot, Udp, ask, place};

use super::house::addresses;
use super::{ZONE, reply_within};
use crate::cluster::within;

/// Clients of each daemon, and what each asks per second: 1,000 together.
const CLIENTS: usize = 4;
const RATE: u32 = 250;
/// Names whose records go all together, and names at which a TXT record stays, as that of ExternalDNS' registry may.
const NAMES: usize = 20;
/// Before the names go, while they are gone, and afterwards at most until all is new.
const BEFORE: Duration = Duration::from_secs(3);
const GONE: Duration = Duration::from_secs(3);
const NEW_WITHIN: Duration = Duration::from_secs(20);

const OLD: &str = "203.0.113.1";
const NEW: &str = "203.0.113.2";

const COREFILE: &str = "\
corp.example:PORT {
    bind IP
    cache {
        success 9984 3600 1
        denial 9984 1800 1
    }
    privatezone {
        to KNOT
        max_qps 0
        GRACE
    }
}
";

/// What a daemon's clients heard.
#[derive(Debug, Default)]
struct Tally {
    old: usize,
    new: usize,
    nxdomain: usize,
    nodata: usize,
    failed: usize,
    unanswered: usize,
    late: usize,
}

#[test]
fn whoever_asks_in_the_pause_hears_the_old_answer() {
    if !mode::have("cluster", &["knotd", nearpath_tests::program::NEEDS]) {
        return;
    }
    let knot = Knot::serving(&[(ZONE, "")]);
    for number in 0..NAMES {
        knot.takes(ZONE, &[Change::Add(&format!("{} 1 A {OLD}", name(number)))]);
        if has_text(number) {
            knot.takes(ZONE, &[Change::Add(&format!("{} 1 TXT heritage=external-dns", name(number)))]);
        }
    }
    let daemon =
        |grace: &str| Daemon::given(COREFILE, &[("KNOT", knot.address().to_string()), ("GRACE", grace.to_owned())]);
    let (mut with, mut without) = (daemon(""), daemon("vanish_grace 0s"));
    let stop = AtomicBool::new(false);
    let (kept, lost) = std::thread::scope(|scope| {
        let [kept, lost] = [&with, &without].map(|daemon| {
            let server = daemon.address();
            let client = |number| {
                scope.spawn({
                    let stop = &stop;
                    move || asks_until(stop, server, number)
                })
            };
            (0..CLIENTS).map(client).collect::<Vec<_>>()
        });
        let stops = Stops(&stop);
        std::thread::sleep(BEFORE);
        for number in 0..NAMES {
            knot.takes(ZONE, &[Change::DeleteType(&name(number), "A")]);
        }
        std::thread::sleep(GONE);
        for number in 0..NAMES {
            knot.takes(ZONE, &[Change::Add(&format!("{} 1 A {NEW}", name(number)))]);
        }
        let took =
            [&with, &without].map(|daemon| within(NEW_WITHIN, "all names have the new address", || is_all_new(daemon)));
        note(&format!(
            "all new after the create: {:.1} s, without vanish_grace {:.1} s",
            took[0].as_secs_f64(),
            took[1].as_secs_f64()
        ));
        drop(stops);
        (sum(kept), sum(lost))
    });
    note(&format!("with vanish_grace: {kept:?}"));
    note(&format!("without: {lost:?}"));
    with.is_well();
    without.is_well();
    let asked = |tally: &Tally| tally.old + tally.new + tally.nxdomain + tally.nodata + tally.failed + tally.unanswered;
    assert!(asked(&kept) > 3_000 && asked(&lost) > 3_000, "that is a load");
    assert!(lost.nxdomain > 0, "without vanish_grace some see that the name is gone: {lost:?}");
    assert!(kept.nxdomain == 0 && kept.nodata == 0, "with it nobody does: {kept:?}");
    assert!(kept.failed == 0 && kept.unanswered == 0 && kept.new > 0, "{kept:?}");
}

fn name(number: usize) -> String {
    format!("n{number}.{ZONE}")
}

/// Every other name keeps a TXT record: it has no data of the type then, and the others do not exist.
fn has_text(number: usize) -> bool {
    number.is_multiple_of(2)
}

fn is_all_new(daemon: &Daemon) -> bool {
    let client = daemon.client();
    (0..NAMES).all(|number| addresses(&client.asks(&ask(&name(number), "A"))) == [NEW])
}

/// Ends the clients however the test ends: they are waited for.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Asks on schedule, one question after another.
fn asks_until(stop: &AtomicBool, server: SocketAddr, number: usize) -> Tally {
    let client = Udp::from(place::address(), server);
    let (mut tally, begun) = (Tally::default(), Instant::now());
    for turn in 0u32.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        match begun
            .checked_add(Duration::from_secs(1) * turn / RATE)
            .map(|due| due.saturating_duration_since(Instant::now()))
        {
            Some(wait) if !wait.is_zero() => std::thread::sleep(wait),
            _ => tally.late += 1,
        }
        let asked = ask(&name((turn as usize * 7 + number) % NAMES), "A");
        let Some(reply) = reply_within(&client, &asked, Duration::from_secs(5)) else {
            tally.unanswered += 1;
            continue;
        };
        match (reply.rcode, addresses(&reply).as_slice()) {
            (0, [one]) if one == OLD => tally.old += 1,
            (0, [one]) if one == NEW => tally.new += 1,
            (0, []) => tally.nodata += 1,
            (3, _) => tally.nxdomain += 1,
            _ => tally.failed += 1,
        }
    }
    tally
}

fn sum(threads: Vec<std::thread::ScopedJoinHandle<'_, Tally>>) -> Tally {
    let tallies = threads.into_iter().map(|thread| thread.join().expect("a client does not panic"));
    tallies.fold(Tally::default(), |sum, one| Tally {
        old: sum.old + one.old,
        new: sum.new + one.new,
        nxdomain: sum.nxdomain + one.nxdomain,
        nodata: sum.nodata + one.nodata,
        failed: sum.failed + one.failed,
        unanswered: sum.unanswered + one.unanswered,
        late: sum.late + one.late,
    })
}
