//! The same with programs that tell what they are asked, or refuse as another kernel would.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use nearpath::node::rules::{Means, Rules};
use nearpath_tests::mode;
use nearpath_tests::place::Folder;

use super::failsafe::{detour, follows_the_socket};
use super::world::{Asker, TIER, World, X, X6, ask_by_tcp, on_a_node, run, wanted, world};

/// What a look may start.
const PROCESSES_MAX: usize = 6;
/// Where the programs of the test write what they were asked, line by line.
const ASKED: &str = "NEARPATH_TEST_ASKED";

/// Runs one of the tests below in a process of its own, in whose path these programs come first. Each is a script, in which `$REAL`
/// is the program itself; `None` where something is not installed.
#[track_caller]
fn with_programs(test: &str, programs: &[&str], script: &str) -> Option<String> {
    if !mode::have(TIER, programs) {
        return None;
    }
    let folder = Folder::new();
    let asked = folder.path().join("asked");
    for program in programs {
        let real = mode::find(program).expect("it is there");
        let text = format!("#!/bin/sh\nREAL='{}'\necho \"{program} $*\" >> \"${ASKED}\"\n{script}\n", real.display());
        put(&folder.path().join(program), &text);
    }
    let path = std::env::var("PATH").expect("there is a path");
    let mut child = std::process::Command::new(std::env::current_exe().expect("a test is a program"))
        .args([&format!("node::rules::wrapped::{test}"), "--exact", "--ignored", "--nocapture"])
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .env(ASKED, &asked)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("a test can be started");
    let mut said = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut said).expect("it is text");
    assert!(child.wait().expect("it ends").success() && said.contains("1 passed"), "{said}");
    Some(std::fs::read_to_string(&asked).unwrap_or_default())
}

fn put(path: &Path, script: &str) {
    std::fs::write(path, script).expect("a script can be written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// Every node looks each minute, and next to us there may be tens of thousands of rules.
#[test]
fn a_look_starts_few_programs_and_none_that_reads_the_rules_of_others() {
    let programs = ["nft", "iptables-nft", "iptables-nft-save", "ip6tables-nft", "ip6tables-nft-save"];
    let older = ["iptables-legacy", "iptables-legacy-save", "ip6tables-legacy", "ip6tables-legacy-save"];
    let all = [&programs[..], &older[..]].concat();
    let Some(asked) = with_programs("looks", &all, "exec \"$REAL\" \"$@\"") else { return };
    let marked = |mark: &str| asked.split(mark).nth(1).expect("the test came there").lines().skip(1);
    let look: Vec<_> = marked("look begins").take_while(|line| !line.starts_with("look ends")).collect();
    mode::note(&format!("a look: {look:?}"));
    assert!((1..=PROCESSES_MAX).contains(&look.len()), "{look:?}");
    for line in asked.lines() {
        let scoped =
            |line: &str| line.contains("-t filter") || line.split("-S ").nth(1).is_some_and(|chain| !chain.is_empty());
        assert!(!line.contains("list tables") && !line.contains("list ruleset") && !line.contains("-save"), "{line}");
        assert!(!line.contains(" -S") || scoped(line), "a whole table of a proxy: {line}");
    }
}

#[test]
#[ignore = "a process of another test"]
fn looks() {
    on_a_node(&[], || {
        for kind in ["nft", "legacy"] {
            for family in ["iptables", "ip6tables"] {
                run(&format!("{family}-{kind} -t nat -A PREROUTING -p icmp -j ACCEPT"));
                run(&format!("{family}-{kind} -P INPUT DROP"));
            }
        }
        let asked = std::env::var(ASKED).expect("it is told");
        let mark = |words: &str| run_shell(&format!("echo {words} >> {asked}"));
        std::fs::write(&asked, "").expect("it can be written");
        let mut rules = Rules::find("rules0");
        assert_eq!(rules.means(), Means::Nft);
        rules.apply(&wanted()).unwrap();
        mark("look begins");
        assert!(rules.holds(&wanted()).unwrap());
        mark("look ends");
        rules.renew(&wanted()).unwrap();
        assert_eq!(rules.armed().unwrap().len(), 3);
        run("iptables-nft -P FORWARD DROP");
        assert!(!rules.holds(&wanted()).unwrap(), "a host that begins to drop is told to let us through");
    });
}

fn run_shell(line: &str) {
    assert!(std::process::Command::new("sh").args(["-c", line]).status().expect("there is a shell").success());
}

/// As `nft` says it where the kernel lacks something.
fn refusing(pattern: &str) -> String {
    format!(
        "case \"$*\" in *'-f -'*) ;; *{pattern}*) echo 'Error: Address family not supported by protocol' >&2; exit 1;; \
         *) exec \"$REAL\" \"$@\";; esac\nINPUT=$(cat)\ncase \"$INPUT\" in *'\"{pattern}\"'*) echo 'Error: Could not process \
         rule: Operation not supported' >&2; exit 1;; esac\nprintf %s \"$INPUT\" | \"$REAL\" \"$@\""
    )
}

#[test]
fn a_kernel_without_copies_has_all_but_the_hosts_failsafe() {
    with_programs("without_copies", &["nft"], &refusing("dup"));
}

#[test]
#[ignore = "a process of another test"]
fn without_copies() {
    on_a_node(&[], || {
        let World { pod, .. } = &world();
        let mut wanted = wanted();
        wanted.host = Some(detour());
        let mut rules = Rules::find("rules0");
        rules.apply(&wanted).unwrap();
        let without = rules.without().expect("something is missing").clone();
        assert_eq!((without.own, without.host.clone()), (vec![], wanted.own.clone()));
        assert!(without.why.contains("not supported"), "{}", without.why);
        follows_the_socket(Some(pod), &[X, X6]);
        assert!(rules.holds(&wanted).unwrap());
        rules.renew(&wanted).unwrap();
        wanted.host = None;
        rules.apply(&wanted).unwrap();
        assert_eq!(rules.without(), None, "what is not wanted is not missed");
    });
}

#[test]
fn a_kernel_without_tables_of_ipv6_has_those_of_ipv4() {
    with_programs("without_ipv6", &["nft"], &refusing("ip6"));
}

#[test]
#[ignore = "a process of another test"]
fn without_ipv6() {
    on_a_node(&[], || {
        let World { pod, .. } = &world();
        let mut wanted = wanted();
        wanted.host = Some(detour());
        let mut rules = Rules::find("rules0");
        rules.apply(&wanted).unwrap();
        let without = rules.without().expect("something is missing");
        assert_eq!((without.own.clone(), without.host.clone()), (wanted.own[2..].to_vec(), vec![]));
        follows_the_socket(Some(pod), &[X]);
        follows_the_socket(None, &[X]);
        assert_eq!(pod.inside(|| Asker::of(X6).ask()), "nobody");
        assert!(rules.holds(&wanted).unwrap());
        rules.renew(&wanted).unwrap();
        assert_eq!(rules.armed().unwrap().len(), 2);
        wanted.own.retain(|ip| ip.is_ipv6());
        rules.apply(&wanted).unwrap_err();
        assert_eq!(ask_by_tcp(X6), "nobody");
    });
}

/// What hangs once is no reason to do without for life.
#[test]
fn what_is_found_under_load_is_not_settled() {
    let hiccup = "case \"$*\" in *-c*) if [ ! -e \"$NEARPATH_TEST_ASKED.once\" ]; then touch \"$NEARPATH_TEST_ASKED.once\"; \
                  echo 'Error: Resource temporarily unavailable' >&2; exit 1; fi;; esac\nexec \"$REAL\" \"$@\"";
    with_programs("unsettled", &["nft"], hiccup);
}

#[test]
#[ignore = "a process of another test"]
fn unsettled() {
    on_a_node(&["iptables-nft", "iptables-legacy"], || {
        let first = Rules::find("rules0");
        assert!(matches!(first.means(), Means::Iptables { .. }) && !first.settled(), "{:?}", first.refusals());
        let second = Rules::find("rules0");
        assert!(second.means() == Means::Nft && second.settled(), "{:?}", second.refusals());
    });
}
