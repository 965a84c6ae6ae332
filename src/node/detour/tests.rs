//! The pair in networks of the tests' own.

mod way;

use std::process::Command;

use super::*;
use crate::node::link::testing::{everything, in_own_network, ip, run, with_netlink};
use crate::node::link::{Link, Unwanted};

const NAME: &str = "nodelocaldns";
const OUT: &str = "nodelocaldns-0";
const BACK: &str = "nodelocaldns-1";

fn own() -> Vec<IpAddr> {
    vec!["169.254.20.10".parse().unwrap(), "fd00::53".parse().unwrap()]
}

#[track_caller]
fn ensure() -> Detour {
    with_netlink(async |handle| {
        let detour = Detour::ensure(&handle, NAME, &own()).await.unwrap();
        assert!(detour.holds(&handle).await.unwrap());
        detour
    })
}

/// The same, as the next look finds it.
fn found(detour: &Detour) -> Detour {
    Detour { created: false, ..detour.clone() }
}

#[track_caller]
fn holds(detour: &Detour) -> bool {
    with_netlink(async |handle| detour.holds(&handle).await.unwrap())
}

/// The network is as a node's that forwards both families.
fn forwards() {
    assert!(run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").status.success());
}

#[test]
fn names_fit_and_stay_the_same() {
    assert_eq!(Pair::of(NAME), Pair { out: OUT.into(), back: BACK.into(), seed: hash_of(NAME) });
    let (one, other) = (Pair::of("nodelocaldns-a1"), Pair::of("nodelocaldns-a2"));
    assert_eq!((one.out.len(), one.back.len()), (15, 15));
    assert!(one.out.starts_with("nodeloca") && one.out != other.out, "{one:?} {other:?}");
    assert_eq!(one, Pair::of("nodelocaldns-a1"));
}

fn hash_of(name: &str) -> u32 {
    crate::node::link::hash(name)
}

#[test]
fn it_is_made_adopted_and_removed_without_a_trace() {
    in_own_network("detour", || {
        forwards();
        let before = everything();
        let detour = ensure();
        assert_eq!((detour.device.as_str(), detour.back.as_str()), (OUT, BACK));
        assert_eq!(detour.address, Ipv4Addr::new(169, 254, 20, 253));
        assert_eq!(detour.address6, Some(NEXT_HOP_V6));
        for end in [OUT, BACK] {
            assert!(ip(&format!("link show {end}")).contains("alias nearpath"));
            assert!(!ip(&format!("addr show {end}")).contains("fe80"), "the kernel made an address of its own");
        }
        let shown = everything();
        assert!(detour.created);
        assert_eq!(ensure(), found(&detour));
        assert_eq!(everything(), shown, "twice is once");
        with_netlink(async |handle| {
            assert!(Detour::remove(&handle, NAME).await.unwrap());
            assert!(!Detour::remove(&handle, NAME).await.unwrap(), "nothing was left");
            assert!(!detour.holds(&handle).await.unwrap());
        });
        assert_eq!(everything(), before);
    });
}

#[test]
fn whatever_is_done_to_it_is_repaired() {
    in_own_network("detour tampered with", || {
        forwards();
        let done = [
            "ip link del OUT",
            "ip link set OUT down",
            "ip link set BACK down",
            "ip link set BACK name elsewhere",
            "ip link set BACK address 02:00:00:00:00:99",
            "ip addr flush dev BACK",
            "ip route del 169.254.20.253 dev OUT",
            "ip neigh del 169.254.20.253 dev OUT",
            "ip neigh replace 169.254.20.253 lladdr 02:00:00:00:00:98 dev OUT nud permanent",
            "ip -6 route del fe80::6e70 dev OUT",
            "ip -6 neigh del fe80::6e70 dev OUT",
            "sysctl -qw net.ipv4.conf.BACK.rp_filter=1",
            "sysctl -qw net.ipv4.conf.BACK.accept_local=0",
            "sysctl -qw net.ipv4.conf.BACK.forwarding=0",
        ];
        for words in done {
            let detour = ensure();
            let output = run(&words.replace("OUT", OUT).replace("BACK", BACK));
            assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(!holds(&detour), "{words} is noticed");
            let again = ensure();
            assert_eq!(found(&again), found(&detour), "{words}");
            assert_eq!(ensure(), found(&detour), "{words}");
            run("ip link del elsewhere");
        }
    });
}

#[test]
fn addresses_in_use_are_not_taken() {
    in_own_network("detour beside other addresses", || {
        ip("link add other type bridge");
        ip("link set other up");
        // one by an address, one by a route, one because pods ask there; a route to all link-local addresses is none
        ip("addr add 169.254.20.254/32 dev other");
        ip("route add 169.254.21.0/24 dev other");
        ip("route add 169.254.0.0/16 dev other");
        let own = vec!["169.254.22.253".parse().unwrap()];
        let detour = with_netlink(async |handle| Detour::ensure(&handle, NAME, &own).await.unwrap());
        assert_eq!(detour.address, Ipv4Addr::new(169, 254, 23, 253));
        assert_eq!(detour.address6, None, "no address of ours is one of IPv6");
        // and when somebody takes what it has, it gives way
        ip("addr add 169.254.23.253/32 dev other");
        let moved = with_netlink(async |handle| Detour::ensure(&handle, NAME, &own).await.unwrap());
        assert_eq!(moved.address, Ipv4Addr::new(169, 254, 24, 253));
        assert!(!ip(&format!("addr show {BACK}")).contains("169.254.23."));
    });
}

#[test]
fn no_right_is_needed_but_net_admin_and_no_sysctl() {
    in_own_network("detour with a container's means", || {
        forwards();
        let this = std::env::current_exe().unwrap();
        // as a container has it: one capability, and /proc/sys cannot be written
        let script = format!(
            "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys &&
             ! sysctl -w net.ipv4.ip_forward=1 &&
             exec setpriv --bounding-set=-all,+net_admin --inh-caps=-all,+net_admin {} node::detour::tests::confined --exact --ignored",
            this.display()
        );
        let output = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(holds(&ensure()));
    });
}

#[test]
#[ignore = "a process of another test"]
fn confined() {
    assert!(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).is_err(), "it has other rights too");
    let made = with_netlink(async |handle| Link::new(NAME, &own()).ensure(&handle, Unwanted::Remove).await.unwrap());
    assert_eq!(made.added, own());
    let detour = ensure();
    assert_eq!(detour.address6, Some(NEXT_HOP_V6));
}

#[test]
fn interfaces_of_somebody_else_are_left_alone() {
    in_own_network("detour's name taken", || {
        ip(&format!("link add {OUT} type bridge"));
        let before = everything();
        with_netlink(async |handle| {
            let foreign = LinkError::Foreign { name: OUT.into(), what: "of the kind bridge".into() };
            assert_eq!(Detour::ensure(&handle, NAME, &own()).await.unwrap_err(), foreign);
            assert_eq!(Detour::remove(&handle, NAME).await.unwrap_err(), foreign);
        });
        assert_eq!(everything(), before);
    });
}
