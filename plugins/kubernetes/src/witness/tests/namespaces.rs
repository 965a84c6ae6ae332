//! The real kernel, in network namespaces. What each of its words is followed by is asserted, never how fast; how fast is said.

use std::cell::Cell;
use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use contract::limits::WITNESS_BUFFER;
use tokio::time::{Instant, timeout};

use super::super::event::Testimony;
use super::super::netlink::{Lost, Socket};
use super::sandboxes::{FOUR, SIX, Sandbox, Witness, batch, call, changes, in_a_namespace, ip, of, restored, took};

#[test]
fn a_host_route_for_each_pod() {
    in_a_namespace("witness: host routes", async || {
        let mut witness = Witness::start(WITNESS_BUFFER).await;
        for address in [FOUR, SIX] {
            let prefix = if address == FOUR { 32 } else { 128 };
            let add = |link: &str| ip(&format!("route add {address}/{prefix} dev {link}"));
            ip("link add vethA type veth peer name peerA");
            ip("link set vethA up");
            ip("link set peerA up");
            add("vethA");
            witness.traced(address).await;

            // The same route over the same link is the same sandbox.
            ip(&format!("route del {address}/{prefix} dev vethA"));
            let since = witness.changed(address).await;
            add("vethA");
            let of: IpAddr = address.parse().unwrap();
            witness.until("it to be restored", |said| *said == Testimony::Restored { address: of, since }).await;

            // Without carrier, and back.
            ip("link set peerA down");
            let since = witness.changed(address).await;
            ip("link set peerA up");
            witness.until("it to be restored", |said| *said == Testimony::Restored { address: of, since }).await;

            // Switched off, and back: the kernel has dropped the route.
            ip("link set vethA down");
            let since = witness.changed(address).await;
            ip("link set vethA up");
            add("vethA");
            witness.until("it to be restored", |said| *said == Testimony::Restored { address: of, since }).await;

            ip("link del vethA");
            let start = Instant::now();
            witness.changed(address).await;
            took(&format!("{address}: from `ip link del` to the testimony"), start);

            ip("link add vethB type veth peer name peerB");
            ip("link set vethB up");
            ip("link set peerB up");
            add("vethB");
            witness.traced(address).await;
            let heard = witness.marker(u8::from(address == FOUR)).await;
            assert_eq!(restored(&heard), 3, "{heard:?}");
            ip(&format!("route replace {address}/{prefix} dev vethB"));
            let heard = witness.marker(10 + u8::from(address == FOUR)).await;
            assert_eq!((restored(&heard), changes(&heard, address)), (0, 0), "an equal route: {heard:?}");
            ip("link del vethB");
            witness.changed(address).await;
        }
    });
}

#[test]
fn the_other_end_of_a_host_route_moves_to_another_sandbox() {
    in_a_namespace("witness: moved ends", async || {
        let mut witness = Witness::start(WITNESS_BUFFER).await;
        let (one, two) = (Sandbox::new("veth1", "02:00:00:00:00:01"), Sandbox::new("veth2", "02:00:00:00:00:02"));
        ip("link set veth1 up");
        ip(&format!("route add {FOUR}/32 dev veth1"));
        witness.traced(FOUR).await;
        let heard = witness.marker(1).await;
        assert_eq!(changes(&heard, FOUR), 0, "{heard:?}");
        let task = two.task;
        one.run(move || ip(&format!("link set eth0 name moved netns {task}")));
        witness.changed(FOUR).await;
        two.run(|| ip("link set moved up"));
        witness.changed(FOUR).await;
        let heard = witness.marker(2).await;
        assert_eq!(restored(&heard), 0, "{heard:?}");
        two.end();
        witness.changed(FOUR).await;
        one.end();
    });
}

/// A bridge with the node's addresses.
fn bridge() {
    ip("link add br0 type bridge");
    ip("address add 10.1.0.1/24 dev br0");
    ip("address add fd00:1::1/64 dev br0 nodad");
    ip("link set br0 up");
}

fn attach(host: &str) {
    ip(&format!("link set {host} master br0"));
    ip(&format!("link set {host} up"));
}

/// The pod speaks until the kernel and the bridge know it.
async fn speak(witness: &mut Witness, pod: &Sandbox, address: &str) {
    let to = if address == FOUR { "10.1.0.1" } else { "fd00:1::1" };
    let traced = Testimony::Traced(address.parse().unwrap());
    for _ in 0..50 {
        pod.send(to);
        let said =
            timeout(Duration::from_millis(200), async { while witness.next("a trace").await != traced {} }).await;
        if said.is_ok() {
            return;
        }
    }
    panic!("{address} is not traced: {:?}", witness.heard);
}

#[test]
fn a_bridge_with_the_pods_behind_its_ports() {
    in_a_namespace("witness: bridge", async || {
        let mut witness = Witness::start(WITNESS_BUFFER).await;
        bridge();
        ip("link add veth0 type veth peer name bystander");
        ip("link set bystander up");
        attach("veth0");
        let pod = Sandbox::new("vethA", "02:00:00:00:00:01");
        attach("vethA");
        speak(&mut witness, &pod, FOUR).await;
        speak(&mut witness, &pod, SIX).await;

        // The kernel and the bridge forget it, and see it again: that is no change.
        let heard = witness.marker(1).await;
        assert_eq!((changes(&heard, FOUR), changes(&heard, SIX)), (0, 0), "{heard:?}");
        ip("neigh flush dev br0");
        call("bridge", "fdb del 02:00:00:00:00:01 dev vethA master");
        for to in ["10.1.0.1", "fd00:1::1"] {
            pod.send(to);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let heard = witness.marker(2).await;
        assert!(heard.is_empty(), "{heard:?}");

        // The sandbox goes.
        let start = Instant::now();
        pod.end();
        witness.changed(FOUR).await;
        took("bridge: from the end of the sandbox to the testimony", start);
        witness.marker(3).await;

        // Another takes its addresses, with another link-layer address; then one with the same link-layer address.
        let other = Sandbox::new("vethB", "02:00:00:00:00:02");
        attach("vethB");
        let known = witness.heard.len();
        for _ in 0..50 {
            other.send("10.1.0.1");
            let said = timeout(Duration::from_millis(200), witness.changed(FOUR)).await;
            if said.is_ok() {
                break;
            }
        }
        assert!(changes(&witness.heard[known..], FOUR) > 0, "{:?}", witness.heard);
        other.end();
        witness.changed(FOUR).await;
        let again = Sandbox::new("vethC", "02:00:00:00:00:01");
        attach("vethC");
        for _ in 0..5 {
            again.send("10.1.0.1");
            again.send("fd00:1::1");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let heard = witness.marker(4).await;
        assert_eq!(restored(&heard), 0, "{heard:?}");
        again.end();
    });
}

#[test]
fn the_same_link_layer_address_behind_another_port() {
    in_a_namespace("witness: same link-layer address", async || {
        let mut witness = Witness::start(WITNESS_BUFFER).await;
        bridge();
        let pod = Sandbox::new("vethA", "02:00:00:00:00:01");
        attach("vethA");
        speak(&mut witness, &pod, FOUR).await;
        // The kernel's entries may be learned in either order; both are there after a marker.
        pod.send("10.1.0.1");
        let heard = witness.marker(1).await;
        assert_eq!(changes(&heard, FOUR), 0, "{heard:?}");
        // Some plugins make the link-layer address from the address, so whoever has the one next has the other too.
        let other = Sandbox::new("vethB", "02:00:00:00:00:01");
        attach("vethB");
        let start = Instant::now();
        other.send("10.1.0.1");
        witness.changed(FOUR).await;
        took("bridge: from a datagram behind another port to the testimony", start);
        pod.end();
        other.end();
        let heard = witness.marker(2).await;
        assert_eq!(restored(&heard), 0, "{heard:?}");
    });
}

/// More notifications than fit: afterwards the witness says what is true.
#[test]
fn after_an_overflow_what_is_true_is_said() {
    in_a_namespace("witness: overflow", async || {
        let mut witness = Witness::start(4_096).await;
        for name in ["vethA", "vethB"] {
            ip(&format!("link add {name} type veth peer name {name}p"));
            ip(&format!("link set {name} up"));
            ip(&format!("link set {name}p up"));
        }
        let pod = |number: usize| format!("10.{}.{}.{}", 2 + number / 62_500, number / 250 % 250, number % 250 + 1);
        batch(&(0..100).map(|number| format!("route add {}/32 dev vethA\n", pod(number))).collect::<String>());
        let mut traced = HashSet::new();
        while traced.len() < 100 {
            if let Testimony::Traced(address) = witness.next("a trace").await {
                traced.insert(address);
            }
        }
        witness.marker(1).await;

        // While nobody reads: a burst of others, and of these some go, some move, some go and come.
        let mut lines = String::new();
        for number in 100..2_100 {
            lines += &format!("route add {0}/32 dev vethA\nroute del {0}/32 dev vethA\n", pod(number));
        }
        for number in 0..10 {
            lines += &format!("route del {}/32 dev vethA\n", pod(number));
        }
        for number in 10..20 {
            lines += &format!("route replace {}/32 dev vethB\n", pod(number));
        }
        for number in 20..30 {
            lines += &format!("route del {0}/32 dev vethA\nroute add {0}/32 dev vethA\n", pod(number));
        }
        batch(&lines);
        // The first marker comes somewhere in what the comparison brings.
        let mut heard = witness.marker(2).await;
        heard.extend(witness.marker(3).await);
        for number in 0..100 {
            let changed = changes(&heard, &pod(number));
            match number {
                0..20 => assert_eq!(changed, 1, "{number}: {heard:?}"),
                20..30 => assert_eq!(changed, 0, "{number} was replaced by an equal one, unseen"),
                _ => assert_eq!(changed, 0, "{number}"),
            }
        }
        let seen = heard.iter().filter_map(of).filter(|address| address.to_string() == pod(1_000)).count();
        assert_eq!(seen, 0, "the burst was not read one by one, so it did overflow");
        // And it goes on.
        ip("link del vethA");
        for number in 30..100 {
            let pod = pod(number);
            if changes(&witness.heard, &pod) == 0 {
                witness.changed(&pod).await;
            }
        }
        let heard = witness.marker(4).await;
        assert_eq!(changes(&heard, &pod(15)), 0, "that one is over the other link: {heard:?}");
    });
}

/// How many changes a burst brings that does fit, and none is lost.
#[test]
fn a_burst_that_fits_is_told_one_by_one() {
    in_a_namespace("witness: burst", async || {
        let mut witness = Witness::start(WITNESS_BUFFER).await;
        ip("link add vethA type veth peer name vethAp");
        ip("link set vethA up");
        ip("link set vethAp up");
        let pods: Vec<_> = (0..500).map(|number| format!("10.3.{}.{}", number / 250, number % 250 + 1)).collect();
        batch(
            &pods
                .iter()
                .map(|pod| format!("route add {pod}/32 dev vethA\nroute del {pod}/32 dev vethA\n"))
                .collect::<String>(),
        );
        let heard = witness.marker(1).await;
        let changed: HashSet<_> =
            heard.iter().filter(|said| matches!(said, Testimony::Changed { .. })).filter_map(of).collect();
        assert_eq!(changed.len(), pods.len());
    });
}

#[test]
fn what_is_there_before_the_witness_is_traced() {
    in_a_namespace("witness: first dump", async || {
        ip("link add vethA type veth peer name vethAp");
        ip("link set vethA up");
        ip("link set vethAp up");
        // More than one datagram of a dump holds.
        let pods: Vec<_> = (0..2_000).map(|number| format!("10.4.{}.{}", number / 250, number % 250 + 1)).collect();
        batch(&pods.iter().map(|pod| format!("route add {pod}/32 dev vethA\n")).collect::<String>());
        bridge();
        let pod = Sandbox::new("veth1", "02:00:00:00:00:01");
        attach("veth1");
        // Known to the kernel before anybody watches.
        ip(&format!("neigh replace {FOUR} lladdr 02:00:00:00:00:01 dev br0 nud reachable"));
        ip(&format!("neigh replace {SIX} lladdr 02:00:00:00:00:01 dev br0 nud reachable"));
        let mut witness = Witness::listening(Socket::ordinary);
        let mut heard = witness.marker(1).await;
        heard.extend(witness.marker(2).await);
        let traced: HashSet<_> =
            heard.iter().filter(|said| matches!(said, Testimony::Traced(_))).filter_map(of).collect();
        let expected: HashSet<IpAddr> =
            pods.iter().map(String::as_str).chain([FOUR, SIX]).map(|pod| pod.parse().unwrap()).collect();
        assert_eq!(traced, expected);
        pod.end();
        witness.changed(FOUR).await;
        ip("link del vethA");
        witness.changed(&pods[1_999]).await;
    });
}

#[test]
fn what_changed_while_nothing_was_seen_is_told_afterwards() {
    in_a_namespace("witness: blind for a while", async || {
        for name in ["vethA", "vethB"] {
            ip(&format!("link add {name} type veth peer name {name}p"));
            ip(&format!("link set {name} up"));
            ip(&format!("link set {name}p up"));
        }
        ip(&format!("route add {FOUR}/32 dev vethA"));
        ip(&format!("route add {SIX}/128 dev vethA"));
        let refusals = Rc::new(Cell::new(0));
        let left = Rc::clone(&refusals);
        let mut witness = Witness::listening(move || match left.get() {
            0 => Socket::subscribe(4_096),
            some => {
                left.set(some - 1);
                Err(Lost::from(io::Error::from(io::ErrorKind::PermissionDenied)))
            }
        });
        witness.marker(250).await;
        witness.marker(251).await;
        refusals.set(3);
        // The socket is lost by an overflow; the next ones cannot be had.
        let burst: String =
            (0..500).map(|_| "route add 10.98.0.1/32 dev vethA\nroute del 10.98.0.1/32 dev vethA\n").collect();
        batch(&burst);
        ip(&format!("route replace {FOUR}/32 dev vethB"));
        witness.until("blindness", |said| matches!(said, Testimony::Blind { .. })).await;
        witness.changed(FOUR).await;
        let mut heard = std::mem::take(&mut witness.heard);
        heard.extend(witness.marker(1).await);
        heard.extend(witness.marker(2).await);
        let after = heard.iter().position(|said| matches!(said, Testimony::Blind { .. })).unwrap();
        let again = |address: &str| heard[after..].contains(&Testimony::Traced(address.parse().unwrap()));
        assert!(again(FOUR) && again(SIX), "{heard:?}");
        assert_eq!((changes(&heard, FOUR), changes(&heard, SIX), restored(&heard)), (1, 0, 0), "{heard:?}");
        assert_eq!(heard.iter().filter(|said| matches!(said, Testimony::Blind { .. })).count(), 1);
    });
}
