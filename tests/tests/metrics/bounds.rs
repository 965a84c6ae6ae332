//! Clients cannot make series: whatever they ask, the page grows no longer than its bounds.

use std::collections::BTreeSet;

use nearpath_tests::random::Random;
use nearpath_tests::{Daemon, Upstream, ask, http, mode};

/// Questions of the flood.
const FLOOD: usize = 20_000;
const COREFILE: &str = ".:PORT {\n bind IP\n cache\n forward . OUTSIDE\n prometheus IP:9253\n}\n";
/// More than a block may add however it is asked: types, families and protocols, RCODEs by plugin, results of an upstream, bounds.
const GROWTH_MAX: usize = 200;

fn series(daemon: &Daemon) -> BTreeSet<String> {
    let (_, page) = http::fetch(&format!("{}:9253", daemon.address().ip()), "/metrics");
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ').map(|(series, _)| series.to_owned())).collect()
}

#[test]
fn a_flood_of_odd_questions_makes_no_series_of_its_own() {
    let outside = Upstream::with(super::super::scenario::TABLE);
    let mut daemon = Daemon::given(COREFILE, &[("OUTSIDE", outside.address())]);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    let before = series(&daemon);
    let mut random = Random::new(mode::seed());
    let client = daemon.client();
    for round in 0..FLOOD {
        client.send(&odd_question(&mut random));
        if round % 64 == 0 {
            // a reply is waited for now and then, so that the kernel drops little
            client.receive(std::time::Duration::from_millis(50));
        }
    }
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    let after = series(&daemon);
    let grown: Vec<&String> = after.difference(&before).collect();
    mode::note(&format!("{} series, {} more after {FLOOD} odd questions", before.len(), grown.len()));
    assert!(grown.len() < GROWTH_MAX, "{} more: {grown:?}", grown.len());
    // nothing that came with a question stands in a label
    let foreign =
        after.iter().filter(|series| series.contains("odd") || series.contains("TYPE") || series.contains("CLASS"));
    assert_eq!(foreign.count(), 0);
    daemon.is_well();
}

/// Random name, type, class, opcode and flags, and an OPT with random contents.
fn odd_question(random: &mut Random) -> Vec<u8> {
    let mut number = |below: usize| random.below(below);
    let (id, flags) = (number(65_536) as u16, (number(16) << 11 | number(2_048)) as u16 & 0x7fff);
    let (rtype, class) = (number(65_536) as u16, if number(4) == 0 { number(65_536) as u16 } else { 1 });
    let mut message = Vec::new();
    for word in [id, flags, 1, 0, 0, 1] {
        message.extend(word.to_be_bytes());
    }
    let label = format!("odd{}", number(1 << 30));
    message.push(label.len() as u8);
    message.extend(label.as_bytes());
    message.push(0);
    message.extend(rtype.to_be_bytes());
    message.extend(class.to_be_bytes());
    message.extend([0, 0, 41]);
    message.extend((number(65_536) as u16).to_be_bytes()); // size
    message.extend([number(256) as u8, number(3) as u8, number(2) as u8 * 128, 0]); // extended RCODE, version, DO
    message.extend([0, 8]);
    message.extend((number(65_536) as u16).to_be_bytes()); // option
    message.extend([0, 4]);
    message.extend((number(1 << 32) as u32).to_be_bytes());
    message
}
