//! Everything that can be done to the interface from outside is repaired by the next look.

use super::*;

/// What is done, and the kinds to which it cannot be done.
const DONE: [(&str, &[Kind]); 7] = [
    ("link del DEVICE", &[Kind::Loopback]),
    ("link set DEVICE down", &[]),
    ("link set DEVICE name elsewhere", &[Kind::Loopback]),
    ("addr flush dev DEVICE", &[]),
    ("addr del 169.254.20.10/32 dev DEVICE", &[]),
    ("addr del fd00::53/128 dev DEVICE", &[]),
    ("addr replace fd00::53/64 dev DEVICE", &[]),
];

#[test]
fn it_is_repaired() {
    in_own_network("interface tampered with", || {
        for kind in makeable() {
            for (words, not) in DONE {
                if not.contains(&kind) {
                    continue;
                }
                let link = link(&[kind]);
                let device = ensure(&link).name;
                ip(&words.replace("DEVICE", &device));
                let again = ensure(&link);
                assert_eq!((&again.name, again.kind), (&device, kind), "{words}");
                own().into_iter().for_each(|own| assert!(attempts_to_bind(own) <= 50));
                let third = ensure(&link);
                assert!(third.nothing(), "{words}: {third}");
                with_netlink(async |handle| assert!(link.remove(&handle).await.unwrap()));
                run("ip link del elsewhere");
            }
        }
    });
}

#[test]
fn an_address_with_another_length_is_made_whole() {
    in_own_network("address of another length", || {
        ip(&format!("link add {NAME} type bridge"));
        ip(&format!("addr add 169.254.20.10/24 dev {NAME}"));
        ip(&format!("addr add fd00::53/64 dev {NAME}"));
        ensure(&link(&Kind::ALL));
        let shown = ip(&format!("addr show {NAME}"));
        for whole in ["169.254.20.10/32", "10.96.0.10/32", "fd00::53/128"] {
            assert!(shown.contains(whole), "{shown}");
        }
        assert!(!shown.contains("/24") && !shown.contains("fd00::53/64"), "{shown}");
    });
}

#[test]
fn two_that_start_together_make_one() {
    in_own_network("two starts together", || {
        for kind in makeable() {
            let link = link(&[kind]);
            for _ in 0..10 {
                let (one, two) = with_netlink(async |handle| {
                    let other = connect().unwrap();
                    let (one, two) =
                        tokio::join!(link.ensure(&handle, Unwanted::Remove), link.ensure(&other, Unwanted::Remove));
                    (one.unwrap(), two.unwrap())
                });
                assert!(!(one.created && two.created));
                assert!(ensure(&link).nothing());
                with_netlink(async |handle| assert!(link.remove(&handle).await.unwrap()));
            }
        }
    });
}
