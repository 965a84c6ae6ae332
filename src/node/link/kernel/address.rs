//! Addresses of interfaces: seen, assigned, taken away.

use std::net::IpAddr;

use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol, AddressScope,
};

use super::{Device, Handle, LinkError, all, gone, there, told};

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

/// Gives an address back as it was before [`unassign`]; that it is there, or its interface is not, is no error.
pub(in crate::node) async fn give_back(handle: &Handle, assigned: &Assigned) -> Result<(), LinkError> {
    let Assigned { device, address, prefix, .. } = *assigned;
    let mut request = handle.address().add(device, address, prefix);
    let message = request.message_mut();
    *message = assigned.message.clone();
    // what the kernel found out by itself is none of what it is told
    message.attributes.retain(|attribute| !matches!(attribute, AddressAttribute::CacheInfo(_)));
    if address.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes.retain(|attribute| !matches!(attribute, AddressAttribute::Flags(_)));
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
    }
    gone(there(told(&format!("give {address} back to interface number {device}"), request.execute()).await))
}
