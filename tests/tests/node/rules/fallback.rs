//! The same by iptables, of both kinds, and what a host's own filter does to us.

use nearpath::node::rules::{Kind, Means, Rules};

use super::failsafe::{detour, follows_the_socket};
use super::upkeep::uncounted;
use super::world::{Asker, Server, V, World, X, X6, address, ask_by_tcp, on_a_node, run, wanted, with_port, world};

const KINDS: [(Kind, &str); 2] = [(Kind::Nft, "nft"), (Kind::Legacy, "legacy")];

fn by_each_kind(test: impl Fn(Kind, &str) + Copy + Send + 'static) {
    for (kind, name) in KINDS {
        on_a_node(&["iptables-nft", "iptables-legacy"], move || test(kind, name));
    }
}

#[test]
fn by_iptables_a_question_goes_the_same_ways() {
    by_each_kind(|kind, _| {
        let World { pod, .. } = &world();
        let mut rules = Rules::find_by("rules0", kind);
        assert_eq!(rules.means(), Means::Iptables { expires: true }, "{:?}", rules.refusals());
        rules.apply(&wanted()).unwrap();
        follows_the_socket(Some(pod), &[X, X6]);
        assert_eq!(rules.armed().unwrap().len(), 3);
    });
}

#[test]
fn by_iptables_a_hosts_own_question_goes_the_same_way() {
    by_each_kind(|kind, _| {
        let _world = world();
        let mut wanted = wanted();
        wanted.host = Some(detour());
        Rules::find_by("rules0", kind).apply(&wanted).unwrap();
        follows_the_socket(None, &[X, X6]);
    });
}

#[test]
fn by_iptables_twice_is_once_and_a_change_is_noticed() {
    by_each_kind(|kind, name| {
        for tool in ["iptables", "ip6tables"] {
            run(&format!("{tool}-{name} -t nat -A PREROUTING -p icmp -j ACCEPT"));
        }
        let save = || [uncounted(&format!("iptables-{name}-save")), uncounted(&format!("ip6tables-{name}-save"))];
        let before = save();
        let mut rules = Rules::find_by("rules0", kind);
        let wanted = wanted();
        rules.apply(&wanted).unwrap();
        rules.apply(&wanted).unwrap();
        let saved = save();
        let jumps = saved[0].lines().filter(|line| line.contains("-j NEARPATH-")).count();
        assert_eq!(jumps, 6, "each chain is entered once: {}", saved[0]);
        assert!(rules.holds(&wanted).unwrap());
        rules.renew(&wanted).unwrap();
        assert!(rules.holds(&wanted).unwrap(), "another date is no change");
        for change in [
            "-t raw -F NEARPATH-PRE-rules0",
            "-t nat -D NEARPATH-DST-rules0 1",
            "-t filter -F INPUT",
            "-t raw -F PREROUTING",
            "-t nat -I NEARPATH-DST-rules0 -j RETURN",
        ] {
            run(&format!("iptables-{name} {change}"));
            assert!(!rules.holds(&wanted).unwrap(), "{change}");
            rules.apply(&wanted).unwrap();
            assert!(rules.holds(&wanted).unwrap(), "{change}, made again");
            assert_eq!(save(), saved, "{change}, made again");
        }
        assert!(rules.remove().unwrap());
        assert!(!Rules::remove_all("rules0").unwrap());
        // the older kind keeps the tables that somebody has asked for, empty
        let without_empty = |text: &String| {
            text.split('*').filter(|table| table.contains("-A ")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(save().each_ref().map(without_empty), before.each_ref().map(without_empty));
        if kind == Kind::Nft {
            assert_eq!(save(), before);
        }
    });
}

#[test]
fn by_iptables_the_failsafe_ends_by_itself() {
    by_each_kind(|kind, _| {
        let World { pod, .. } = &world();
        let mut rules = Rules::find_by("rules0", kind);
        let mut wanted = wanted();
        wanted.failsafe.as_mut().unwrap().lasts = std::time::Duration::ZERO;
        rules.apply(&wanted).unwrap();
        assert_eq!(pod.inside(|| (Asker::of(X).ask(), ask_by_tcp(X))), ("nobody".to_owned(), "nobody".to_owned()));
        wanted.failsafe.as_mut().unwrap().lasts = std::time::Duration::from_secs(600);
        rules.renew(&wanted).unwrap();
        assert_eq!(pod.inside(|| (Asker::of(X).ask(), ask_by_tcp(X))), ("centre".to_owned(), "centre".to_owned()));
    });
}

/// What is untracked is not invalid, and a host that drops what it does not know is told to let us through.
#[test]
fn a_host_that_drops_lets_us_through() {
    on_a_node(&["iptables-nft", "iptables-legacy"], || {
        let World { pod, .. } = &world();
        let _daemon = Server::open("daemon", &with_port(X));
        let mut rules = Rules::find("rules0");
        for name in ["nft", "legacy"] {
            let before = || uncounted(&format!("iptables-{name}-save"));
            for chain in ["INPUT", "OUTPUT"] {
                run(&format!("iptables-{name} -A {chain} -m conntrack --ctstate INVALID -j DROP"));
                run(&format!("iptables-{name} -P {chain} DROP"));
            }
            let as_it_was = before();
            assert_eq!(pod.inside(|| Asker::of(X).ask()), "nobody", "the host drops");
            rules.apply(&wanted()).unwrap();
            assert_eq!(pod.inside(|| (Asker::of(X).ask(), ask_by_tcp(X))), ("daemon".to_owned(), "daemon".to_owned()));
            assert!(rules.holds(&wanted()).unwrap());
            rules.remove().unwrap();
            assert_eq!(before(), as_it_was);
            for chain in ["INPUT", "OUTPUT"] {
                run(&format!("iptables-{name} -P {chain} ACCEPT"));
                run(&format!("iptables-{name} -F {chain}"));
            }
        }
    });
}

/// Docker's default is to drop what is sent on, and so is a question that the failsafe sends to a central server.
#[test]
fn a_host_that_drops_what_is_sent_on_lets_the_failsafe_through() {
    on_a_node(&["iptables-nft", "iptables-legacy"], || {
        let World { pod, .. } = &world();
        let mut wanted = wanted();
        wanted.own.retain(|ip| *ip != address(V));
        wanted.host = Some(detour());
        let mut rules = Rules::find("rules0");
        rules.apply(&wanted).unwrap();
        for name in ["nft", "legacy"] {
            let each = |words: &str| ["iptables", "ip6tables"].map(|tool| run(&format!("{tool}-{name} {words}")));
            let saved = || ["iptables", "ip6tables"].map(|tool| uncounted(&format!("{tool}-{name}-save")));
            each("-P FORWARD DROP");
            each("-A FORWARD -m conntrack --ctstate INVALID -j DROP");
            let as_it_was = saved();
            assert_eq!((pod.inside(|| Asker::of(X).ask()), Asker::of(X).ask()), ("nobody".into(), "nobody".into()));
            assert!(!rules.holds(&wanted).unwrap(), "a host that begins to drop is a change");
            rules.apply(&wanted).unwrap();
            assert!(rules.holds(&wanted).unwrap());
            follows_the_socket(Some(pod), &[X, X6]);
            follows_the_socket(None, &[X, X6]);
            // and nothing else is sent on
            assert_eq!(pod.inside(|| ask_by_tcp("10.2.0.2")), "nobody");
            let jumps = |text: &String| text.matches("-j NEARPATH-").count();
            assert_eq!(saved().each_ref().map(jumps), [1, 1], "what comes in is dropped by nobody");
            rules.remove().unwrap();
            assert_eq!(saved(), as_it_was);
            each("-P FORWARD ACCEPT");
            each("-F FORWARD");
            rules.apply(&wanted).unwrap();
        }
    });
}

#[test]
fn by_iptables_a_host_that_drops_what_is_sent_on_lets_the_failsafe_through() {
    by_each_kind(|kind, name| {
        let World { pod, .. } = &world();
        let mut wanted = wanted();
        wanted.host = Some(detour());
        for tool in ["iptables", "ip6tables"] {
            run(&format!("{tool}-{name} -P FORWARD DROP"));
        }
        Rules::find_by("rules0", kind).apply(&wanted).unwrap();
        follows_the_socket(Some(pod), &[X, X6]);
        follows_the_socket(None, &[X, X6]);
    });
}
