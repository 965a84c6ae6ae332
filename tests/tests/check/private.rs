//! `nearpath check` on private zones: what is wrong, what is hardly meant, and what becomes of stub domains beside them.

use std::path::Path;

use nearpath_tests::daemon;
use nearpath_tests::mode;
use nearpath_tests::place::Folder;

use super::{WITHIN, examples, text};

/// Exit code and what is said of a Corefile.
fn checked(corefile: &str, flags: &[&str]) -> (Option<i32>, String) {
    let folder = Folder::new();
    let path = folder.write("Corefile", corefile).display().to_string();
    let output = daemon::run(&[&["check", &path], flags].concat(), WITHIN);
    (output.status.code(), text(&output).replace(&path, "Corefile"))
}

#[test]
fn every_mistake_of_a_private_zone_has_its_place_in_one_run() {
    let corefile = "example.org:1053 {
    cache
    privatezone corp.example {
        to 10.0.0.53
        max_qps 10
    }
    privatezone a.example.org {
        max_qps 10
    }
    privatezone b.example.org {
        to ns.b.example.org
        burst 10
    }
    privatezone c.example.org B.example.org {
        to 100.100.2.136
        transport tcp
        fallthrough
    }
}
";
    let (code, said) = checked(corefile, &[]);
    assert_eq!(code, Some(1), "{said}");
    for wanted in [
        "3:17: error: wrong zone `corp.example`: it does not lie in this server block, which serves example.org.",
        "7:5: error: nobody is asked: `to` is missing",
        "11:12: error: wrong address `ns.b.example.org`: a host name is not looked up",
        "12:9: error: `burst` without `max_qps`",
        "14:31: error: the private zone b.example.org. stands twice in this server block",
        "15:9: warning: no bound on how many messages a second are sent here",
        "15:12: warning: the resolver of Alibaba Cloud, 100.100.2.136, is asked over TCP",
        "17:9: warning: `fallthrough` leads nowhere: nothing behind it answers for c.example.org.",
    ] {
        assert!(said.lines().any(|line| line == format!("Corefile:{wanted}")), "expected {wanted} in:\n{said}");
    }
    assert_eq!(said.matches(": error: ").count(), 5, "{said}");
}

#[test]
fn what_other_blocks_make_of_a_private_zone_is_a_warning_by_the_daemons_port() {
    let zone = |zone: &str| format!("privatezone {zone} {{\nto 10.0.0.53\nmax_qps 10\n}}\nforward . 10.0.0.1\n");
    let hides = format!(". {{\ncache\n{}}}\n", zone("local"));
    let (code, said) = checked(&hides, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Corefile:3:13: warning: the private zone local. hides the cluster's own names"), "{said}");

    let taken = format!(".:5300 {{\n{}}}\nexample.org {{\nwhoami\n}}\n", zone("corp.example.org"));
    let (_, alone) = checked(&taken, &[]);
    assert!(!alone.contains("takes its names first"), "another port: {alone}");
    let (code, together) = checked(&taken, &["-p", "5300"]);
    assert!(code == Some(0) && together.contains("Corefile:2:13: warning: nobody is asked here"), "{together}");
    assert!(together.contains("Corefile:2:1: warning: a private zone without `cache` has no memory"), "{together}");
}

#[test]
fn what_private_zones_together_send_is_a_warning() {
    let zone =
        |zone: &str, qps: u32| format!("{zone} {{\ncache\nprivatezone {{\nto 169.254.169.253\nmax_qps {qps}\n}}\n}}\n");
    let (code, said) = checked(&(zone("a.example", 300) + &zone("b.example", 300)), &[]);
    assert!(code == Some(0) && !said.contains("warning"), "the same figures are one bound:\n{said}");
    let (code, said) = checked(&(zone("a.example", 300) + &zone("b.example", 301)), &[]);
    assert_eq!(code, Some(0), "{said}");
    for wanted in [
        "Corefile:12:9: warning: 169.254.169.253:53 has another bound at Corefile:5:9: 300 a second and 300 at once, and here 301 a second and 301 at once",
        "Corefile:12:9: warning: AWS is sent up to 1202 messages in a second, and takes 1024 packets of a network interface per second",
    ] {
        assert!(said.lines().any(|line| line == wanted), "expected {wanted} in:\n{said}");
    }
}

#[test]
fn no_example_of_its_readme_is_warned_of() {
    let readme = std::fs::read_to_string(mode::root().join("plugins/privatezone/README.md")).expect("a readable file");
    let all = examples(&readme);
    assert!(all.len() >= 5, "{} examples", all.len());
    for (line, example) in all {
        let (code, said) = checked(&example, &[]);
        assert!(code == Some(0) && !said.contains("warning"), "plugins/privatezone/README.md:{line}\n{said}");
    }
}

/// A base as a node has it, with a private zone in a block of its own and another one in that for everything.
const BASE: &str = "__PILLAR__DNS__DOMAIN__:53 {
    bind __PILLAR__LOCAL__DNS__
    cache
    forward . __PILLAR__CLUSTER__DNS__
}
own.example:53 {
    bind __PILLAR__LOCAL__DNS__
    cache
    privatezone {
        to 10.0.0.53
        max_qps 100
    }
}
.:53 {
    bind __PILLAR__LOCAL__DNS__
    cache
    privatezone corp.example {
        to 10.0.0.53
        max_qps 100
    }
    forward . __PILLAR__UPSTREAM__SERVERS__
}
";

/// What becomes of the base with this stub domain.
fn with_stub(folder: &Path, domain: &str) -> (Option<i32>, String) {
    let base = folder.join("base");
    std::fs::write(&base, BASE).expect("the folder is ours");
    std::fs::write(folder.join("stubDomains"), format!("{{\"{domain}\": [\"10.0.0.99\"]}}"))
        .expect("the folder is ours");
    let (base, folder) = (base.display().to_string(), folder.display().to_string());
    let flags = ["check", "-basecorefile", &base, "-kubednscm", &folder, "-localip", "169.254.20.10"];
    let output = daemon::run(&[&flags[..], &["-upstream-address", "10.96.0.11"]].concat(), WITHIN);
    (output.status.code(), text(&output).replace(&base, "base"))
}

#[test]
fn stub_domains_stay_plain_stub_domains_beside_private_zones() {
    let folder = Folder::new();
    // beside a private zone, and below one: the longest zone wins, as everywhere
    for domain in ["stub.example", "a.corp.example", "a.own.example"] {
        let (code, said) = with_stub(folder.path(), domain);
        assert_eq!(code, Some(0), "{domain}:\n{said}");
        let block = format!("dns://{domain}.:53\n");
        for part in [". privatezone: ", "own.example.", "corp.example.", &block, "questions for . go to 10.0.0.99:53"] {
            assert!(said.contains(part), "{domain}: expected {part} in:\n{said}");
        }
        assert_eq!(said.matches(". privatezone: ").count(), 2, "{domain}:\n{said}");
        assert!(!said.contains("nobody is asked"), "{domain}:\n{said}");
    }
}

#[test]
fn a_stub_domain_in_the_way_of_a_private_zone_is_told() {
    let folder = Folder::new();
    // the private zone's own block: which of them is asked cannot be told
    let (code, said) = with_stub(folder.path(), "own.example");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("base:23:1: error: `dns://own.example.:53` is served twice"), "{said}");
    assert!(said.contains("first at base:6:1"), "{said}");
    // a private zone in the block of another zone: the stub domain has a block of its own, and wins
    for domain in ["corp.example", "example"] {
        let (code, said) = with_stub(folder.path(), domain);
        assert_eq!(code, Some(0), "{said}");
        let told = format!(
            "base:17:17: warning: nobody is asked here for corp.example.: the server block of {domain}. takes its names first"
        );
        assert!(said.contains(&told), "expected {told} in:\n{said}");
        assert!(said.contains("forward: questions for . go to 10.0.0.99:53"), "{said}");
    }
}
