//! Hot answers over a restart.

use std::time::Duration;

use nearpath_tests::mode::note;
use nearpath_tests::place::Folder;
use nearpath_tests::{Behaviour, Daemon, Upstream, ask};

use super::*;

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|index| format!("n{index}.wild.example.com"))
}

/// A daemon that keeps what is hot in this folder.
fn keeping(centre: &Upstream, state: &Folder) -> nearpath_tests::Daemon {
    daemon(COREFILE, centre, &["-statedir", state.path().to_str().expect("a plain path")])
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
fn a_full_file_is_taken_over_quickly() {
    alone(|| {
        let (centre, state) = (crate::scenario::centre(), Folder::new());
        let first = keeping(&centre, &state);
        let client = first.client();
        for name in names(9_000) {
            client.asks(&ask(&name, "A")).is("NOERROR");
            client.asks(&ask(&name, "AAAA")).is("NOERROR");
        }
        assert_eq!(first.terminates(), Some(0));
        let size = std::fs::metadata(state.file("warm")).unwrap().len();
        assert!((1 << 20..=4 << 20).contains(&size), "{size} octets");
        let again = keeping(&centre, &state);
        let lines = again.log_since(0);
        let told = lines.iter().find(|line| line.contains("hot answers of")).expect("it says what it took over");
        note(&format!("{size} octets: {told}"));
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

/// A pod's table and search, in the files of the state folder: what shapes the answers is the same after a restart.
const AUTOPATH: &str = "\
cluster.local:PORT {
    bind IP
    autopath {
        pods STATE/pods
    }
    cache 300
    forward . CENTRE
}
.:PORT {
    bind IP
    cache 300
    forward . CENTRE
}
";

#[test]
fn what_autopath_found_is_kept_by_the_lists_content() {
    alone(|| {
        let (centre, state) = (crate::scenario::centre(), Folder::new());
        let own = "shop/web 127.3.0.1 search shop.svc.cluster.local svc.cluster.local cluster.local\n";
        let other = "a/a 127.3.0.2 search a.svc.cluster.local svc.cluster.local\n";
        state.write("pods", own);
        let folder = state.path().to_str().unwrap();
        let words = [("CENTRE", centre.address()), ("STATE", folder.to_owned())];
        let start = || Daemon::at(ADDRESS.parse().unwrap(), AUTOPATH, &words, &[], &["-statedir", folder]);
        let (name, pod) = ("www.example.com.shop.svc.cluster.local", [127, 3, 0, 1].into());
        let chain = [&*format!("{name}. CNAME www.example.com."), "www.example.com. A 192.0.2.1"];
        let first = start();
        first.client_at(pod).asks(&ask(name, "A")).answers_in_order(&chain);
        assert_eq!(first.terminates(), Some(0));
        // another list comes first, and takes the number that this one had
        state.write("pods", &format!("{other}{own}"));
        centre.behaves(Behaviour::Hang);
        let again = start();
        centre.forgets();
        again.client_at(pod).asks(&ask(name, "A")).is("NOERROR").answers_in_order(&chain);
        assert!(centre.seen().is_empty(), "nobody was asked: {:?}", centre.seen());
    });
}
