//! Hot answers over a restart.

use std::time::Duration;

use nearpath_tests::mode::note;
use nearpath_tests::place::Folder;
use nearpath_tests::{Behaviour, Upstream, ask};

use super::*;

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|index| format!("n{index}.wild.example.com"))
}

/// A daemon that keeps what is hot in this folder.
fn keeping(centre: &Upstream, state: &Folder) -> nearpath_tests::Daemon {
    daemon(COREFILE, centre, &["-statedir", state.path().to_str().unwrap()])
}

#[test]
fn what_was_asked_for_is_answered_after_a_restart_without_upstream() {
    alone(|| {
        let (centre, state) = (crate::scenario::centre(), Folder::new());
        let first = keeping(&centre, &state);
        let client = first.client();
        for name in names(500) {
            client.asks(&ask(&name, "A")).is("NOERROR");
        }
        client.asks(&ask("missing.example.com", "A")).is("NXDOMAIN");
        assert_eq!(first.terminates(), Some(0));
        centre.behaves(Behaviour::Hang);
        for time in ["after an end in order", "after kill -9"] {
            let again = keeping(&centre, &state);
            assert!(again.has_logged(0, "hot answers of", Duration::from_secs(1)), "{time}");
            note(&format!("{time}: {}", again.log_since(0).iter().find(|line| line.contains("hot answers")).unwrap()));
            centre.forgets();
            let client = again.client();
            for name in names(500) {
                client.asks(&ask(&name, "A")).is("NOERROR").answers_are(&[&format!("{name}. A 192.0.2.77")]);
            }
            client.asks(&ask("missing.example.com", "A")).is("NXDOMAIN");
            assert!(centre.seen().is_empty(), "nobody was asked: {:?}", centre.seen());
            again.signal(nix::sys::signal::Signal::SIGKILL);
        }
    });
}

#[test]
fn a_damaged_or_foreign_file_is_ignored_with_one_line() {
    alone(|| {
        let (centre, state) = (crate::scenario::centre(), Folder::new());
        let first = keeping(&centre, &state);
        first.asked(&ask("www.example.com", "A")).is("NOERROR");
        assert_eq!(first.terminates(), Some(0));
        let good = std::fs::read(state.file("warm")).unwrap();
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let mut version = good.clone();
        version[11] += 1;
        let cut = good[..good.len() / 2].to_vec();
        for (octets, why) in
            [(flipped, "damaged"), (cut, "damaged"), (version, "has form"), (b"foreign".to_vec(), "no file of hot")]
        {
            std::fs::write(state.file("warm"), octets).unwrap();
            let mut again = keeping(&centre, &state);
            let lines = again.log_since(0);
            let told: Vec<_> = lines.iter().filter(|line| line.contains("is ignored")).collect();
            assert!(told.len() == 1 && told[0].contains(why), "{why}: {told:?}");
            again.asked(&ask("www.example.com", "A")).is("NOERROR");
            again.is_well();
            again.signal(nix::sys::signal::Signal::SIGKILL);
            again.ends(Duration::from_secs(5));
        }
    });
}
