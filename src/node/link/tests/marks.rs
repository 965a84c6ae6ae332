//! What is ours bears a mark; what bears none stays, and what a failed start took away is given back.

use super::*;

/// A node-cache that still runs holds no lease of ours, and a dummy of this name may be another program's.
#[test]
fn on_the_interface_what_bears_no_mark_of_ours_stays() {
    in_own_network("addresses of others on the interface", || {
        ip(&format!("link add {NAME} type bridge"));
        for other in ["169.254.20.99/32", "192.0.2.7/24", "fd00::77/128"] {
            ip(&format!("addr add {other} dev {NAME}"));
        }
        let made = ensure(&Link::new(NAME, &own()));
        assert_eq!((made.created, &made.removed), (false, &vec![]));
        let shown = ip(&format!("addr show {NAME}"));
        assert!(["169.254.20.99/32", "192.0.2.7/24", "fd00::77/128"].iter().all(|one| shown.contains(one)), "{shown}");
        with_netlink(async |handle| made.undo(&handle).await.unwrap());
        let after = ip(&format!("-j addr show {NAME}"));
        let addresses = |text: &str| text.matches("\"local\"").count();
        assert_eq!(addresses(&after), 3 + after.matches("\"fe80:").count(), "{after}");
    });
}

/// Whoever starts with other addresses and fails has changed nothing: those of before answer again.
#[test]
fn a_start_that_fails_gives_back_what_it_took_away() {
    in_own_network("addresses given back", || {
        for kind in makeable() {
            let old = link(&[kind]);
            ensure(&old);
            let shown = || ["-j addr show", "-j route show table all", "-j -6 route show table all"].map(lasting);
            let before = shown();
            let new = Link::new(NAME, &own()[..1]).of_kinds(&[kind]);
            with_netlink(async |handle| {
                let made = new.ensure(&handle, Unwanted::Remove).await.unwrap();
                assert_eq!(made.removed, own()[1..]);
                assert!(!old.holds(&handle).await.unwrap());
                made.undo(&handle).await.unwrap();
                assert!(old.holds(&handle).await.unwrap(), "{kind}");
            });
            assert_eq!(shown(), before, "{kind}");
            // and they bear our mark as they did
            with_netlink(async |handle| {
                assert_eq!(new.ensure(&handle, Unwanted::Remove).await.unwrap().removed, own()[1..]);
                assert!(new.remove(&handle).await.unwrap());
            });
        }
    });
}

/// An address of ours with another prefix is in the way, and somebody's.
#[test]
fn an_address_that_was_replaced_is_given_back_as_it_was() {
    in_own_network("address with another prefix", || {
        ip(&format!("link add {NAME} type bridge"));
        ip(&format!("link set {NAME} up"));
        ip(&format!("addr add 169.254.20.10/16 dev {NAME}"));
        let shown = || ip(&format!("-4 -o addr show {NAME}"));
        let before = shown();
        let made = ensure(&Link::new(NAME, &own()));
        assert!(shown().contains("169.254.20.10/32"));
        with_netlink(async |handle| made.undo(&handle).await.unwrap());
        assert_eq!(shown(), before);
    });
}

#[test]
fn on_lo_what_bears_no_mark_of_ours_stays() {
    in_own_network("addresses of others on lo", || {
        ip("addr add 192.0.2.7/32 dev lo");
        ip("addr add 10.96.0.10/32 dev lo");
        let link = link(&[Kind::Loopback]);
        let before = everything();
        let made = ensure(&link);
        assert_eq!((made.name.as_str(), made.found), ("lo", vec![own()[1]]));
        assert!(ip("addr show lo").contains("lo:nodelocaldns"));
        assert!(ensure(&Link::new(NAME, &own())).nothing(), "lo bears them already, so no interface is made");
        with_netlink(async |handle| assert!(link.remove(&handle).await.unwrap()));
        assert_eq!(everything(), before);
    });
}

#[test]
fn on_lo_addresses_of_others_are_borne_too() {
    in_own_network("all addresses on lo by others", || {
        for own in own() {
            ip(&format!("addr add {own} dev lo"));
        }
        let before = everything();
        let link = Link::new(NAME, &own());
        let made = ensure(&link);
        assert!(made.nothing() && made.kind == Kind::Loopback, "{made}");
        with_netlink(async |handle| assert!(!link.remove(&handle).await.unwrap()));
        assert_eq!(everything(), before);
    });
}

/// Of two instances that start together the one that did not make the interface may raise it first.
#[test]
fn a_new_interface_gets_no_address_of_the_kernels_own_whoever_raises_it() {
    in_own_network("interface made just now", || {
        ip(&format!("link add {NAME} type bridge"));
        assert!(!ensure(&Link::new(NAME, &own())).created);
        let shown = ip(&format!("addr show {NAME}"));
        assert!(!shown.contains("fe80"), "{shown}");
    });
}
