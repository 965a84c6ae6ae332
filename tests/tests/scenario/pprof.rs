//! A profile of a daemon at work, as Go's `pprof` fetches and reads it.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nearpath_tests::{Daemon, ask, mode};

/// Neither this folder nor `/tmp` is there in the image of the daemon.
const NO_FOLDER: &str = "/nonexistent";

#[test]
fn functions_are_named_to_gos_pprof_also_where_no_folder_takes_temporary_files() {
    if !mode::have("scenario::pprof", &["go"]) {
        return;
    }
    let daemon = Daemon::given_variables(".:PORT {\n bind IP\n pprof IP:6053\n whoami\n}\n", &[("TMPDIR", NO_FOLDER)]);
    let source = format!("http://{}:6053/debug/pprof/profile?seconds=2", daemon.address().ip());
    let is_read = AtomicBool::new(false);
    let read = std::thread::scope(|scope| {
        scope.spawn(|| {
            let client = daemon.client();
            while !is_read.load(Ordering::Acquire) {
                client.asks(&ask("www.example.org.", "A"));
                std::thread::sleep(Duration::from_micros(100));
            }
        });
        let mut pprof = Command::new("timeout");
        pprof.args(["100", "go", "tool", "pprof", "-top", "-nodecount=2000", "-nodefraction=0", &source]);
        let read = pprof.env("PPROF_TMPDIR", daemon.folder().path()).env("GOWORK", "off").output();
        is_read.store(true, Ordering::Release);
        read.expect("a shell's timeout is there")
    });
    let (words, complaints) = (String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr));
    assert!(read.status.success(), "{words}{complaints}");
    for expected in ["Type: cpu", "nearpath::serve::udp::"] {
        assert!(words.contains(expected), "no {expected}: {words}{complaints}");
    }
}
