//! Each fault of the API server for a while, with questions all the time and changes that it does not tell of.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nearpath_tests::apiserver::{ApiServer, Fault, Streams, What};
use nearpath_tests::mode;

use super::{AFTER, IN_STEP_WITHIN, Node};

/// How long a fault lasts.
fn a_while() -> Duration {
    Duration::from_secs(mode::of(2, 30))
}

/// What a fault is, and what is expected of the daemon.
struct Case {
    name: &'static str,
    begins: fn(&mut ApiServer),
    ends: fn(&mut ApiServer),
    /// How lists are had.
    streams: Streams,
    /// Words of the log's line on it, and the label in the metric; `None`: it is no failure at all.
    said: Option<(&'static str, &'static str)>,
    /// Whether it is noticed before it ends.
    noticed: bool,
}

/// Most requests about one kind of object from a fault's begin until all is well: a first one, those of the back-off
/// (waits of up to 1, 2, 4, 8 and 16 s), and a list and a watch at the end.
const REQUESTS_MAX: usize = 14;

impl Case {
    #[track_caller]
    fn runs(self) {
        let Self { name, begins, ends, streams, said, noticed } = self;
        let mut node = Node::new(|server| server.streams(streams));
        let load = node.load();
        let (asked, logged) = (node.server.seen().len(), node.daemon.log_len());
        begins(&mut node.server);
        node.changes();
        sleep(a_while());
        if let (true, Some((_, reason))) = (noticed, said) {
            node.counts_failures(reason);
        }
        ends(&mut node.server);
        let end = Instant::now();
        // a fault that lasts long may end while the back-off waits for a minute
        node.is_in_step_by(end + IN_STEP_WITHIN + Duration::from_secs(mode::of(0, 60)), &AFTER, 1);
        let took = end.elapsed();
        let requests = |kind| node.server.seen()[asked..].iter().filter(|seen| seen.kind == kind).count();
        let (pods, slices) = (requests("Pod"), requests("EndpointSlice"));
        mode::note(&format!(
            "{name}: in step {:.1} s after its end; requests: {pods} for pods, {slices} for endpoints",
            took.as_secs_f64()
        ));
        assert!(pods <= REQUESTS_MAX && slices <= REQUESTS_MAX, "{:#?}", &node.server.seen()[asked..]);
        for (kind, subject) in [("pods", "kubernetes: pods:"), ("endpointslices", "kubernetes: endpoints of")] {
            let Some((words, _)) = said else {
                assert_eq!(node.lines(logged, &[subject, "WARN"]), Vec::<String>::new());
                continue;
            };
            // as soon as it has been calm for a while
            let deadline = Instant::now() + IN_STEP_WITHIN;
            while node.lines(logged, &[subject, "in step again"]).is_empty() {
                assert!(Instant::now() < deadline, "nothing says of {kind} that all is well again");
                sleep(Duration::from_millis(50));
            }
            assert_eq!(node.lines(logged, &[subject, "WARN", words]).len(), 1, "{:#?}", node.daemon.log_since(logged));
            // that the connection broke, or that the watch ended, may have been the first that was seen of it
            assert!(node.lines(logged, &[subject, "WARN"]).len() <= 3, "{:#?}", node.daemon.log_since(logged));
            assert_eq!(node.lines(logged, &[subject, "in step again"]).len(), 1);
        }
        if let Some((_, reason)) = said {
            node.counts_failures(reason);
        }
        assert!(node.knows(&AFTER, 1), "what is known stays known");
        let age = node.metric("nearpath_kubernetes_index_age_seconds", &[]);
        assert!(age < 5.0, "the API server was heard a moment ago, not {age} s");
        assert_eq!(node.metric("nearpath_kubernetes_addresses", &[]), 4.0);
        assert!(load.stops() > 100, "questions were asked all the time");
        node.daemon.is_well();
    }
}

impl Node {
    /// Waits until failures of both watches are counted under this label.
    #[track_caller]
    fn counts_failures(&self, reason: &str) {
        let deadline = Instant::now() + IN_STEP_WITHIN;
        for kind in ["pods", "endpointslices"] {
            let labels = [("kind", kind), ("reason", reason)];
            while self.metric("nearpath_kubernetes_watch_failures_total", &labels) < 1.0 {
                assert!(Instant::now() < deadline, "no failure is counted under {kind}, {reason}");
                sleep(Duration::from_millis(50));
            }
        }
    }
}

/// A fault that is noticed, and lasts until it is healed.
#[track_caller]
fn fault(name: &'static str, begins: fn(&mut ApiServer), streams: Streams, said: (&'static str, &'static str)) {
    Case { name, begins, ends: |server| server.heals(), streams, said: Some(said), noticed: true }.runs();
}

#[test]
fn forgotten_in_mid_watch() {
    Case {
        name: "410 in mid-watch",
        begins: |server| server.fails(Fault::Hang),
        ends: |server| {
            server.expels();
            server.heals();
        },
        streams: Streams::Given,
        said: Some(("cannot go on from what was known", "gone")),
        noticed: false,
    }
    .runs();
}

#[test]
fn forgotten_between_watches() {
    for streams in [Streams::Given, Streams::Refused] {
        Case {
            name: "410 for a new watch",
            begins: |server| server.fails(Fault::Hang),
            ends: |server| {
                server.forgets();
                server.ends_watches();
                server.heals();
            },
            streams,
            said: Some(("cannot go on from what was known", "gone")),
            noticed: false,
        }
        .runs();
    }
}

#[test]
fn watches_that_end_at_once() {
    let begins = |server: &mut ApiServer| server.fails(Fault::EndsWatches(Duration::ZERO));
    fault("watches that end at once", begins, Streams::Given, ("ended the watch at once", "ended"));
}

#[test]
fn watches_that_end_soon() {
    let begins = |server: &mut ApiServer| server.fails(Fault::EndsWatches(Duration::from_secs(1)));
    fault("watches that end after 1 s", begins, Streams::Refused, ("ended the watch at once", "ended"));
}

#[test]
fn watches_that_end_without_a_word() {
    let mut node = Node::new(|server| server.bookmarks_every(Duration::from_secs(60)));
    let load = node.load();
    let asked = node.server.seen().len();
    node.server.fails(Fault::EndsWatches(Duration::from_millis(5_500)));
    sleep(Duration::from_secs(5));
    node.changes(); // about when the first one ends
    node.is_in_step_by(Instant::now() + IN_STEP_WITHIN, &AFTER, 1);
    sleep(Duration::from_secs(7));
    assert!(node.knows(&AFTER, 1), "what is known stays known");
    let asked: Vec<_> = node.server.seen().split_off(asked);
    assert!((2..=8).contains(&asked.len()), "each watch is opened anew: {asked:#?}");
    assert!(asked.iter().all(|seen| seen.what == What::Watch), "nothing has to be listed: {asked:#?}");
    assert!(load.stops() > 100);
}

#[test]
fn hangs() {
    Case {
        name: "hangs, and goes on",
        begins: |server| {
            server.fails(Fault::Hang);
            server.resets();
        },
        ends: |server| server.heals(),
        streams: Streams::Given,
        said: Some(("the connection broke", "unreachable")),
        noticed: false,
    }
    .runs();
    Case {
        name: "hangs, and loses its connections",
        begins: |server| server.fails(Fault::Hang),
        ends: |server| {
            server.resets();
            server.heals();
        },
        streams: Streams::Refused,
        said: Some(("the connection broke", "unreachable")),
        noticed: false,
    }
    .runs();
}

#[test]
fn half_a_line() {
    let begins = |server: &mut ApiServer| server.fails(Fault::HalfALine);
    fault("half a line", begins, Streams::Refused, ("ended the watch at once", "ended"));
}

#[test]
fn half_a_line_and_the_rest_much_later() {
    Case {
        name: "half a line, the rest later",
        begins: |server| server.fails(Fault::HalfALineThenHang),
        ends: |server| server.heals(),
        streams: Streams::Given,
        said: None,
        noticed: false,
    }
    .runs();
}

#[test]
fn words_that_nobody_understands() {
    let not_understood = ("words are not understood", "nonsense");
    fault("wrong types", |server| server.fails(Fault::WrongType), Streams::Given, not_understood);
    fault("junk", |server| server.fails(Fault::Junk), Streams::Refused, not_understood);
    fault("events of unknown type", |server| server.fails(Fault::UnknownType), Streams::Given, not_understood);
}

#[test]
fn statuses() {
    for streams in [Streams::Given, Streams::Refused] {
        let begins = |server: &mut ApiServer| {
            server.fails(Fault::Status(500));
            server.ends_watches();
        };
        fault("status 500", begins, streams, ("the API server says 500", "status"));
    }
}

#[test]
fn too_many_requests() {
    let begins = |server: &mut ApiServer| {
        server.fails(Fault::Busy { status: 429, seconds: 2 });
        server.ends_watches();
    };
    fault("status 429, again in 2 s", begins, Streams::Given, ("asks to wait 2 s (status 429)", "busy"));
}

#[test]
fn versions_that_lie_ahead() {
    for streams in [Streams::Given, Streams::Refused] {
        let begins = |server: &mut ApiServer| {
            server.fails(Fault::Behind);
            server.ends_watches();
        };
        fault("504, too large a version", begins, streams, ("cannot go on from what was known", "gone"));
    }
}

#[test]
fn lists_older_than_what_is_known() {
    let begins = |server: &mut ApiServer| {
        server.fails(Fault::OldLists);
        server.expels();
    };
    fault("lists of long ago", begins, Streams::Refused, ("cannot go on from what was known", "gone"));
}

#[test]
fn a_certificate_that_expires() {
    Case {
        name: "an expired certificate",
        begins: |server| {
            server.lets_its_certificate_expire();
            server.resets();
        },
        ends: |server| server.renews_its_certificate(),
        streams: Streams::Given,
        said: Some(("no trust between", "certificate")),
        noticed: true,
    }
    .runs();
}

#[test]
fn a_certificate_of_another_authority() {
    Case {
        name: "another authority",
        begins: |server| {
            server.changes_its_authority();
            server.resets();
        },
        ends: |server| server.hands_out_authority(),
        streams: Streams::Given,
        said: Some(("no trust between", "certificate")),
        noticed: true,
    }
    .runs();
}

#[test]
fn a_token_that_rotates() {
    Case {
        name: "a rotated token",
        begins: |server| {
            server.accepts("second-token");
            server.ends_watches();
        },
        ends: |server| server.hands_out("second-token"),
        streams: Streams::Given,
        said: Some(("the API server refuses (status 401)", "denied")),
        noticed: true,
    }
    .runs();
}

#[test]
fn nobody_there() {
    Case {
        name: "connections refused",
        begins: ApiServer::dies,
        ends: ApiServer::revives,
        streams: Streams::Given,
        said: Some(("the connection broke", "unreachable")),
        noticed: true,
    }
    .runs();
}

#[test]
fn all_connections_reset() {
    let begins = |server: &mut ApiServer| server.resets();
    fault("connections reset", begins, Streams::Given, ("the connection broke", "unreachable"));
}

/// Nothing comes on a connection that is not closed either: noticed after 90 s.
#[test]
fn a_watch_that_is_silent_for_ever() {
    if !mode::is_long() {
        return;
    }
    let mut node = Node::new(|_| {});
    let load = node.load();
    let logged = node.daemon.log_len();
    node.server.forsakes();
    node.changes();
    let begin = Instant::now();
    while node.lines(logged, &["kubernetes: pods:", "silent for 90 s"]).is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(120), "nobody notices");
        sleep(Duration::from_millis(200));
    }
    node.is_in_step_by(Instant::now() + IN_STEP_WITHIN, &AFTER, 1);
    mode::note(&format!("a watch that is silent for ever: in step {:.0} s after it", begin.elapsed().as_secs_f64()));
    assert!(load.stops() > 1_000);
}
