//! Entries of connection tracking: none for us, those from before us forgotten, and what they tell of Services.

use std::net::SocketAddr;

use nearpath::node::conntrack;
use nearpath::node::rules::Rules;

use super::world::{
    Asker, Server, V, World, X, X6, address, ask_by_tcp, load, on_a_node, run, wanted, with_port, world,
};

/// Makes the kernel track, as any proxy's rule does.
const TRACKED: &str =
    "table inet tracked { chain c { type filter hook prerouting priority filter; policy accept; ct state new
  }
}";

fn entries() -> usize {
    let list = |family: &str| run(&format!("conntrack -L -f {family} -p udp")).lines().count();
    list("ipv4") + list("ipv6")
}

#[test]
fn an_entry_from_before_the_rules_is_forgotten_and_no_other() {
    on_a_node(&["conntrack"], || {
        let World { pod, .. } = &world();
        load(TRACKED);
        let daemon = [X, X6, V].map(|ip| Server::open("daemon", &with_port(ip)));
        let askers = pod.inside(|| [X, X6, V].map(Asker::of));
        assert!(askers.iter().all(|asker| asker.ask() == "daemon"));
        assert_eq!(entries(), 3);
        let mut rules = Rules::find("rules0");
        rules.apply(&wanted()).unwrap();
        assert_eq!(conntrack::forget(&[address(X), address(X6)], 5353).unwrap(), 0, "another port");
        assert_eq!(conntrack::forget(&[address(X), address(X6)], 53).unwrap(), 2);
        assert_eq!(entries(), 1, "that of the Service is another's");
        assert_eq!(conntrack::forget(&[address(X), address(X6)], 53).unwrap(), 0);
        drop(daemon);
        assert_eq!([askers[0].ask(), askers[1].ask()], ["centre", "centre"], "from the ports that were tracked");
    });
}

#[test]
fn nothing_of_ours_is_tracked_with_a_daemon_and_without_a_failsafe() {
    on_a_node(&["conntrack"], || {
        let World { pod, .. } = &world();
        load(TRACKED);
        let _daemon = [X, X6].map(|ip| Server::open("daemon", &with_port(ip)));
        let mut rules = Rules::find("rules0");
        rules.apply(&wanted()).unwrap();
        assert!([X, X6].iter().all(|ip| pod.inside(|| Asker::of(ip).ask()) == "daemon"));
        assert_eq!(entries(), 0);
        let mut plain = wanted();
        plain.failsafe = None;
        rules.apply(&plain).unwrap();
        assert!([X, X6].iter().all(|ip| pod.inside(|| Asker::of(ip).ask()) == "daemon"));
        assert!([X, X6].iter().all(|ip| pod.inside(|| ask_by_tcp(ip)) == "daemon"));
        assert_eq!((Asker::of(X).ask(), ask_by_tcp(X)), ("daemon".to_owned(), "daemon".to_owned()));
        assert_eq!(entries(), 0);
        assert!(!run("conntrack -L -p tcp").contains("dport=53 "), "nor TCP, without a failsafe");
        assert_eq!(plain.bare(), plain.own);
        assert!(rules.armed().unwrap().is_empty());
    });
}

#[test]
fn who_is_behind_a_service_is_told_by_its_entries() {
    on_a_node(&[], || {
        let World { pod, .. } = &world();
        load(TRACKED);
        load(
            "table ip proxy { chain c { type nat hook prerouting priority dstnat; policy accept;
          ip daddr 10.96.0.10 udp dport 53 dnat to 10.2.0.3:5353
          ip daddr 10.96.0.10 tcp dport 53 dnat to 10.2.0.2:53
          }
        }",
        );
        let services: Vec<SocketAddr> =
            ["10.96.0.10:53", "10.2.0.2:53", "[fd02::2]:53", "10.2.0.9:53"].map(|text| text.parse().unwrap()).into();
        assert_eq!(conntrack::behind(&services).unwrap(), conntrack::Behind::default());
        assert_eq!(pod.inside(|| (Asker::of(V).ask(), ask_by_tcp(V))), ("centre".to_owned(), "centre".to_owned()));
        assert!(pod.inside(|| ["10.2.0.2", "10.2.0.2", "fd02::2"].iter().all(|ip| Asker::of(ip).ask() == "centre")));
        let behind = conntrack::behind(&services).unwrap();
        let text = |list: &[SocketAddr]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(text(&behind.translated), ["10.2.0.2:53", "10.2.0.3:5353"]);
        assert_eq!(text(&behind.plain), ["10.2.0.2:53", "[fd02::2]:53"]);
    });
}
