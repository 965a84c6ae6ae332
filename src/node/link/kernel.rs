//! What is asked of the kernel, and what it says, in few words: rtnetlink without its messages.

use std::future::Future;
use std::io;
use std::net::IpAddr;

use contract::limits::NETLINK_WITHIN;
use futures_util::{Stream, TryStreamExt as _};
use nix::errno::Errno;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol, AddressScope,
};
use rtnetlink::packet_route::link::{
    AfSpecInet, AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InetDevConf, InfoKind, LinkAttribute, LinkExtentMask,
    LinkFlags, LinkInfo, LinkMessage,
};
use rtnetlink::{Error, LinkMessageBuilder, LinkUnspec};

use super::error::LinkError;

pub use rtnetlink::Handle;

/// Opens netlink in the network namespace of this thread; what reads it ends with the last handle. To be called inside a runtime.
///
/// # Errors
/// What the kernel says to the socket.
pub fn connect() -> io::Result<Handle> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    Ok(handle)
}

/// Waits for the kernel's word; `what` was tried.
pub(in crate::node) async fn told<T>(what: &str, word: impl Future<Output = Result<T, Error>>) -> Result<T, LinkError> {
    let what = || what.to_owned();
    match tokio::time::timeout(NETLINK_WITHIN, word).await {
        Err(_) => Err(LinkError::Silent { what: what() }),
        Ok(Ok(word)) => Ok(word),
        Ok(Err(Error::NetlinkError(error))) => match Errno::from_raw(error.raw_code().saturating_neg()) {
            Errno::EPERM => Err(LinkError::NotPermitted { what: what() }),
            why => Err(LinkError::Refused { what: what(), why }),
        },
        Ok(Err(_)) => Err(LinkError::Closed { what: what() }),
    }
}

/// Waits for a whole dump. A kernel without the family has nothing to tell.
pub(in crate::node) async fn all<T>(
    what: &str,
    dump: impl Stream<Item = Result<T, Error>>,
) -> Result<Vec<T>, LinkError> {
    told(what, dump.try_collect()).await
}

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

/// An address of an interface.
#[derive(Clone, Debug)]
pub(in crate::node) struct Assigned {
    pub(in crate::node) device: u32,
    pub(in crate::node) address: IpAddr,
    pub(in crate::node) prefix: u8,
    pub(in crate::node) label: Option<String>,
    pub(in crate::node) protocol: Option<u8>,
    /// False while nobody can bind it: it is being looked for on the link, or was found there.
    pub(in crate::node) usable: bool,
    message: AddressMessage,
}

/// All addresses of all interfaces.
pub(in crate::node) async fn addresses(handle: &Handle) -> Result<Vec<Assigned>, LinkError> {
    let messages = all("list the addresses", handle.address().get().execute()).await?;
    Ok(messages.into_iter().filter_map(assigned).collect())
}

fn assigned(message: AddressMessage) -> Option<Assigned> {
    let (mut address, mut local, mut label, mut protocol) = (None, None, None, None);
    let mut flags = AddressFlags::from_bits_retain(message.header.flags.bits().into());
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(value) => address = Some(*value),
            AddressAttribute::Local(value) => local = Some(*value),
            AddressAttribute::Label(value) => label = Some(value.clone()),
            AddressAttribute::Protocol(value) => protocol = Some(u8::from(*value)),
            AddressAttribute::Flags(value) => flags = *value,
            _ => (),
        }
    }
    Some(Assigned {
        device: message.header.index,
        address: local.or(address)?,
        prefix: message.header.prefix_len,
        label,
        protocol,
        usable: !flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed),
        message,
    })
}

/// How an address is assigned.
#[derive(Clone, Copy, Debug)]
pub(in crate::node) struct Manner<'a> {
    /// Who it is of, in a number that the kernel keeps (IFA_PROTO; older kernels than 5.18 do not).
    pub(in crate::node) protocol: u8,
    /// The same in a name, for IPv4.
    pub(in crate::node) label: Option<&'a str>,
    pub(in crate::node) scope: AddressScope,
}

/// Assigns one address (/32, /128), at once usable: nobody is asked on the link whether it has it.
pub(in crate::node) async fn assign(
    handle: &Handle,
    device: &Device,
    address: IpAddr,
    manner: Manner<'_>,
) -> Result<(), LinkError> {
    let mut request = handle.address().add(device.index, address, if address.is_ipv4() { 32 } else { 128 });
    let message = request.message_mut();
    message.header.scope = manner.scope;
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::Other(manner.protocol)));
    if address.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
    } else if let Some(label) = manner.label {
        message.attributes.push(AddressAttribute::Label(label.to_owned()));
    }
    told(&format!("give {address} to {}", device.name), request.execute()).await
}

/// Takes an address away; that it has gone meanwhile is no error.
pub(in crate::node) async fn unassign(handle: &Handle, assigned: &Assigned) -> Result<(), LinkError> {
    let what = format!("take {} from interface number {}", assigned.address, assigned.device);
    gone(told(&what, handle.address().del(assigned.message.clone()).execute()).await)
}

/// Changes an interface.
pub(in crate::node) async fn change(
    handle: &Handle,
    device: &Device,
    what: &str,
    message: LinkMessageBuilder<LinkUnspec>,
) -> Result<(), LinkError> {
    let request = handle.link().set(message.index(device.index).build());
    told(&format!("{what} {}", device.name), request.execute()).await
}

/// Says in the kernel who made an interface, and keeps the kernel from giving it an IPv6 address of its own making, which it does
/// once it is up. Neither is needed, so a kernel that cannot do it is not in the way.
pub(in crate::node) async fn introduce(handle: &Handle, device: &Device, alias: &str) {
    let message = LinkMessageBuilder::<LinkUnspec>::new;
    let mode = vec![AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)])];
    let steps = [message().alias(alias), message().append_extra_attribute(LinkAttribute::AfSpecUnspec(mode))];
    for step in steps {
        if let Err(error) = change(handle, device, "prepare", step).await {
            tracing::debug!("{error}");
        }
    }
}

/// Removes an interface; that it has gone meanwhile is no error.
pub(in crate::node) async fn remove(handle: &Handle, device: &Device) -> Result<(), LinkError> {
    let what = format!("remove the interface {}", device.name);
    gone(told(&what, handle.link().del(device.index).execute()).await)
}

/// That something has gone already is no error where it is to go.
pub(in crate::node) fn gone(result: Result<(), LinkError>) -> Result<(), LinkError> {
    match result {
        Err(error)
            if matches!(error.number(), Some(Errno::ENODEV | Errno::EADDRNOTAVAIL | Errno::ESRCH | Errno::ENOENT)) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// That something is there already is no error where it is to be.
pub(in crate::node) fn there(result: Result<(), LinkError>) -> Result<(), LinkError> {
    match result {
        Err(error) if error.number() == Some(Errno::EEXIST) => Ok(()),
        other => other,
    }
}
