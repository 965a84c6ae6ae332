//! A node with a daemon and its upstreams, and the doctor who looks at it.

use std::time::{Duration, Instant};

use nearpath_tests::daemon;
use nearpath_tests::node::{Instance, LOCAL_V4, LOCAL_V6, Node, Start};
use serde_json::Value;

/// What a healthy node serves.
pub(super) const COREFILE: &str = "\
.:53 {
    errors
    cache 30
    bind 169.254.20.10 fd00::53
    health 127.0.0.1:8080
    ready 127.0.0.1:8181
    forward . 10.2.0.2
}
";
/// What a healthy pod reads.
pub(super) const POD: &str =
    "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 169.254.20.10\noptions ndots:5\n";
/// A name with a TXT of 1,100 octets.
pub(super) const LARGE: &str = "large.example.";

/// What the doctor may take, all in all.
const WITHIN: Duration = Duration::from_secs(15);

/// A node, with a daemon unless it was killed.
pub(super) struct House {
    pub(super) node: Node,
    pub(super) daemon: Instance,
    /// What the daemon was told, for a doctor who finds none.
    told: Vec<String>,
}

impl House {
    /// A daemon with this Corefile and more flags.
    #[track_caller]
    pub(super) fn new(corefile: &str, flags: &[&str]) -> Self {
        Self::on(Self::node(), corefile, flags)
    }

    /// A node with its upstreams.
    #[track_caller]
    pub(super) fn node() -> Node {
        let root = ". 3600 SOA ns.example. host.example. 1 7200 900 1209600 300\n. 3600 NS ns.example.\n";
        // a reply of about 1,210 octets: more than small links carry, and whole in a datagram of the usual size
        let text: String = (0..5).map(|_| format!(" \"{}\"", "x".repeat(231))).collect();
        let example = format!(
            "example. 3600 SOA ns.example. host.example. 1 7200 900 1209600 300\nexample. 3600 NS ns.example.\n\
             ns.example. 3600 A 192.0.2.53\nwww.example. 3600 A 192.0.2.1\n{LARGE} 3600 TXT{text}\n"
        );
        Node::new(&[("example.", &example), (".", root)], &[])
    }

    /// A daemon on a node.
    #[track_caller]
    pub(super) fn on(node: Node, corefile: &str, flags: &[&str]) -> Self {
        let state = node.space().file("state").display().to_string();
        node.space().sh(&format!("mkdir -p {state}"));
        let conf = node.writes("Corefile", corefile).display().to_string();
        let own = format!("{LOCAL_V4},{LOCAL_V6}");
        let mut told: Vec<String> = ["-conf", &conf, "-localip", &own].map(str::to_owned).into();
        let mut start = Start::with(&["--nofile=16384", &daemon::binary().display().to_string()]);
        start.program = "prlimit".into();
        start.arguments.extend(told.iter().cloned());
        // what is taken away is not put back while the doctor looks
        let others =
            ["-failsafe-to", "10.2.0.2,10.2.0.3,[fd02::2]:53", "-syncinterval=3600", "-statedir", &state, "-threads=2"];
        let start = start.and(&others).and(flags);
        if flags.contains(&"-setupinterface=false") {
            node.space()
                .sh("ip link add hand0 type bridge; ip link set hand0 up; ip addr add 169.254.20.10/32 dev hand0
                ip -6 addr add fd00::53/128 dev hand0 nodad");
        }
        let mut daemon = node.starts(&start);
        daemon.serves();
        daemon.says("failsafe: without a daemon");
        told.extend(["-statedir".to_owned(), state]);
        Self { node, daemon, told }
    }

    /// Writes a file; its path.
    pub(super) fn writes(&self, name: &str, text: &str) -> String {
        self.node.writes(name, text).display().to_string()
    }

    /// Looks at the node after a script in mounts of the doctor's own; `FOLDER` in it stands for the node's folder.
    #[track_caller]
    pub(super) fn doctor(&self, script: &str, flags: &[&str]) -> Told {
        let begun = Instant::now();
        let (code, output) = self.looks(script, &[&["--json"], flags].concat());
        let took = begun.elapsed();
        assert!(took < 2 * WITHIN, "the doctor took {took:?}");
        let report = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"));
        Told { code, report, took }
    }

    /// The same, as a person reads it.
    #[track_caller]
    pub(super) fn doctor_text(&self, flags: &[&str]) -> String {
        self.looks("", flags).1
    }

    fn looks(&self, script: &str, flags: &[&str]) -> (i32, String) {
        let folder = self.node.space().folder().path().display().to_string();
        let script = format!("{}\nexec \"$@\"", script.replace("FOLDER", &folder));
        let binary = daemon::binary().display().to_string();
        let mut words = vec!["timeout", "60", "unshare", "--mount", "sh", "-ec", &script, "sh", &binary, "doctor"];
        words.extend(self.told.iter().map(String::as_str));
        words.extend(flags);
        let output = self.node.space().run(&words);
        let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!said.is_empty(), "the doctor says nothing: {complaint}");
        (output.status.code().expect("it ends by itself"), said.into_owned())
    }
}

/// What the doctor said.
pub(super) struct Told {
    pub(super) code: i32,
    report: Value,
    pub(super) took: Duration,
}

impl Told {
    fn all(&self) -> impl Iterator<Item = &Value> {
        self.report["checks"].as_array().expect("there are checks").iter()
    }

    /// How many checks there are.
    pub(super) fn checks(&self) -> usize {
        self.all().count()
    }

    fn of(&self, check: &str) -> &Value {
        self.all().find(|one| one["name"] == check).unwrap_or_else(|| panic!("no check is called {check}"))
    }

    /// `ok`, `warn`, `fail` or `skip`.
    pub(super) fn state(&self, check: &str) -> &str {
        self.of(check)["state"].as_str().expect("a state is a word")
    }

    /// True if it says what mends it.
    pub(super) fn mends(&self, check: &str) -> bool {
        self.of(check)["mend"].as_array().is_some_and(|mend| !mend.is_empty())
    }

    fn worse(&self) -> impl Iterator<Item = &Value> {
        self.all().filter(|one| one["state"] == "warn" || one["state"] == "fail")
    }

    /// A line for each check that is not well.
    pub(super) fn bad(&self) -> Vec<String> {
        let line = |one: &Value| format!("{} {}: {}", one["state"], one["name"], one["reason"]).replace('"', "");
        self.worse().map(line).collect()
    }

    /// Their names.
    pub(super) fn bad_names(&self) -> Vec<String> {
        self.worse().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Their states.
    pub(super) fn bad_states(&self) -> Vec<String> {
        self.worse().map(|one| one["state"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// All of it.
    pub(super) fn text(&self) -> String {
        let line = |one: &Value| format!("  {} {}: {}\n", one["state"], one["name"], one["reason"]).replace('"', "");
        self.all().map(line).collect()
    }
}
