//! Where the cases are played: a daemon with a block for each of them, the upstreams behind it, and the three tellers.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nearpath_tests::apiserver::ApiServer;
use nearpath_tests::{Ask, Daemon, Udp, Upstream, ask, daemon, http, mode};
use serde_json::Value;

/// How long a command, and what comes by itself, may take. Generous: the machine may be busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon, and all that it asks.
pub(super) struct House {
    pub(super) daemon: Daemon,
    pub(super) upstreams: HashMap<&'static str, Upstream>,
    pub(super) server: Option<ApiServer>,
    /// Clients whose questions are under way.
    pub(super) waiting: Vec<Udp>,
    /// For names that nobody has asked for yet.
    pub(super) number: usize,
}

/// What dig printed.
pub(super) struct Dug {
    pub(super) text: String,
    pub(super) rcode: String,
    /// Of the Extended DNS Errors the one that is none: the way.
    pub(super) way: String,
    /// The other one.
    pub(super) ede: Option<(u16, String)>,
}

impl House {
    /// A daemon with this Corefile, where words stand for upstreams with these records.
    #[track_caller]
    pub(super) fn new(
        corefile: &str,
        upstreams: &[(&'static str, &[&str])],
        pods: &str,
        server: Option<ApiServer>,
    ) -> Self {
        let upstreams: HashMap<_, _> = upstreams.iter().map(|(word, table)| (*word, Upstream::with(table))).collect();
        let words: Vec<_> = upstreams.iter().map(|(word, upstream)| (*word, upstream.address())).collect();
        let flags = server.as_ref().map(|server| server.flags("node-1")).unwrap_or_default();
        let flags: Vec<&str> = ["-statedir", "state"].into_iter().chain(flags.iter().map(String::as_str)).collect();
        let files = [("pods", pods), ("resolv.conf", "nameserver 192.0.2.1\n")];
        let daemon = Daemon::with(corefile, &words, &files, &flags);
        Self { daemon, upstreams, server, waiting: Vec::new(), number: 0 }
    }

    /// A text with addresses in the place of words.
    pub(super) fn filled(&self, text: &str) -> String {
        let words: Vec<_> =
            self.upstreams.iter().map(|(word, upstream)| ((*word).to_owned(), upstream.address())).collect();
        daemon::fill(text, &words)
    }

    pub(super) fn upstream(&mut self, word: &str) -> &mut Upstream {
        self.upstreams.get_mut(word).expect("the table's words are those of the house")
    }

    /// Asks without waiting for the reply.
    pub(super) fn sends(&mut self, ask: &Ask) {
        let client = self.daemon.client();
        client.send(&ask.wire());
        self.waiting.push(client);
    }

    /// Asks for addresses as somebody.
    #[track_caller]
    pub(super) fn asks(&self, client: &str, name: &str) -> nearpath_tests::Reply {
        self.daemon.client_at(client.parse().expect("an address")).asks(&ask(name, "A").edns(1232))
    }

    /// A name in front of this one that nobody has asked for yet.
    pub(super) fn unheard(&mut self, below: &str) -> String {
        self.number += 1;
        format!("n{}.{below}", self.number)
    }

    /// The metrics as they stand.
    #[track_caller]
    pub(super) fn scrape(&self) -> String {
        let (status, page) = http::fetch(&format!("{}:9153", self.daemon.address().ip()), "/metrics");
        assert_eq!(status, 200);
        page
    }

    /// Asks by dig, and why.
    #[track_caller]
    pub(super) fn dig(&self, client: &str, words: &[&str]) -> Dug {
        let at = self.daemon.address();
        let (server, port) = (format!("@{}", at.ip()), at.port().to_string());
        let mut all = vec![server.as_str(), "-p", &port, "-b", client, "+nsid", "+time=6", "+tries=1"];
        all.extend(words);
        let output = mode::command("dig").args(&all).output().expect("an installed program runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "dig {all:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        Dug::read(text)
    }

    /// Asks the socket for the same.
    #[track_caller]
    pub(super) fn explains(&self, client: &str, name: &str, rtype: &str, options: &[&str]) -> Value {
        let folder = self.daemon.folder().file("state").display().to_string();
        let absolute = format!("{name}.");
        let mut all = vec!["explain", &absolute, rtype, "--ip", client, "--json", "--statedir", &folder];
        all.extend(options.contains(&"+dnssec").then_some("--dnssec"));
        let output = daemon::run(&all, PATIENCE);
        let error = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|wrong| panic!("{wrong}: {all:?} says {error}"))
    }
}

impl Dug {
    #[track_caller]
    fn read(text: String) -> Self {
        let rcode = text.split("status: ").nth(1).and_then(|rest| rest.split(',').next()).expect("a status").to_owned();
        let mut all: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("; EDE: ")).map(error).collect();
        let (code, way) = all.pop().unwrap_or_else(|| panic!("dig is told no way:\n{text}"));
        assert!(code == 0 && all.len() <= 1, "a way, and at most one error before it:\n{text}");
        Self { rcode, way, ede: all.pop(), text }
    }
}

/// `22 (No Reachable Authority): (text)`, or `29: (text)` where dig does not know the name.
fn error(line: &str) -> (u16, String) {
    let code: String = line.chars().take_while(char::is_ascii_digit).collect();
    let text = line.split_once(": (").and_then(|(_, text)| text.strip_suffix(')')).unwrap_or_default();
    (code.parse().expect("a code"), text.to_owned())
}

/// Waits for something that comes by itself.
#[track_caller]
pub(super) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
