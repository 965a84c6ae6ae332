//! The rules as they are made, compared, renewed and removed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nearpath::node::rules::Rules;

use super::world::{Asker, Server, World, X, X6, address, ask_by_tcp, load, on_a_node, run, wanted, with_port, world};
use nearpath_tests::mode;

const TABLE: &str = "nearpath-rules0";

/// Rules of somebody else, one of them about our address.
const FOREIGN: &str = "table inet foreign { set s { type ipv4_addr; elements = { 169.254.20.10 } }
  chain c { type filter hook input priority filter; policy accept; ip daddr 169.254.20.10 counter
  }
}";

#[test]
fn twice_is_once_and_afterwards_all_is_as_before() {
    on_a_node(&["iptables-nft", "iptables-legacy"], || {
        load(FOREIGN);
        run("iptables-nft -A INPUT -p icmp -j ACCEPT");
        run("iptables-legacy -A INPUT -p icmp -j ACCEPT");
        let all = || [run("nft -s list ruleset"), uncounted("iptables-nft-save"), uncounted("iptables-legacy-save")];
        let before = all();
        let mut rules = Rules::find("rules0");
        assert_eq!(all(), before, "trying leaves nothing behind");
        assert!(!rules.remove().unwrap(), "there is nothing yet");
        rules.apply(&wanted()).unwrap();
        let once = all().map(|text| without_times(&text));
        assert_ne!(once[0], without_times(&before[0]));
        rules.apply(&wanted()).unwrap();
        assert_eq!(all().map(|text| without_times(&text)), once);
        let mut other = Rules::find("rules0");
        assert!(!other.holds(&wanted()).unwrap(), "another instance made them: they are made anew");
        other.apply(&wanted()).unwrap();
        assert!(rules.holds(&wanted()).unwrap() && other.holds(&wanted()).unwrap());
        assert!(rules.remove().unwrap());
        assert_eq!(all(), before);
        assert!(!Rules::remove_all("rules0").unwrap());
    });
}

/// What a program saves, without dates and counters.
pub(super) fn uncounted(program: &str) -> String {
    let text = run(program);
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(|line| match line.starts_with(':') {
        true => line.split(" [").next().unwrap_or_default().to_owned(),
        false => {
            let date = line.split_once("--datestart ").and_then(|(_, rest)| rest.split(' ').next());
            date.map_or(line.to_owned(), |date| line.replace(date, "DATE"))
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn without_times(text: &str) -> String {
    let words = text
        .split_inclusive([' ', '\n'])
        .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()) || !word.contains('s'));
    words.collect()
}

#[test]
fn whatever_is_changed_is_noticed() {
    on_a_node(&[], || {
        let World { pod, .. } = &world();
        load(FOREIGN);
        let mut rules = Rules::find("rules0");
        let wanted = wanted();
        let handle = || {
            let listed = run(&format!("nft -a list chain ip {TABLE} nat_prerouting"));
            let rule = listed.lines().find(|line| line.contains("numgen")).expect("a rule for the centre");
            rule.rsplit(' ').next().expect("a handle").to_owned()
        };
        let changes: [(&str, &dyn Fn()); 9] = [
            ("the whole ruleset is flushed", &|| drop(run("nft flush ruleset"))),
            ("the table is deleted", &|| drop(run(&format!("nft delete table ip {TABLE}")))),
            ("the other family's table is deleted", &|| drop(run(&format!("nft delete table ip6 {TABLE}")))),
            ("the table is emptied", &|| drop(run(&format!("nft flush table ip {TABLE}")))),
            ("a chain is emptied", &|| drop(run(&format!("nft flush chain ip {TABLE} raw_output")))),
            ("a rule is deleted", &|| {
                run(&format!("nft delete rule ip {TABLE} nat_prerouting handle {}", handle()));
            }),
            ("a rule is added", &|| drop(run(&format!("nft insert rule ip {TABLE} raw_prerouting accept")))),
            ("an address is taken out", &|| drop(run(&format!("nft delete element ip {TABLE} own {{ {X} }}")))),
            ("an address is put in", &|| drop(run(&format!("nft add element ip {TABLE} own {{ 10.9.9.9 }}")))),
        ];
        for (what, change) in changes {
            rules.apply(&wanted).unwrap();
            assert!(rules.holds(&wanted).unwrap(), "before {what}");
            change();
            assert!(!rules.holds(&wanted).unwrap(), "{what}");
        }
        rules.apply(&wanted).unwrap();
        // and what is no change is none
        assert_eq!(pod.inside(|| (Asker::of(X).ask(), ask_by_tcp(X6))), ("centre".to_owned(), "centre".to_owned()));
        rules.renew(&wanted).unwrap();
        assert!(rules.holds(&wanted).unwrap());
        let mut other = wanted.clone();
        other.failsafe.as_mut().unwrap().central.truncate(1);
        assert!(!rules.holds(&other).unwrap(), "other servers are another wish");
    });
}

#[test]
fn nothing_is_lost_while_rules_are_renewed_and_made_anew() {
    on_a_node(&[], || {
        let World { pod, .. } = &world();
        let mut rules = Rules::find("rules0");
        let wanted = wanted();
        rules.apply(&wanted).unwrap();
        for expected in ["daemon", "centre"] {
            let _daemon = (expected == "daemon").then(|| Server::open("daemon", &with_port(X)));
            let done = AtomicBool::new(false);
            let asker = pod.inside(|| Asker::of(X));
            let (asked, wrong) = std::thread::scope(|scope| {
                let hammer = scope.spawn(|| {
                    let (mut asked, mut wrong) = (0, Vec::new());
                    while !done.load(Ordering::Relaxed) {
                        asked += 1;
                        wrong.extend(Some(asker.ask()).filter(|answer| answer != expected));
                    }
                    (asked, wrong)
                });
                for _ in 0..mode::of(20, 200) {
                    rules.renew(&wanted).unwrap();
                    rules.apply(&wanted).unwrap();
                }
                done.store(true, Ordering::Relaxed);
                hammer.join().unwrap()
            });
            mode::note(&format!("{expected}: {asked} asked while the rules were made anew, {} wrong", wrong.len()));
            assert!(wrong.is_empty() && asked > 0, "{wrong:?}");
        }
    });
}

#[test]
fn the_failsafe_ends_by_itself_unless_it_is_renewed() {
    on_a_node(&[], || {
        let World { pod, .. } = &world();
        let mut rules = Rules::find("rules0");
        let mut wanted = wanted();
        rules.apply(&wanted).unwrap();
        let left = || {
            let listed = run(&format!("nft -j list set ip {TABLE} own"));
            let document: serde_json::Value = serde_json::from_str(&listed).unwrap();
            let elements = document["nftables"][1]["set"]["elem"].as_array().expect("elements").clone();
            elements.iter().map(|element| element["elem"]["expires"].as_u64().unwrap()).max().unwrap()
        };
        // time passes until the kernel's whole seconds show it
        while left() > 3_597 {
            std::thread::sleep(Duration::from_millis(50));
        }
        let before = left();
        rules.renew(&wanted).unwrap();
        assert!(left() > before, "the time begins anew");

        wanted.failsafe.as_mut().unwrap().lasts = Duration::from_secs(1);
        rules.apply(&wanted).unwrap();
        while run(&format!("nft list set ip {TABLE} own")).contains("elements") {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!rules.holds(&wanted).unwrap(), "what has expired does not hold");
        let from_pod = || pod.inside(|| (Asker::of(X).ask(), ask_by_tcp(X)));
        assert_eq!(from_pod(), ("nobody".to_owned(), "nobody".to_owned()));
        wanted.failsafe.as_mut().unwrap().lasts = Duration::from_secs(60);
        rules.apply(&wanted).unwrap();
        assert_eq!(from_pod(), ("centre".to_owned(), "centre".to_owned()));
        assert!(wanted.own.contains(&address(X)));
    });
}
