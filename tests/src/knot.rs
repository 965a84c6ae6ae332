//! A real knotd as ExternalDNS and companies have it: authoritative for private zones, updated by messages, killed and
//! started again with what it had.

mod update;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

pub use self::update::Change;
use crate::client::Udp;
use crate::message::{Reply, ask};
use crate::mode;
use crate::place::{self, Folder};
use crate::program::Program;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name of the key for transfers and updates.
pub const KEY: &str = "externaldns";
/// What it is made with.
pub const KEY_ALGORITHM: &str = "hmac-sha256";
/// The key, in base64.
pub const SECRET: &str = "bmVhcnBhdGgtdGVzdHMtb2YtcHJpdmF0ZS16b25lcyE=";

/// A knotd; ends with its owner.
#[derive(Debug)]
pub struct Knot {
    program: Option<Program>,
    address: SocketAddr,
    zones: Vec<String>,
    folder: Folder,
}

impl Knot {
    /// A knotd that is authoritative for these zones: the name of each with its final dot, and its records beside SOA and NS,
    /// a line each as a master file has them (RFC 1035 5.1).
    ///
    /// Transfers and updates are for the owner of the key; updates also for whoever asks from 127.0.0.1 without one.
    #[track_caller]
    pub fn serving(zones: &[(&str, &str)]) -> Self {
        let address = place::socket();
        let folder = Folder::new();
        for (number, (origin, lines)) in zones.iter().enumerate() {
            let head = format!(
                "$ORIGIN {origin}\n$TTL 300\n@ SOA ns hostmaster 1 7200 900 1209600 60\n@ NS ns\nns A 192.0.2.53\n"
            );
            folder.write(&format!("zone-{number}"), &format!("{head}{lines}\n"));
        }
        Self::given(address, folder, zones.iter().map(|(origin, _)| (*origin).to_owned()).collect())
    }

    /// The same for one zone whose master file is whole.
    #[track_caller]
    pub fn with_master_file(origin: &str, text: &str) -> Self {
        let folder = Folder::new();
        folder.write("zone-0", text);
        Self::given(place::socket(), folder, vec![origin.to_owned()])
    }

    #[track_caller]
    fn given(address: SocketAddr, folder: Folder, zones: Vec<String>) -> Self {
        folder.write("knot.conf", &configuration(address, &folder, &zones));
        let mut this = Self { program: None, address, zones, folder };
        this.starts();
        this
    }

    /// Starts it, with the zones as they were, and waits until it answers.
    #[track_caller]
    pub fn starts(&mut self) {
        self.begins();
        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            let program = self.program.as_mut().expect("just started");
            if let Some(status) = program.ended() {
                panic!("knotd ended with {status}:\n{}", program.last_words());
            }
            assert!(Instant::now() < deadline, "knotd does not answer:\n{}", program.last_words());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The same without a wait.
    #[track_caller]
    pub fn begins(&mut self) {
        let arguments = ["-c".to_owned(), self.folder.file("knot.conf").display().to_string()];
        let path = mode::find("knotd").expect("knotd is installed");
        self.program = Some(Program::start(&path, &arguments, &[], &self.folder.file("log")));
    }

    /// True if it answers for its first zone within a moment.
    pub fn answers(&self) -> bool {
        let asked = ask(&self.zones[0], "SOA");
        let client = self.client();
        client.send(&asked.wire());
        let reply = client.receive(Duration::from_millis(100)).and_then(|octets| Reply::read(&octets).ok());
        reply.is_some_and(|reply| reply.id == asked.id && reply.rcode == 0 && !reply.answers().is_empty())
    }

    /// Kills it (-9).
    pub fn is_killed(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.kill();
        }
    }

    /// Where it serves UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client that asks it directly.
    pub fn client(&self) -> Udp {
        Udp::from(Ipv4Addr::LOCALHOST.into(), self.address)
    }

    /// What it says to a question.
    #[track_caller]
    pub fn asked(&self, name: &str, rtype: &str) -> Reply {
        self.client().asks(&ask(name, rtype))
    }

    /// Changes a zone by one message (RFC 2136): all of it at once, and done when this returns.
    #[track_caller]
    pub fn takes(&self, zone: &str, changes: &[Change<'_>]) {
        let client = Udp::from(IpAddr::from(Ipv4Addr::LOCALHOST), self.address);
        let message = update::message(zone, changes);
        client.send(&message);
        let reply = client.receive(PATIENCE).unwrap_or_else(|| panic!("knotd says nothing to an update of {zone}"));
        assert!(reply[..2] == message[..2] && reply[3] & 15 == 0, "the update of {zone} is refused: {reply:02x?}");
    }
}

fn configuration(address: SocketAddr, folder: &Folder, zones: &[String]) -> String {
    let path = folder.path().display();
    let mut text = format!(
        "server:\n    rundir: \"{path}\"\n    listen: {}@{}\n    udp-workers: 1\n    tcp-workers: 2\n    \
         background-workers: 1\n    tcp-idle-timeout: 60\nlog:\n  - target: stderr\n    any: warning\ndatabase:\n    \
         storage: \"{path}\"\nkey:\n  - id: {KEY}\n    algorithm: {KEY_ALGORITHM}\n    secret: {SECRET}\nacl:\n  \
         - id: owner\n    key: {KEY}\n    action: [transfer, update]\n  - id: tests\n    address: 127.0.0.1\n    action: update\n\
         template:\n  - id: default\n    storage: \"{path}\"\n    zonefile-sync: -1\n    acl: [owner, tests]\nzone:\n",
        address.ip(),
        address.port()
    );
    for (number, origin) in zones.iter().enumerate() {
        writeln!(text, "  - domain: {origin}\n    file: \"{path}/zone-{number}\"").expect("a String takes all");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_took_survives_its_death() {
        if !mode::have("cluster", &["knotd", crate::program::NEEDS]) {
            return;
        }
        let mut knot = Knot::serving(&[("corp.example.", "web 300 A 203.0.113.1")]);
        knot.asked("web.corp.example.", "A");
        knot.takes(
            "corp.example.",
            &[Change::Delete("web.corp.example."), Change::Add("db.corp.example. 60 A 203.0.113.2")],
        );
        knot.is_killed();
        assert!(!knot.answers());
        knot.starts();
        assert_eq!(knot.asked("web.corp.example.", "A").rcode, 3);
        assert_eq!(knot.asked("db.corp.example.", "A").answers(), ["db.corp.example. A 203.0.113.2"]);
    }
}
