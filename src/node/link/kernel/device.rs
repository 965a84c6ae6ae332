//! Interfaces: what of them matters.

use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{
    AfSpecInet, AfSpecUnspec, InetDevConf, InfoKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage,
};

use super::{Handle, LinkError, all};

/// An interface.
#[derive(Clone, Debug)]
pub(in crate::node) struct Device {
    pub(in crate::node) index: u32,
    pub(in crate::node) name: String,
    pub(in crate::node) kind: Option<InfoKind>,
    pub(in crate::node) up: bool,
    pub(in crate::node) loopback: bool,
    pub(in crate::node) alias: Option<String>,
    /// The interface that it is a port of.
    pub(in crate::node) controller: Option<u32>,
    /// The other end of a pair in the same namespace.
    pub(in crate::node) peer: Option<u32>,
    /// The address of link layer.
    pub(in crate::node) mac: Vec<u8>,
    pub(in crate::node) ipv4: Option<InetDevConf>,
}

/// All interfaces.
pub(in crate::node) async fn devices(handle: &Handle) -> Result<Vec<Device>, LinkError> {
    let request = handle.link().get().set_filter_mask(AddressFamily::Unspec, vec![LinkExtentMask::SkipStats]);
    Ok(all("list the interfaces", request.execute()).await?.into_iter().map(device).collect())
}

fn device(message: LinkMessage) -> Device {
    let mut device = Device {
        index: message.header.index,
        name: String::new(),
        kind: None,
        up: message.header.flags.contains(LinkFlags::Up),
        loopback: message.header.flags.contains(LinkFlags::Loopback),
        alias: None,
        controller: None,
        peer: None,
        mac: Vec::new(),
        ipv4: None,
    };
    let mut elsewhere = false;
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => device.name = name,
            LinkAttribute::IfAlias(alias) => device.alias = Some(alias),
            LinkAttribute::Controller(index) => device.controller = Some(index),
            LinkAttribute::Link(index) => device.peer = Some(index),
            LinkAttribute::LinkNetNsId(_) => elsewhere = true,
            LinkAttribute::Address(mac) => device.mac = mac,
            LinkAttribute::LinkInfo(infos) => {
                device.kind = infos.into_iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind),
                    _ => None,
                });
            }
            LinkAttribute::AfSpecUnspec(families) => device.ipv4 = families.into_iter().find_map(ipv4),
            _ => (),
        }
    }
    if elsewhere {
        // the number is one of another namespace
        device.peer = None;
    }
    device
}

fn ipv4(family: AfSpecUnspec) -> Option<InetDevConf> {
    let AfSpecUnspec::Inet(settings) = family else { return None };
    settings.into_iter().find_map(|setting| match setting {
        AfSpecInet::DevConf(settings) => Some(settings),
        _ => None,
    })
}
