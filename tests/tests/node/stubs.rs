//! Real stub resolvers in pods: the same results, in fewer questions.
//!
//! Each stub looks up each kind of name three times: at the centre itself (what is true), through a daemon without AutoPath
//! and through the daemon with it. What it finds must be the same; what it asks is counted by the daemons. The stubs' programs
//! are in `tests/stubs`.

mod centre;
mod house;
mod kind;
mod stub;
mod table;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use house::{House, Pod, Server, in_own_network};
use kind::Kind;
use nearpath_tests::mode::{self, note};
use nearpath_tests::place::Folder;
use stub::{Conversation, Searches, Stub};
use table::{Cost, Table};

/// The stub that is quickest to ask again does so after this time (JNDI).
const ASKS_AGAIN: Duration = Duration::from_millis(900);

/// How often a look-up is tried until nothing had to be asked again.
const TRIES: usize = 4;

#[test]
fn stubs_find_the_same_in_fewer_questions() {
    if !mode::have("node, stub resolvers", &["knotd", "nsenter", "unshare", "ip", "setpriv"]) {
        return;
    }
    if let Err(error) = in_own_network(all_look_up_everything) {
        mode::skip("node, stub resolvers", &format!("no network of its own: {error}"));
    }
}

fn all_look_up_everything() {
    let (mut house, folder, mut table) = (House::new(), Folder::new(), Table::default());
    let mut wrong = Vec::new();
    for stub in stub::ALL.iter().filter(|stub| stub.is_made(&folder)) {
        let mut costs = vec![None; kind::ALL.len()];
        for pod in [Pod::Usual, Pod::Tcp, Pod::Six, Pod::HostSearch, Pod::Hasty] {
            for look_up in looks_up_all_of(&house, stub, pod, &folder) {
                wrong.extend(look_up.mistakes(stub));
                costs[look_up.row] = look_up.kind.counted.then(|| look_up.cost());
            }
        }
        table.columns.push((stub.name, costs));
    }
    house.is_well();
    table.text().lines().for_each(note);
    assert!(wrong.is_empty(), "{} look-ups are not as they should be:\n{}", wrong.len(), wrong.join("\n"));
    table.is_that_of_the_readme();
}

/// What came of looking a name up at one server.
#[derive(Debug)]
struct Outcome {
    found: String,
    /// Questions over UDP and over TCP.
    asked: [f64; 2],
}

/// A kind of name looked up at all servers.
#[derive(Debug)]
struct LookUp {
    row: usize,
    kind: Kind,
    truth: Outcome,
    plain: Outcome,
    autopath: Outcome,
}

/// Everything that a stub can look up with one resolv.conf; it is started once for each server.
#[track_caller]
fn looks_up_all_of(house: &House, stub: &Stub, pod: Pod, folder: &Folder) -> Vec<LookUp> {
    let rows = kind::ALL.iter().enumerate().filter(|(_, kind)| kind.pod == pod && kind.is_for(stub));
    let rows: Vec<(usize, Kind)> = rows.map(|(row, kind)| (row, *kind)).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let at = |server| {
        let mut conversation = stub.start(house.pod(pod, server), folder, pod == Pod::Tcp);
        rows.iter().map(|(_, kind)| outcome(house, server, &mut conversation, kind)).collect::<Vec<_>>()
    };
    let (truth, plain, autopath) = (at(Server::Centre), at(Server::Plain), at(Server::AutoPath));
    let outcomes = truth.into_iter().zip(plain).zip(autopath);
    rows.iter()
        .zip(outcomes)
        .map(|((row, kind), ((truth, plain), autopath))| LookUp { row: *row, kind: *kind, truth, plain, autopath })
        .collect()
}

/// Looks a name up, once more if the machine was so busy that the stub asked again: then its questions are no measure.
#[track_caller]
fn outcome(house: &House, server: Server, conversation: &mut Conversation, kind: &Kind) -> Outcome {
    for _ in 0..TRIES {
        let (before, begun) = (house.questions(server), Instant::now());
        let found = conversation.looks_up(kind.asks, kind.name);
        let (took, after) = (begun.elapsed(), house.questions(server));
        if took < ASKS_AGAIN || !kind.counted {
            return Outcome { found, asked: [after[0] - before[0], after[1] - before[1]] };
        }
        note(&format!("{} at {server:?} took {took:?}: {found}; done over", kind.text));
    }
    panic!("{}: {TRIES} times the stub waited so long for {server:?} that it asked again", kind.text);
}

impl LookUp {
    fn cost(&self) -> Cost {
        let all = |outcome: &Outcome| (outcome.asked[0] + outcome.asked[1]) as u32;
        Cost { before: all(&self.plain), after: all(&self.autopath) }
    }

    /// What is not as it should be.
    fn mistakes(&self, stub: &Stub) -> Vec<String> {
        let (kind, cost) = (&self.kind, self.cost());
        let mut wrong = Vec::new();
        let mut must = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{}: {}: {what}: {self:#?}", stub.name, kind.text));
            }
        };
        let found = [&self.truth, &self.plain, &self.autopath].map(|outcome| outcome.count(kind));
        if kind.is_cut_short_for(stub) {
            // A stub without TCP has what a datagram carries. The centre's own is empty, ours hold a part.
            must((1..=kind.found).contains(&found[1]), "a part without AutoPath");
            must((1..=kind.found).contains(&found[2]), "a part with AutoPath");
        } else {
            must(found[0] == kind.found_by(stub), "the centre has what the test put there");
            must(self.plain.found == self.truth.found, "the same without AutoPath");
            must(self.autopath.found == self.truth.found, "the same with AutoPath");
        }
        must(!kind.counted || (cost.after > 0 && cost.after <= cost.before), "no more questions than before");
        if kind.pod == Pod::Tcp {
            must(self.plain.asked[0] + self.autopath.asked[0] < 0.5, "nothing over UDP");
        }
        if kind.text == kind::OUTSIDE && stub.searches == Searches::Ndots {
            must(cost == Cost { before: 8, after: 2 }, "8 questions before, 2 now");
        }
        wrong
    }
}

impl Outcome {
    /// How many addresses or services were found.
    fn count(&self, kind: &Kind) -> usize {
        let words = self.found.split_whitespace();
        match kind.asks {
            "srv" => words.filter(|word| word.matches(':').count() == 3).count(),
            _ => words.filter(|word| word.parse::<IpAddr>().is_ok()).count(),
        }
    }
}
