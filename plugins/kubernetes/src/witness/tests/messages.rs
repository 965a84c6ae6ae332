//! Messages as the kernel writes them, and what is read of them.

use rtnetlink::packet_core::Emitable;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHop, RouteType, RouteVia,
};

use super::super::decode::{
    RTM_DELLINK, RTM_DELNEIGH, RTM_DELROUTE, RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWROUTE, Unreadable, decode,
};
use super::super::event::{Event, Hop, LinkState, RouteKey};

const FOUR: [u8; 4] = [10, 1, 0, 5];
const SIX: [u16; 8] = [0xfd00, 0, 0, 0, 0, 0, 0, 5];
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

#[track_caller]
fn read(kind: u16, message: &impl Emitable) -> Option<Event> {
    let mut octets = vec![0; message.buffer_len()];
    message.emit(&mut octets);
    // A message that is cut off anywhere is refused or says less; it is never a panic.
    for length in 0..octets.len() {
        let _ = decode(kind, &octets[..length]);
    }
    decode(kind, &octets).unwrap()
}

fn link(flags: LinkFlags, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = 7;
    message.header.flags = flags;
    message.attributes = attributes;
    message
}

#[test]
fn links() {
    let veth = link(
        LinkFlags::Up | LinkFlags::LowerUp,
        vec![
            LinkAttribute::IfName("veth7".to_owned()),
            LinkAttribute::Link(2),
            LinkAttribute::LinkNetNsId(4),
            LinkAttribute::Controller(3),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth)]),
        ],
    );
    let state = LinkState {
        enabled: true,
        carrier: true,
        bridge: false,
        master: Some(3),
        vlan_of: None,
        peer: Some((2, Some(4))),
    };
    assert_eq!(read(RTM_NEWLINK, &veth), Some(Event::Link { index: 7, state }));
    assert_eq!(read(RTM_DELLINK, &veth), Some(Event::LinkGone { index: 7 }));

    let bridge = link(LinkFlags::Up, vec![LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)])]);
    let state = LinkState { enabled: true, bridge: true, ..LinkState::default() };
    assert_eq!(read(RTM_NEWLINK, &bridge), Some(Event::Link { index: 7, state }));

    let vlan = vec![LinkAttribute::Link(3), LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Vlan)])];
    let state = LinkState { vlan_of: Some(3), peer: Some((3, None)), ..LinkState::default() };
    assert_eq!(read(RTM_NEWLINK, &link(LinkFlags::empty(), vlan)), Some(Event::Link { index: 7, state }));

    // What a bridge says of a port that left it; the link is still there.
    let mut port = veth;
    port.header.interface_family = AddressFamily::Bridge;
    assert_eq!(read(RTM_DELLINK, &port), None);
}

fn route(attributes: Vec<RouteAttribute>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.destination_prefix_length = 32;
    message.header.table = 254;
    message.header.kind = RouteType::Unicast;
    message.attributes = attributes;
    message
}

#[test]
fn routes() {
    let to = RouteAttribute::Destination(RouteAddress::Inet(FOUR.into()));
    let plain = route(vec![to.clone(), RouteAttribute::Oif(7)]);
    let key = RouteKey { table: 254, priority: 0, tos: 0 };
    let event = |key, hop| Some(Event::Route { address: FOUR.into(), key, hop });
    assert_eq!(read(RTM_NEWROUTE, &plain), event(key, Some(Hop { link: 7, gateway: None })));
    assert_eq!(read(RTM_DELROUTE, &plain), event(key, None));

    let gateway = RouteAttribute::Gateway(RouteAddress::Inet([10, 0, 0, 1].into()));
    let far =
        vec![to.clone(), RouteAttribute::Oif(7), gateway, RouteAttribute::Table(1_000), RouteAttribute::Priority(9)];
    let gateway = Some([10, 0, 0, 1].into());
    let key_far = RouteKey { table: 1_000, priority: 9, tos: 0 };
    assert_eq!(read(RTM_NEWROUTE, &route(far)), event(key_far, Some(Hop { link: 7, gateway })));

    let other_family = vec![to.clone(), RouteAttribute::Oif(7), RouteAttribute::Via(RouteVia::Inet6(SIX.into()))];
    assert_eq!(read(RTM_NEWROUTE, &route(other_family)), event(key, Some(Hop { link: 7, gateway: Some(SIX.into()) })));

    let many = vec![to.clone(), RouteAttribute::MultiPath(vec![RouteNextHop::default(), RouteNextHop::default()])];
    assert_eq!(read(RTM_NEWROUTE, &route(many)), event(key, None));
    for kind in [RouteType::Local, RouteType::BlackHole, RouteType::Unreachable] {
        let mut message = plain.clone();
        message.header.kind = kind;
        assert_eq!(read(RTM_NEWROUTE, &message), event(key, None), "{kind:?}");
    }

    let mut six = route(vec![RouteAttribute::Destination(RouteAddress::Inet6(SIX.into())), RouteAttribute::Oif(7)]);
    six.header.address_family = AddressFamily::Inet6;
    six.header.destination_prefix_length = 128;
    let hop = Some(Hop { link: 7, gateway: None });
    assert_eq!(read(RTM_NEWROUTE, &six), Some(Event::Route { address: SIX.into(), key, hop }));

    let spoilt: [fn(&mut RouteMessage); 4] = [
        |message| message.header.destination_prefix_length = 31,
        |message| message.header.source_prefix_length = 8,
        |message| message.header.flags = RouteFlags::Cloned,
        |message| message.attributes[0] = RouteAttribute::Destination(RouteAddress::Inet([224, 0, 0, 1].into())),
    ];
    for spoil in spoilt {
        let mut message = plain.clone();
        spoil(&mut message);
        assert_eq!(read(RTM_NEWROUTE, &message), None, "{message:?}");
    }
}

fn neighbour(state: NeighbourState, mac: &[u8]) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = 3;
    message.header.state = state;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet(FOUR.into())),
        NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
    ];
    message
}

#[test]
fn neighbours() {
    let event = |mac| Some(Event::Neighbour { address: FOUR.into(), link: 3, mac });
    for state in [NeighbourState::Reachable, NeighbourState::Stale, NeighbourState::Permanent] {
        assert_eq!(read(RTM_NEWNEIGH, &neighbour(state, &MAC)), event(Some(MAC)), "{state:?}");
    }
    assert_eq!(read(RTM_DELNEIGH, &neighbour(NeighbourState::Stale, &MAC)), event(None));
    let mut failed = neighbour(NeighbourState::Failed, &MAC);
    failed.attributes.truncate(1);
    assert_eq!(read(RTM_NEWNEIGH, &failed), event(None));
    // A point-to-point link, a tunnel.
    assert_eq!(read(RTM_NEWNEIGH, &neighbour(NeighbourState::Noarp, &MAC)), event(None));
    assert_eq!(read(RTM_NEWNEIGH, &neighbour(NeighbourState::Reachable, &[10, 0, 0, 1])), event(None));

    let spoilt: [fn(&mut NeighbourMessage); 4] = [
        |message| message.header.flags = NeighbourFlags::Proxy,
        |message| message.header.kind = RouteType::Multicast,
        |message| message.header.family = AddressFamily::Unspec,
        |message| {
            let address = NeighbourAddress::Inet6([0xfe80, 0, 0, 0, 0, 0, 0, 1].into());
            message.header.family = AddressFamily::Inet6;
            message.attributes[0] = NeighbourAttribute::Destination(address);
        },
    ];
    for spoil in spoilt {
        let mut message = neighbour(NeighbourState::Reachable, &MAC);
        spoil(&mut message);
        assert_eq!(read(RTM_NEWNEIGH, &message).filter(|event| !matches!(event, Event::Neighbour { .. })), None);
        assert!(read(RTM_NEWNEIGH, &message).is_none(), "{message:?}");
    }
}

#[test]
fn forwarding() {
    let entry = |state, master: Option<u32>| {
        let mut message = neighbour(state, &MAC);
        message.header.family = AddressFamily::Bridge;
        message.header.kind = RouteType::Unspec;
        message.header.ifindex = 11;
        message.attributes.remove(0);
        message.attributes.extend(master.map(NeighbourAttribute::Controller));
        message
    };
    let seen = Some(Event::Forwarding { bridge: 3, mac: MAC, port: 11 });
    for state in [NeighbourState::Reachable, NeighbourState::Stale, NeighbourState::Noarp] {
        assert_eq!(read(RTM_NEWNEIGH, &entry(state, Some(3))), seen, "{state:?}");
    }
    let gone = Some(Event::ForwardingGone { bridge: 3, mac: MAC, port: 11 });
    assert_eq!(read(RTM_DELNEIGH, &entry(NeighbourState::Stale, Some(3))), gone);
    // The bridge's own address, and the table of a device.
    assert_eq!(read(RTM_NEWNEIGH, &entry(NeighbourState::Permanent, Some(3))), None);
    assert_eq!(read(RTM_NEWNEIGH, &entry(NeighbourState::Reachable, None)), None);
}

#[test]
fn what_is_no_message_is_refused() {
    assert_eq!(decode(RTM_NEWROUTE, &[2, 32]), Err(Unreadable));
    assert_eq!(decode(0xffff, &[2, 32]), Ok(None));
}
