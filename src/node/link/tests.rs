//! The interface in networks of the tests' own: each kind made, adopted, repaired, removed; what is somebody else's is left alone.

mod changes;
mod marks;
mod tampered;

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use nix::errno::Errno;

use super::testing::{everything, in_own_network, ip, lasting, note, run, with_netlink};
use super::*;

const NAME: &str = "nodelocaldns";

/// Link-local, a Service's, and one of IPv6.
fn own() -> Vec<IpAddr> {
    ["169.254.20.10", "10.96.0.10", "fd00::53"].map(|text| text.parse().unwrap()).to_vec()
}

fn link(kinds: &[Kind]) -> Link {
    Link::new(NAME, &own()).of_kinds(kinds)
}

/// Makes it, asserts that it is whole, and says what was made.
#[track_caller]
fn ensure(link: &Link) -> Made {
    let (made, holds) = with_netlink(async |handle| {
        (link.ensure(&handle, Unwanted::Remove).await.unwrap(), link.holds(&handle).await.unwrap())
    });
    assert!(holds, "{made}");
    made
}

/// The kinds that this kernel can make.
fn makeable() -> Vec<Kind> {
    let can_be_made = |name: &str| {
        let made = run(&format!("ip link add probe type {name}")).status.success();
        assert!(!made || run("ip link del probe").status.success());
        made
    };
    Kind::ALL
        .into_iter()
        .filter(|kind| match kind {
            Kind::Dummy => can_be_made("dummy"),
            Kind::Bridge => can_be_made("bridge"),
            Kind::Loopback => true,
        })
        .collect()
}

/// Binds, trying each millisecond while the address cannot be bound yet; how many attempts it took.
#[track_caller]
fn attempts_to_bind(address: IpAddr) -> u32 {
    for attempt in 1..=50 {
        match UdpSocket::bind((address, 53)) {
            Ok(_) => return attempt,
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => panic!("{address}: {error}"),
        }
    }
    panic!("{address} cannot be bound");
}

#[test]
fn the_first_kind_that_the_kernel_has_is_made() {
    in_own_network("interface", || {
        let first = makeable()[0];
        let made = ensure(&Link::new(NAME, &own()));
        assert_eq!((made.kind, made.created, made.name.as_str()), (first, true, NAME));
        assert_eq!((made.added, made.found, made.removed), (own(), vec![], vec![]));
        assert!(ip(&format!("link show {NAME}")).contains(&format!("alias {ALIAS}")));
        note(&format!("{first} {NAME} is made"));
    });
}

#[test]
fn each_kind_is_made_bound_adopted_and_removed_without_a_trace() {
    in_own_network("interface of each kind", || {
        for kind in makeable() {
            let link = link(&[kind]);
            let before = everything();
            let made = ensure(&link);
            assert_eq!((made.kind, made.created), (kind, kind != Kind::Loopback));
            assert_eq!(made.added, own());
            let attempts: Vec<_> = own().into_iter().map(attempts_to_bind).collect();
            note(&format!("{kind}: bound at attempt {attempts:?}"));
            let shown = everything();
            let again = ensure(&link);
            assert!(again.nothing(), "{again}");
            assert_eq!((again.kind, again.found), (kind, own()));
            assert_eq!(everything(), shown, "twice is once");
            assert!(!shown[1].contains("fe80"), "the kernel made an address of its own: {}", shown[1]);
            with_netlink(async |handle| {
                assert!(link.remove(&handle).await.unwrap());
                assert!(!link.holds(&handle).await.unwrap());
                assert!(!link.remove(&handle).await.unwrap(), "nothing was left");
            });
            assert_eq!(everything(), before);
        }
    });
}

#[test]
fn what_is_there_is_adopted_whatever_kind_it_is() {
    in_own_network("interface found", || {
        // as node-cache leaves it: one address, of one family
        ip(&format!("link add {NAME} type bridge"));
        ip(&format!("addr add 169.254.20.10/32 dev {NAME}"));
        let made = ensure(&Link::new(NAME, &own()));
        assert_eq!((made.kind, made.created), (Kind::Bridge, false));
        assert_eq!((&made.found, &made.added), (&own()[..1].to_vec(), &own()[1..].to_vec()));
        // and a failing start gives back exactly what it made
        with_netlink(async |handle| made.undo(&handle).await.unwrap());
        let left = ip(&format!("addr show {NAME}"));
        assert!(
            left.contains("169.254.20.10/32") && !left.contains("10.96.0.10") && !left.contains("fd00::53"),
            "{left}"
        );
    });
}

#[test]
fn addresses_that_nobody_wants_go_unless_another_instance_may() {
    in_own_network("unwanted addresses", || {
        for kind in makeable() {
            let old = link(&[kind]);
            ensure(&old);
            let new = Link::new(NAME, &own()[..1]).of_kinds(&[kind]);
            with_netlink(async |handle| {
                let made = new.ensure(&handle, Unwanted::Leave).await.unwrap();
                assert!(made.nothing(), "{made}");
                assert!(old.holds(&handle).await.unwrap());
                let made = new.ensure(&handle, Unwanted::Remove).await.unwrap();
                assert_eq!(made.removed, own()[1..]);
                assert!(new.holds(&handle).await.unwrap() && !old.holds(&handle).await.unwrap());
                new.remove(&handle).await.unwrap();
            });
        }
    });
}

#[test]
fn an_interface_of_somebody_else_is_left_alone() {
    in_own_network("interface of somebody else", || {
        let cases = [
            (vec![format!("link add {NAME} type veth peer name other")], "of the kind veth"),
            (
                vec![
                    format!("link add {NAME} type bridge"),
                    "link add port type veth peer name end".into(),
                    format!("link set port master {NAME}"),
                ],
                "a bridge with 1 ports",
            ),
        ];
        for (words, what) in cases {
            words.iter().for_each(|words| drop(ip(words)));
            let before = everything();
            let link = Link::new(NAME, &own());
            with_netlink(async |handle| {
                let foreign = LinkError::Foreign { name: NAME.into(), what: what.into() };
                assert_eq!(link.ensure(&handle, Unwanted::Remove).await.unwrap_err(), foreign);
                assert_eq!(link.remove(&handle).await.unwrap_err(), foreign);
                assert!(!link.holds(&handle).await.unwrap());
            });
            assert_eq!(everything(), before);
            ip(&format!("link del {NAME}"));
        }
    });
}

#[test]
fn without_ipv6_the_rest_is_made_and_it_is_said() {
    in_own_network("kernel without IPv6", || {
        assert!(
            run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1").status.success()
        );
        for kind in makeable() {
            let link = link(&[kind]);
            with_netlink(async |handle| {
                let made = link.ensure(&handle, Unwanted::Remove).await.unwrap();
                assert_eq!(made.added, own()[..2]);
                let why = made.without.clone().unwrap();
                assert_eq!(why, LinkError::NoIpv6 { addresses: own()[2..].to_vec(), why: Errno::EACCES });
                assert!(made.to_string().contains("IPv6 is switched off"), "{made}");
                assert_eq!(link.missing(&handle).await.unwrap(), own()[2..]);
                assert!(link.remove(&handle).await.unwrap());
            });
        }
    });
}

#[test]
fn without_the_right_the_error_names_it() {
    in_own_network("CAP_NET_ADMIN missing", || {
        let output = run("setpriv --version");
        if !output.status.success() {
            return super::testing::skip("CAP_NET_ADMIN missing", "setpriv is not installed");
        }
        let this = std::env::current_exe().unwrap();
        let words = format!(
            "setpriv --bounding-set=-net_admin --inh-caps=-net_admin {} node::link::tests::unprivileged --exact --ignored --nocapture",
            this.display()
        );
        let output = run(&words);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("CAP_NET_ADMIN"), "{said}");
        assert!(!ip("link show").contains(NAME));
    });
}

#[test]
#[ignore = "a process of another test"]
fn unprivileged() {
    let refused =
        with_netlink(async |handle| Link::new(NAME, &own()).ensure(&handle, Unwanted::Remove).await.unwrap_err());
    assert!(matches!(refused, LinkError::NotPermitted { .. }), "{refused}");
    note(&refused.to_string());
}
