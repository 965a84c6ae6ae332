//! Each rule of the traces by itself.

use std::net::IpAddr;

use contract::limits::{TRACE_ROUTES_MAX, TRACES_MAX};

use super::super::event::{Event, Hop, LinkState, Mac, RouteKey, Testimony};
use super::super::traces::Traces;

const POD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 0, 5));
const SIX: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 5));
const BRIDGE: u32 = 3;
const A: Mac = [2, 0, 0, 0, 0, 1];
const B: Mac = [2, 0, 0, 0, 0, 2];
const UP: LinkState =
    LinkState { enabled: true, carrier: true, bridge: false, master: None, vlan_of: None, peer: Some((2, Some(0))) };

/// A kernel with a bridge (3) of two ports (11, 12) and two other links (7, 8).
struct Kernel(Traces);

impl Kernel {
    fn new() -> Self {
        let mut kernel = Self(Traces::default());
        kernel.silent(link(BRIDGE, LinkState { bridge: true, carrier: false, peer: None, ..UP }));
        for port in [11, 12] {
            kernel.silent(link(port, LinkState { master: Some(BRIDGE), ..UP }));
        }
        for other in [7, 8] {
            kernel.silent(link(other, UP));
        }
        kernel
    }

    fn hear(&mut self, event: Event) -> String {
        let mut out = Vec::new();
        self.0.hear(event, &mut out);
        words(&out)
    }

    /// Nothing follows from it.
    #[track_caller]
    fn silent(&mut self, event: Event) {
        assert_eq!(self.hear(event.clone()), "", "{event:?}");
    }

    fn end(&mut self) -> String {
        let mut out = Vec::new();
        self.0.end(&mut out);
        words(&out)
    }

    /// A pod with a host route over link 7.
    fn routed() -> Self {
        let mut kernel = Self::new();
        assert_eq!(kernel.hear(route(POD, 7)), "traced 10.1.0.5");
        kernel
    }

    /// A pod with link-layer address `A` behind port 11.
    fn bridged() -> Self {
        let mut kernel = Self::new();
        kernel.silent(seen(A, 11));
        assert_eq!(kernel.hear(neighbour(POD, BRIDGE, A)), "traced 10.1.0.5");
        kernel
    }
}

fn words(out: &[Testimony]) -> String {
    let word = |testimony: &Testimony| match testimony {
        Testimony::Traced(address) => format!("traced {address}"),
        Testimony::Untraced(address) => format!("untraced {address}"),
        Testimony::Changed { address, change, .. } => format!("changed {address} {change}"),
        Testimony::Restored { address, since } => format!("restored {address} {since}"),
        Testimony::Blind { .. } => "blind".to_owned(),
    };
    out.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn link(index: u32, state: LinkState) -> Event {
    Event::Link { index, state }
}

fn gone(index: u32) -> Event {
    Event::LinkGone { index }
}

fn route(address: IpAddr, over: u32) -> Event {
    Event::Route { address, key: RouteKey::default(), hop: Some(Hop { link: over, gateway: None }) }
}

fn no_route(address: IpAddr) -> Event {
    Event::Route { address, key: RouteKey::default(), hop: None }
}

fn neighbour(address: IpAddr, link: u32, mac: Mac) -> Event {
    Event::Neighbour { address, link, mac: Some(mac) }
}

fn silence(address: IpAddr, link: u32) -> Event {
    Event::Neighbour { address, link, mac: None }
}

fn seen(mac: Mac, port: u32) -> Event {
    Event::Forwarding { bridge: BRIDGE, mac, port }
}

fn aged(mac: Mac, port: u32) -> Event {
    Event::ForwardingGone { bridge: BRIDGE, mac, port }
}

#[test]
fn a_route_that_goes_and_comes_over_the_same_link_is_restored() {
    let mut kernel = Kernel::routed();
    kernel.silent(route(POD, 7));
    assert_eq!(kernel.hear(no_route(POD)), "changed 10.1.0.5 1, untraced 10.1.0.5");
    kernel.silent(no_route(POD));
    assert_eq!(kernel.hear(route(POD, 7)), "traced 10.1.0.5, restored 10.1.0.5 1");
    assert_eq!(kernel.hear(no_route(POD)), "changed 10.1.0.5 2, untraced 10.1.0.5");
}

#[test]
fn a_route_that_leads_elsewhere_is_a_change_and_nothing_restores_it() {
    let mut kernel = Kernel::routed();
    assert_eq!(kernel.hear(route(POD, 8)), "changed 10.1.0.5 1");
    assert_eq!(kernel.hear(route(POD, 7)), "changed 10.1.0.5 2");
    let gateway = Hop { link: 7, gateway: Some(SIX) };
    assert_eq!(
        kernel.hear(Event::Route { address: POD, key: RouteKey::default(), hop: Some(gateway) }),
        "changed 10.1.0.5 3"
    );
}

#[test]
fn after_a_route_went_another_one_is_a_change_again() {
    let mut kernel = Kernel::routed();
    kernel.hear(no_route(POD));
    assert_eq!(kernel.hear(route(POD, 8)), "changed 10.1.0.5 2, traced 10.1.0.5");
    assert_eq!(kernel.hear(no_route(POD)), "changed 10.1.0.5 3, untraced 10.1.0.5");
    // Back at what was before the third change, and so that one alone is taken back.
    assert_eq!(kernel.hear(route(POD, 8)), "traced 10.1.0.5, restored 10.1.0.5 3");
}

#[test]
fn a_second_route_elsewhere_is_a_change_and_a_second_equal_one_is_not() {
    let mut kernel = Kernel::routed();
    let beside = |over| Event::Route {
        address: POD,
        key: RouteKey { table: 100, priority: 5, tos: 0 },
        hop: Some(Hop { link: over, gateway: None }),
    };
    kernel.silent(beside(7));
    assert_eq!(kernel.hear(beside(8)), "changed 10.1.0.5 1");
}

#[test]
fn a_link_that_goes_takes_the_routes_over_it_along() {
    let mut kernel = Kernel::routed();
    kernel.hear(route(SIX, 7));
    let out = kernel.hear(gone(7));
    assert!(out.contains("changed 10.1.0.5") && out.contains("changed fd00::5"), "{out}");
    // A new link of the same index is another link: over it the route leads elsewhere.
    kernel.silent(link(7, UP));
    assert_eq!(kernel.hear(route(POD, 7)), "changed 10.1.0.5 3, traced 10.1.0.5");
}

#[test]
fn a_link_without_carrier_is_in_doubt_until_it_is_as_before() {
    let mut kernel = Kernel::routed();
    assert_eq!(kernel.hear(link(7, LinkState { carrier: false, ..UP })), "changed 10.1.0.5 1, untraced 10.1.0.5");
    assert_eq!(kernel.hear(link(7, UP)), "traced 10.1.0.5, restored 10.1.0.5 1");
}

#[test]
fn the_other_end_of_a_link_in_another_sandbox_is_never_restored() {
    let mut kernel = Kernel::routed();
    kernel.hear(link(7, LinkState { carrier: false, ..UP }));
    let moved = LinkState { peer: Some((2, Some(1))), ..UP };
    assert_eq!(kernel.hear(link(7, moved)), "changed 10.1.0.5 2, traced 10.1.0.5");
    // Even if that is all that was seen of it.
    assert_eq!(kernel.hear(link(7, UP)), "changed 10.1.0.5 3");
}

#[test]
fn a_link_that_was_switched_off_has_lost_its_routes() {
    let mut kernel = Kernel::routed();
    assert_eq!(
        kernel.hear(link(7, LinkState { enabled: false, carrier: false, ..UP })),
        "changed 10.1.0.5 1, untraced 10.1.0.5"
    );
    kernel.silent(link(7, UP));
    assert_eq!(kernel.hear(route(POD, 7)), "traced 10.1.0.5, restored 10.1.0.5 1");
}

#[test]
fn a_route_shows_once_its_link_does() {
    let mut kernel = Kernel::new();
    kernel.silent(link(9, LinkState { carrier: false, ..UP }));
    kernel.silent(route(POD, 9));
    assert_eq!(kernel.hear(link(9, UP)), "traced 10.1.0.5");
}

#[test]
fn a_neighbour_that_is_silent_for_a_while_is_no_change() {
    let mut kernel = Kernel::bridged();
    kernel.silent(silence(POD, BRIDGE));
    kernel.silent(aged(A, 11));
    kernel.silent(neighbour(POD, BRIDGE, A));
    kernel.silent(seen(A, 11));
    // What was remembered still tells.
    kernel.silent(silence(POD, BRIDGE));
    kernel.silent(aged(A, 11));
    assert_eq!(kernel.hear(seen(A, 12)), "changed 10.1.0.5 1");
}

#[test]
fn another_link_layer_address_is_a_change_also_after_silence() {
    let mut kernel = Kernel::bridged();
    kernel.silent(silence(POD, BRIDGE));
    assert_eq!(kernel.hear(neighbour(POD, BRIDGE, B)), "changed 10.1.0.5 1");
    assert_eq!(kernel.hear(neighbour(POD, BRIDGE, A)), "changed 10.1.0.5 2");
}

#[test]
fn another_port_is_a_change_and_back_again_as_well() {
    let mut kernel = Kernel::bridged();
    assert_eq!(kernel.hear(seen(A, 12)), "changed 10.1.0.5 1");
    assert_eq!(kernel.hear(seen(A, 11)), "changed 10.1.0.5 2");
}

#[test]
fn a_port_that_is_learned_late_is_no_change() {
    let mut kernel = Kernel::new();
    assert_eq!(kernel.hear(neighbour(POD, BRIDGE, A)), "traced 10.1.0.5");
    kernel.silent(seen(A, 11));
    kernel.silent(gone(12));
    assert_eq!(kernel.hear(gone(11)), "changed 10.1.0.5 1");
}

#[test]
fn the_port_going_is_a_change_in_each_of_its_ways() {
    let ported = LinkState { master: Some(BRIDGE), ..UP };
    for event in [
        gone(11),
        link(11, LinkState { enabled: false, ..ported }),
        link(11, LinkState { carrier: false, ..ported }),
        link(11, LinkState { master: None, ..ported }),
        link(11, LinkState { master: Some(7), ..ported }),
        link(11, LinkState { peer: Some((9, Some(4))), ..ported }),
    ] {
        let mut kernel = Kernel::bridged();
        assert_eq!(kernel.hear(event.clone()), "changed 10.1.0.5 1", "{event:?}");
    }
}

#[test]
fn a_port_that_is_back_restores_once_the_pod_is_seen_behind_it() {
    let ported = LinkState { master: Some(BRIDGE), ..UP };
    let mut kernel = Kernel::bridged();
    kernel.hear(link(11, LinkState { carrier: false, ..ported }));
    kernel.silent(link(11, ported));
    kernel.silent(neighbour(POD, BRIDGE, A));
    assert_eq!(kernel.hear(seen(A, 11)), "restored 10.1.0.5 1");

    let mut kernel = Kernel::bridged();
    kernel.hear(link(11, LinkState { carrier: false, ..ported }));
    // The bridge tells of the pod before the port tells that it is back.
    kernel.silent(seen(A, 11));
    assert_eq!(kernel.hear(link(11, ported)), "restored 10.1.0.5 1");
}

#[test]
fn after_a_port_went_the_same_link_layer_address_elsewhere_is_a_change_again() {
    let mut kernel = Kernel::bridged();
    kernel.hear(gone(11));
    assert_eq!(kernel.hear(seen(A, 12)), "changed 10.1.0.5 2");
}

#[test]
fn any_port_may_have_been_the_one_of_a_neighbour_without_a_known_port() {
    let mut kernel = Kernel::new();
    kernel.hear(neighbour(POD, BRIDGE, A));
    kernel.silent(gone(7));
    assert_eq!(kernel.hear(gone(12)), "changed 10.1.0.5 1");
    // Nothing can show that it was another one's.
    kernel.silent(neighbour(POD, BRIDGE, A));
    kernel.silent(seen(A, 11));
}

#[test]
fn what_a_bridge_saw_before_a_port_went_down_says_nothing_of_later() {
    let ported = LinkState { master: Some(BRIDGE), ..UP };
    let mut kernel = Kernel::new();
    kernel.silent(seen(A, 11));
    kernel.silent(link(11, LinkState { carrier: false, ..ported }));
    assert_eq!(kernel.hear(neighbour(POD, BRIDGE, A)), "traced 10.1.0.5");
    kernel.silent(link(11, ported));
    assert_eq!(kernel.hear(gone(12)), "changed 10.1.0.5 1", "its port is not known");
}

#[test]
fn what_grew_while_in_doubt_is_not_restored() {
    let mut kernel = Kernel::routed();
    kernel.hear(no_route(POD));
    assert_eq!(kernel.hear(neighbour(POD, BRIDGE, A)), "traced 10.1.0.5");
    kernel.silent(route(POD, 7));
    assert_eq!(kernel.hear(gone(BRIDGE)), "changed 10.1.0.5 2");
}

#[test]
fn a_bridge_that_goes_takes_its_neighbours_along_and_one_without_carrier_does_not() {
    let mut kernel = Kernel::bridged();
    let bridge = LinkState { bridge: true, peer: None, ..UP };
    kernel.silent(link(BRIDGE, bridge));
    kernel.silent(link(BRIDGE, LinkState { carrier: false, ..bridge }));
    assert_eq!(kernel.hear(gone(BRIDGE)), "changed 10.1.0.5 1, untraced 10.1.0.5");
}

#[test]
fn neighbours_on_a_vlan_of_a_bridge_are_behind_its_ports() {
    let mut kernel = Kernel::new();
    kernel.silent(link(20, LinkState { vlan_of: Some(BRIDGE), peer: Some((BRIDGE, None)), ..UP }));
    kernel.silent(seen(A, 11));
    assert_eq!(kernel.hear(neighbour(POD, 20, A)), "traced 10.1.0.5");
    assert_eq!(kernel.hear(gone(11)), "changed 10.1.0.5 1");
}

#[test]
fn a_neighbour_on_another_link_is_not_vouched_for_and_yet_told() {
    let mut kernel = Kernel::new();
    kernel.silent(neighbour(POD, 7, A));
    assert_eq!(kernel.hear(neighbour(POD, 7, B)), "changed 10.1.0.5 1");
    assert_eq!(kernel.hear(neighbour(POD, 8, B)), "changed 10.1.0.5 2");
    assert_eq!(kernel.hear(gone(8)), "changed 10.1.0.5 3");
}

#[test]
fn a_link_that_hears_the_pods_of_a_bridge_as_well_changes_nothing() {
    let mut kernel = Kernel::bridged();
    kernel.silent(neighbour(POD, 7, A));
    kernel.silent(gone(7));
    assert_eq!(kernel.hear(neighbour(POD, 8, B)), "changed 10.1.0.5 1, untraced 10.1.0.5");
}

#[test]
fn a_neighbour_beside_a_route_is_no_change() {
    let mut kernel = Kernel::routed();
    kernel.silent(neighbour(POD, 7, A));
    assert_eq!(kernel.hear(neighbour(POD, 7, B)), "changed 10.1.0.5 1");
    assert_eq!(kernel.hear(gone(7)), "changed 10.1.0.5 2, untraced 10.1.0.5");
}

#[test]
fn what_a_round_of_dumps_does_not_show_is_gone() {
    let mut kernel = Kernel::routed();
    kernel.silent(seen(A, 11));
    kernel.hear(neighbour(SIX, BRIDGE, A));
    kernel.0.begin();
    for index in [BRIDGE, 7, 8, 11, 12] {
        let state = match index {
            BRIDGE => LinkState { bridge: true, carrier: false, peer: None, ..UP },
            7 | 8 => UP,
            _ => LinkState { master: Some(BRIDGE), ..UP },
        };
        kernel.silent(link(index, state));
    }
    kernel.silent(route(POD, 7));
    // The neighbour and the forwarding entry have aged out, which means nothing of whom they were of,
    assert_eq!(kernel.end(), "");
    // and a forwarding entry that is no more says nothing of others.
    let other = IpAddr::from([10, 1, 0, 6]);
    assert_eq!(kernel.hear(neighbour(other, BRIDGE, A)), "traced 10.1.0.6");
    assert_eq!(kernel.hear(link(12, LinkState { carrier: false, master: Some(BRIDGE), ..UP })), "changed 10.1.0.6 1");

    kernel.0.begin();
    kernel.silent(link(BRIDGE, LinkState { bridge: true, carrier: false, peer: None, ..UP }));
    kernel.silent(link(7, UP));
    // Ports and the route are gone.
    let out = kernel.end();
    assert!(out.contains("changed 10.1.0.5") && out.contains("changed fd00::5"), "{out}");
}

#[test]
fn nothing_is_vouched_for_nor_restored_before_a_round_is_complete() {
    let mut kernel = Kernel::routed();
    kernel.0.blinded();
    kernel.0.begin();
    kernel.silent(link(7, UP));
    assert_eq!(kernel.hear(no_route(POD)), "changed 10.1.0.5 1", "losses are told at once");
    kernel.silent(route(POD, 7));
    assert_eq!(kernel.end(), "traced 10.1.0.5, restored 10.1.0.5 1");
}

#[test]
fn beyond_the_bound_addresses_are_untraced_and_what_is_gone_makes_room() {
    let mut kernel = Kernel::new();
    let pod = |number: usize| IpAddr::from((0x0a00_0000 + u32::try_from(number).unwrap()).to_be_bytes());
    kernel.silent(neighbour(SIX, 8, A));
    for number in 1..TRACES_MAX {
        assert_eq!(kernel.hear(route(pod(number), 7)), format!("traced {}", pod(number)));
    }
    kernel.silent(route(POD, 7));
    assert_eq!(kernel.0.refused(), 1);
    // One that is known is followed on.
    assert!(kernel.hear(no_route(pod(1))).starts_with("changed 10.0.0.1"));
    kernel.silent(silence(SIX, 8));
    assert_eq!(kernel.hear(route(POD, 7)), "traced 10.1.0.5", "there is room for two now");
    assert_eq!(kernel.hear(route(SIX, 7)), "traced fd00::5");
    kernel.silent(route(pod(1), 7));
    assert_eq!(kernel.0.refused(), 2);
    for port in 0..u32::try_from(2 * TRACES_MAX).unwrap() {
        kernel.silent(seen([2, 1, 0, 0, port.to_be_bytes()[2], port.to_be_bytes()[3]], 11));
    }
    assert_eq!(kernel.0.refused(), 2 + u64::try_from(TRACES_MAX).unwrap());
}

#[test]
fn over_links_beyond_the_bound_nothing_is_vouched_for() {
    let mut kernel = Kernel::new();
    let last = 100 + u32::try_from(TRACES_MAX).unwrap();
    (100..=last).for_each(|index| kernel.silent(link(index, UP)));
    assert_eq!(kernel.0.refused(), 6, "five were there before, and one is too many");
    kernel.silent(route(POD, last));
    assert_eq!(kernel.hear(route(POD, 7)), "traced 10.1.0.5");
}

#[test]
fn more_routes_than_are_kept_of_one_address_are_doubted() {
    let mut kernel = Kernel::new();
    let nth = |table: usize| Event::Route {
        address: POD,
        key: RouteKey { table: u32::try_from(table).unwrap(), ..RouteKey::default() },
        hop: Some(Hop { link: 7, gateway: None }),
    };
    assert_eq!(kernel.hear(nth(0)), "traced 10.1.0.5");
    for table in 1..TRACE_ROUTES_MAX {
        kernel.silent(nth(table));
    }
    assert_eq!(kernel.hear(nth(TRACE_ROUTES_MAX)), "changed 10.1.0.5 1");
}
