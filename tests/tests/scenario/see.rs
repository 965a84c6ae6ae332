//! What is seen of a daemon from its node: the unix socket, `explain`, `watch`, `top`, and what is printed for shells and readers.

mod explain;
mod live;
mod paper;
mod socket;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use nearpath_tests::{Daemon, Upstream, daemon};

use super::TABLE;

/// How long a command may take. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

const PODS: &str = "shop/web 127.3.0.1 search shop.svc.cluster.local svc.cluster.local cluster.local\n";

/// In the folder of the daemon, which is where it works.
const COREFILE: &str = "cluster.local:PORT {\n bind IP\n errors\n autopath {\n  pods FOLDER/pods\n }\n cache 30\n forward . CENTRE\n}\n\
                        .:PORT {\n bind IP\n errors\n acl {\n  block net 127.3.0.66/32\n }\n cache 30\n forward . CENTRE\n}\n";

/// A daemon that can be asked about itself, and whom it asks.
struct House {
    centre: Upstream,
    daemon: Daemon,
}

#[track_caller]
fn house() -> House {
    let centre = Upstream::with(TABLE);
    let words = [("CENTRE", centre.address())];
    let daemon = Daemon::with(COREFILE, &words, &[("pods", PODS)], &["-statedir", "state"]);
    House { centre, daemon }
}

impl House {
    fn folder(&self) -> PathBuf {
        self.daemon.folder().file("state")
    }

    fn socket(&self) -> PathBuf {
        self.folder().join("nearpath.sock")
    }

    /// What a subcommand says when it asks this daemon.
    #[track_caller]
    fn says(&self, arguments: &[&str]) -> Said {
        let folder = self.folder().display().to_string();
        said(&[arguments, &["--statedir", &folder]].concat())
    }
}

/// What a subcommand said, and how it ended.
#[derive(Debug)]
struct Said {
    out: String,
    err: String,
    code: Option<i32>,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |octets: Vec<u8>| String::from_utf8(octets).expect("UTF-8");
        Self { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
    }
}

impl Said {
    #[track_caller]
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

#[track_caller]
fn said(arguments: &[&str]) -> Said {
    daemon::run(arguments, PATIENCE).into()
}

/// Waits for something that comes by itself.
#[track_caller]
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where somebody else may run the program: a copy of it that everybody can reach.
fn everybodys_copy(folder: &Path) -> PathBuf {
    let copy = folder.join("nearpath");
    std::fs::copy(daemon::binary(), &copy).expect("the binary can be copied");
    copy
}
