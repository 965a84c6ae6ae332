//! Tests: a network of a thread's own, so that nothing of this machine's is touched and nothing is left behind.

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write as _;
use std::process::{Command, Output};

use nix::sched::{CloneFlags, unshare};

use super::{Handle, connect};

/// Says something in the test's output.
pub(crate) fn note(text: &str) {
    writeln!(std::io::stdout(), "  {text}").expect("a test's output can be written");
}

/// Names a test as skipped; in CI nothing may be.
#[track_caller]
pub(crate) fn skip(test: &str, why: &str) {
    let line = format!("{test}: {why}");
    assert!(std::env::var_os("CI").is_none(), "skipped in CI: {line}");
    note(&format!("SKIPPED {line}"));
    if let Some(path) = std::env::var_os("NEARPATH_SKIPS") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        written.expect("the list of skips can be written");
    }
}

/// Does this in a thread with a network of its own, in which `lo` is up; named as skipped where that is not allowed. Programs that
/// it starts are in that network too. It ends with the last process and socket in it.
#[track_caller]
pub(crate) fn in_own_network(test: &str, work: impl FnOnce() + Send) {
    let thread = || {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            return Some(error);
        }
        ip("link set lo up");
        work();
        None
    };
    let refused = std::thread::scope(|scope| scope.spawn(thread).join());
    match refused {
        Ok(None) => (),
        Ok(Some(error)) => skip(test, &format!("no network of its own: {error}")),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Does this with netlink in the network of this thread.
pub(crate) fn with_netlink<T, F: Future<Output = T>>(work: impl FnOnce(Handle) -> F) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(async { work(connect().expect("netlink can be opened")).await })
}

/// A program in the network of this thread.
pub(crate) fn run(words: &str) -> Output {
    let mut words = words.split(' ');
    let program = words.next().expect("a program");
    Command::new(program).args(words).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// `ip` in the network of this thread, and what it says.
#[track_caller]
pub(crate) fn ip(words: &str) -> String {
    let output = run(&format!("ip {words}"));
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("ip writes UTF-8")
}

/// All that `ip` shows of links, addresses, routes of all tables and neighbours, but for [the carrier](lasting).
pub(crate) fn everything() -> Vec<String> {
    let shows = [
        "-j link show",
        "-j addr show",
        "-j route show table all",
        "-j -6 route show table all",
        "-j neigh show",
        "-j -6 neigh show",
    ];
    shows.iter().map(|words| lasting(words)).collect()
}

/// What `ip -j` shows that nobody but its maker changes: whether there is a carrier the kernel finds out by itself, up to a second
/// after a link was raised, and tells in the link's state, in its flags and in those of its routes.
pub(crate) fn lasting(words: &str) -> String {
    const CARRIER: &[&str] =
        &["\"NO-CARRIER\",", "\"LOWER_UP\"", "\"linkdown\"", "\"operstate\":\"UNKNOWN\",", "\"operstate\":\"DOWN\","];
    let text = ip(words);
    assert!(text.starts_with('['), "ip -j writes JSON: {text}");
    CARRIER.iter().fold(text, |text, word| text.replace(word, "")).replace(",]", "]")
}
