//! One message of rtnetlink into what matters of it. Attributes that nobody needs are skipped unread: a link comes with
//! kilobytes of statistics, and a kernel newer than this code has attributes that it does not know.

use std::net::IpAddr;

use rtnetlink::packet_core::{NlaBuffer, NlasIterator};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{LinkFlags, LinkHeader};
use rtnetlink::packet_route::neighbour::{NeighbourFlags, NeighbourHeader};
use rtnetlink::packet_route::route::{RouteFlags, RouteHeader, RouteType};

use super::event::{Event, Hop, LinkState, Mac, RouteKey};

// Numbers of <linux/rtnetlink.h>, <linux/if_link.h> and <linux/neighbour.h>.
pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_DELLINK: u16 = 17;
pub(super) const RTM_NEWROUTE: u16 = 24;
pub(super) const RTM_DELROUTE: u16 = 25;
pub(super) const RTM_NEWNEIGH: u16 = 28;
pub(super) const RTM_DELNEIGH: u16 = 29;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_LINK_NETNSID: u16 = 37;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_MASTER: u16 = 9;
/// No resolution takes place on this link, so the address of link layer says nothing.
const NUD_NOARP: u16 = 0x40;
/// In a bridge's table: an address of the bridge itself.
const NUD_PERMANENT: u16 = 0x80;
const LINK_HEADER: usize = 16;
const ROUTE_HEADER: usize = 12;
const NEIGHBOUR_HEADER: usize = 12;

/// A message that is no rtnetlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the kernel sent a message that cannot be read")]
pub(super) struct Unreadable;

/// What a message says; `None` if nothing of it matters.
pub(super) fn decode(kind: u16, payload: &[u8]) -> Result<Option<Event>, Unreadable> {
    match kind {
        RTM_NEWLINK | RTM_DELLINK => link(kind == RTM_NEWLINK, payload),
        RTM_NEWROUTE | RTM_DELROUTE => route(kind == RTM_NEWROUTE, payload),
        RTM_NEWNEIGH | RTM_DELNEIGH => neighbour(kind == RTM_NEWNEIGH, payload),
        _ => Ok(None),
    }
}

fn link(there: bool, payload: &[u8]) -> Result<Option<Event>, Unreadable> {
    let header = LinkHeader::parse(payload).map_err(|_| Unreadable)?;
    let index = header.index;
    if header.interface_family != AddressFamily::Unspec {
        // A bridge tells of its ports in its own family, by "deleted" when one leaves; the link itself tells of that as well.
        return Ok(None);
    }
    if !there {
        return Ok(Some(Event::LinkGone { index }));
    }
    let mut state = LinkState {
        enabled: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        ..LinkState::default()
    };
    let (mut lower, mut namespace, mut vlan) = (None, None, false);
    each(&payload[LINK_HEADER..], |kind, value| {
        match kind {
            IFLA_LINK => lower = Some(number(value)?),
            IFLA_LINK_NETNSID => namespace = Some(number(value)?.cast_signed()),
            IFLA_MASTER => state.master = Some(number(value)?),
            IFLA_LINKINFO => each(value, |kind, value| {
                if kind == IFLA_INFO_KIND {
                    state.bridge = value == b"bridge\0";
                    vlan = value == b"vlan\0";
                }
                Ok(())
            })?,
            _ => (),
        }
        Ok(())
    })?;
    state.vlan_of = lower.filter(|_| vlan && namespace.is_none());
    state.peer = lower.map(|lower| (lower, namespace));
    Ok(Some(Event::Link { index, state }))
}

fn route(there: bool, payload: &[u8]) -> Result<Option<Event>, Unreadable> {
    let header = RouteHeader::parse(payload).map_err(|_| Unreadable)?;
    let whole = match header.address_family {
        AddressFamily::Inet => 32,
        AddressFamily::Inet6 => 128,
        _ => return Ok(None),
    };
    // Cloned: what the kernel noted of a path, not a route that somebody made.
    let made = header.source_prefix_length == 0 && !header.flags.contains(RouteFlags::Cloned);
    if header.destination_prefix_length != whole || !made {
        return Ok(None);
    }
    let mut key = RouteKey { table: u32::from(header.table), priority: 0, tos: header.tos };
    let (mut destination, mut link, mut gateway) = (None, None, None);
    each(&payload[ROUTE_HEADER..], |kind, value| {
        match kind {
            RTA_DST => destination = Some(address(value)?),
            RTA_OIF => link = Some(number(value)?),
            RTA_GATEWAY => gateway = Some(address(value)?),
            RTA_VIA => gateway = Some(address(value.get(2..).ok_or(Unreadable)?)?), // an address of the other family
            RTA_TABLE => key.table = number(value)?,
            RTA_PRIORITY => key.priority = number(value)?,
            _ => (),
        }
        Ok(())
    })?;
    let Some(address) = destination.filter(is_of_interest) else { return Ok(None) };
    // Several ways at once (or a next hop that is kept elsewhere) have no link here: such a route vouches for nothing.
    let hop = link.filter(|_| there && header.kind == RouteType::Unicast).map(|link| Hop { link, gateway });
    Ok(Some(Event::Route { address, key, hop }))
}

fn neighbour(there: bool, payload: &[u8]) -> Result<Option<Event>, Unreadable> {
    let header = NeighbourHeader::parse(payload).map_err(|_| Unreadable)?;
    let state = u16::from(header.state);
    let (mut destination, mut mac, mut master) = (None, None, None);
    let bridge = header.family == AddressFamily::Bridge;
    each(&payload[NEIGHBOUR_HEADER..], |kind, value| {
        match kind {
            // In a bridge's table this is the far end of a tunnel.
            NDA_DST if !bridge => destination = Some(address(value)?),
            NDA_LLADDR => mac = Mac::try_from(value).ok().filter(|mac| *mac != [0; 6]),
            NDA_MASTER => master = Some(number(value)?),
            _ => (),
        }
        Ok(())
    })?;
    if bridge {
        // Without a master it is an entry of the device's own table.
        let entry = mac.zip(master).filter(|_| state & NUD_PERMANENT == 0);
        return Ok(entry.map(|(mac, bridge)| match there {
            true => Event::Forwarding { bridge, mac, port: header.ifindex },
            false => Event::ForwardingGone { bridge, mac, port: header.ifindex },
        }));
    }
    let ip = matches!(header.family, AddressFamily::Inet | AddressFamily::Inet6);
    if !ip || header.flags.contains(NeighbourFlags::Proxy) || header.kind != RouteType::Unicast {
        return Ok(None);
    }
    let Some(address) = destination.filter(is_of_interest) else { return Ok(None) };
    let mac = mac.filter(|_| there && state & NUD_NOARP == 0);
    Ok(Some(Event::Neighbour { address, link: header.ifindex, mac }))
}

/// False for addresses that no pod sends from; those of link scope of IPv6 are on many links at once.
fn is_of_interest(address: &IpAddr) -> bool {
    let of_link = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    !(of_link || address.is_multicast() || address.is_loopback() || address.is_unspecified())
}

fn each(attributes: &[u8], mut take: impl FnMut(u16, &[u8]) -> Result<(), Unreadable>) -> Result<(), Unreadable> {
    NlasIterator::new(attributes).try_for_each(|attribute| {
        let attribute: NlaBuffer<&[u8]> = attribute.map_err(|_| Unreadable)?;
        take(attribute.kind(), attribute.value())
    })
}

fn number(value: &[u8]) -> Result<u32, Unreadable> {
    value.try_into().map(u32::from_ne_bytes).map_err(|_| Unreadable)
}

fn address(value: &[u8]) -> Result<IpAddr, Unreadable> {
    match value.len() {
        4 => <[u8; 4]>::try_from(value).map(IpAddr::from).map_err(|_| Unreadable),
        _ => <[u8; 16]>::try_from(value).map(IpAddr::from).map_err(|_| Unreadable),
    }
}
