//! Who answers: a socket while one is open, and else a central server.

use nearpath::node::rules::{Detour, Means, Rules};

use super::world::{
    Asker, Place, Server, V, World, X, X6, address, ask_by_tcp, load, on_a_node, run, wanted, with_port, world,
};

/// How often a daemon comes and goes.
const SWITCHES: usize = 10;

/// What a Service proxy does with a Service's address.
const PROXY: &str = "table ip proxy {
  chain services { type nat hook prerouting priority dstnat; policy accept;
    ip daddr 10.96.0.10 meta l4proto { tcp, udp } th dport 53 dnat to 10.2.0.3:5353
  }
  chain hosts { type nat hook output priority -100; policy accept;
    ip daddr 10.96.0.10 meta l4proto { tcp, udp } th dport 53 dnat to 10.2.0.3:5353
  }
}";

/// Asks by both protocols while a daemon comes and goes, by UDP always from the same port. `None`: the node itself asks.
#[track_caller]
pub(super) fn follows_the_socket(from: Option<&Place>, addresses: &[&str]) {
    for ip in addresses {
        let asker = at(from, || Asker::of(ip));
        for switch in 0..SWITCHES {
            let daemon = Server::open("daemon", &with_port(ip));
            assert_eq!(asker.ask(), "daemon", "UDP to {ip}, switch {switch}");
            assert_eq!(at(from, || ask_by_tcp(ip)), "daemon", "TCP to {ip}, switch {switch}");
            drop(daemon);
            assert_eq!(asker.ask(), "centre", "UDP to {ip}, switch {switch}");
            assert_eq!(at(from, || ask_by_tcp(ip)), "centre", "TCP to {ip}, switch {switch}");
        }
    }
}

fn at<T: Send>(place: Option<&Place>, work: impl FnOnce() -> T + Send) -> T {
    match place {
        Some(place) => place.inside(work),
        None => work(),
    }
}

#[test]
fn a_pods_question_goes_to_the_socket_and_without_one_to_the_centre() {
    on_a_node(&[], || {
        let World { pod, .. } = &world();
        let mut rules = Rules::find("rules0");
        assert_eq!(rules.means(), Means::Nft, "{:?}", rules.refusals());
        rules.apply(&wanted()).unwrap();
        follows_the_socket(Some(pod), &[X, X6]);
        assert_eq!(rules.armed().unwrap().len(), 3);
        assert!(wanted().bare().is_empty());
    });
}

#[test]
fn the_address_of_a_service_is_its_proxys_without_a_socket() {
    on_a_node(&[], || {
        let World { pod, .. } = &world();
        load(PROXY);
        Rules::find("rules0").apply(&wanted()).unwrap();
        follows_the_socket(Some(pod), &[V]);
    });
}

#[test]
fn the_address_of_a_service_is_its_proxys_by_iptables_too() {
    on_a_node(&["iptables-nft", "iptables-legacy"], || {
        for kind in ["nft", "legacy"] {
            let World { pod, .. } = &world();
            for protocol in ["udp", "tcp"] {
                let rule = "-d 10.96.0.10 -j DNAT --to-destination 10.2.0.3:5353";
                run(&format!("iptables-{kind} -t nat -A PREROUTING -p {protocol} --dport 53 {rule}"));
            }
            Rules::find("rules0").apply(&wanted()).unwrap();
            follows_the_socket(Some(pod), &[V]);
            run(&format!("iptables-{kind} -t nat -F PREROUTING"));
            unmade();
        }
    });
}

/// The links and addresses of [`world`] go.
fn unmade() {
    for link in ["pod0", "centre0"] {
        run(&format!("ip link del {link}"));
    }
    for address in ["169.254.20.10/32", "10.96.0.10/32", "fd00::53/128"] {
        run(&format!("ip addr del {address} dev lo"));
    }
}

/// The pair of links that leads out of the node and in again.
pub(super) fn detour() -> Detour {
    run("ip link add out0 type veth peer name back0");
    run("ip addr add 169.254.20.11/32 dev out0");
    run("ip addr add 169.254.20.13/32 dev back0");
    for (name, value) in [("accept_local", "1"), ("rp_filter", "2")] {
        std::fs::write(format!("/proc/sys/net/ipv4/conf/back0/{name}"), value).expect("a veth has such a setting");
    }
    // an address by which nothing is answered yet would be a second too late
    run("ip addr add fd00:2::11/128 dev out0 nodad");
    run("ip addr add fd00:2::13/128 dev back0 nodad");
    run("ip link set out0 up");
    run("ip link set back0 up");
    let shown = run("ip -o link show back0");
    let mac = shown.split("link/ether ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a veth has an address");
    for hop in ["169.254.20.12", "fd00:2::12"] {
        run(&format!("ip route add {hop} dev out0"));
        run(&format!("ip neigh replace {hop} lladdr {mac} dev out0 nud permanent"));
    }
    Detour {
        device: "out0".into(),
        back: "back0".into(),
        address: "169.254.20.12".parse().expect("an address"),
        address6: Some("fd00:2::12".parse().expect("an address")),
    }
}

#[test]
fn a_hosts_own_question_goes_the_same_way() {
    on_a_node(&[], || {
        let _world = world();
        load(PROXY);
        let mut wanted = wanted();
        wanted.host = Some(detour());
        Rules::find("rules0").apply(&wanted).unwrap();
        follows_the_socket(None, &[X, V, X6]);
    });
}

#[test]
fn without_a_detour_a_host_asks_the_socket_and_the_proxy() {
    on_a_node(&[], || {
        let _world = world();
        load(PROXY);
        Rules::find("rules0").apply(&wanted()).unwrap();
        let asker = Asker::of(V);
        let daemon = [X, V].map(|ip| Server::open("daemon", &with_port(ip)));
        assert_eq!((Asker::of(X).ask(), ask_by_tcp(X)), ("daemon".to_owned(), "daemon".to_owned()));
        assert_eq!((asker.ask(), ask_by_tcp(V)), ("centre".to_owned(), "centre".to_owned()));
        drop(daemon);
        assert_eq!((asker.ask(), ask_by_tcp(V)), ("centre".to_owned(), "centre".to_owned()));
    });
}

/// A pod and a central server on one bridge: an answer that does not pass the node would come from a stranger.
#[test]
fn a_central_server_on_the_pods_own_bridge_answers_by_the_node() {
    on_a_node(&[], || {
        let pods = [Place::new(), Place::new()];
        run("ip link add cni0 type bridge");
        run("ip addr add 10.3.0.1/24 dev cni0");
        run("ip link set cni0 up");
        // where a bridge's packets pass iptables, answers pass the node anyhow
        std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0").ok();
        run("ip addr add 169.254.20.10/32 dev lo");
        for (index, pod) in pods.iter().enumerate() {
            pod.link(&format!("pod{index}"));
            run(&format!("ip link set pod{index} master cni0"));
            pod.ip(&[&format!("addr add 10.3.0.{}/24 dev eth0", index + 2), "route add default via 10.3.0.1"]);
        }
        let _centre = pods[1].inside(|| Server::open("centre", "10.3.0.3:53"));
        let mut wanted = wanted();
        wanted.own = vec![address(X)];
        wanted.failsafe.as_mut().unwrap().central = vec!["10.3.0.3:53".parse().unwrap()];
        let mut rules = Rules::find("rules0");
        rules.apply(&wanted).unwrap();
        follows_the_socket(Some(&pods[0]), &[X]);
        assert!(rules.holds(&wanted).unwrap(), "what a rule remembers is no change");
        let hairpin = run("nft list set ip nearpath-rules0 hairpin");
        assert!(hairpin.contains("\"cni0\" . \"cni0\""), "the mark that it was needed: {hairpin}");
    });
}
