//! The single things that make the way: settings, address, route, neighbour; each is seen and each is set.

use std::net::{IpAddr, Ipv4Addr};

use nix::errno::Errno;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::AddressScope;
use rtnetlink::packet_route::link::{AfSpecInet, AfSpecUnspec, InetDevConf, LinkAttribute};
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourState};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteScope};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, RouteMessageBuilder};

use crate::node::link::kernel::{self, Device, Handle, Manner, all, there, told};
use crate::node::link::{ALIAS, LinkError, protocol};

/// A route to a prefix longer than this is somebody's; a shorter one (all of 169.254.0.0/16, or the default) leads everywhere.
const OPEN_PREFIX_MAX: u8 = 16;

/// Raises it, and says beforehand whose it is.
pub(super) async fn raise(handle: &Handle, device: &Device) -> Result<(), LinkError> {
    if device.up {
        return Ok(());
    }
    kernel::introduce(handle, device, ALIAS).await;
    kernel::change(handle, device, "raise", LinkMessageBuilder::<LinkUnspec>::new().up()).await
}

/// True if it takes what comes from the host itself, and sends it on.
pub(super) fn forwards(back: &Device) -> bool {
    back.ipv4.is_some_and(|now| now.accept_local == 1 && now.rp_filter == 2 && now.forwarding == 1)
}

/// Makes it so, for this interface alone.
pub(super) async fn set_forwarding(handle: &Handle, back: &Device) -> Result<(), LinkError> {
    if forwards(back) {
        return Ok(());
    }
    let mut wanted = InetDevConf::default();
    (wanted.accept_local, wanted.rp_filter, wanted.forwarding) = (1, 2, 1);
    let settings = vec![AfSpecUnspec::Inet(vec![AfSpecInet::DevConfRequest(wanted)])];
    let message = LinkMessageBuilder::<LinkUnspec>::new().append_extra_attribute(LinkAttribute::AfSpecUnspec(settings));
    kernel::change(handle, back, "set accept_local, rp_filter and forwarding of", message).await
}

/// Gives `back` this address, for the host alone, so that nobody takes it for the host's own, and takes all others from both ends.
pub(super) async fn bear(
    handle: &Handle,
    name: &str,
    out: &Device,
    back: &Device,
    address: Ipv4Addr,
) -> Result<(), LinkError> {
    let mut has = false;
    for one in kernel::addresses(handle).await? {
        match (one.device, one.address) {
            (device, mine) if device == back.index && mine == address && one.prefix == 32 => has = true,
            (device, IpAddr::V4(_)) if device == back.index || device == out.index => {
                kernel::unassign(handle, &one).await?;
            }
            _ => (),
        }
    }
    if has {
        return Ok(());
    }
    let manner = Manner { protocol: protocol(name), label: None, scope: AddressScope::Host };
    there(kernel::assign(handle, back, address.into(), manner).await)
}

/// Leads to the next hop over the pair: a route, and a neighbour that needs not be asked for.
pub(super) async fn lead(handle: &Handle, out: &Device, hop: IpAddr, mac: &[u8]) -> Result<(), LinkError> {
    let route = match hop {
        IpAddr::V4(hop) => RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(hop, 32)
            .scope(RouteScope::Link)
            .output_interface(out.index)
            .build(),
        IpAddr::V6(hop) => RouteMessageBuilder::<std::net::Ipv6Addr>::new()
            .destination_prefix(hop, 128)
            .output_interface(out.index)
            .build(),
    };
    if !leads(handle, out, hop).await? {
        let what = format!("lead {hop} over {}", out.name);
        there(told(&what, handle.route().add(route).execute()).await)?;
    }
    if !knows(handle, out, hop, mac).await? {
        let what = format!("say who {hop} is behind {}", out.name);
        let request = handle.neighbours().add(out.index, hop).link_layer_address(mac).replace();
        told(&what, request.execute()).await?;
    }
    Ok(())
}

/// True if exactly this address is led over the pair.
pub(super) async fn leads(handle: &Handle, out: &Device, hop: IpAddr) -> Result<bool, LinkError> {
    let whole = if hop.is_ipv4() { 32 } else { 128 };
    let route = route_to(handle, hop, hop.is_ipv6().then_some(out.index)).await?;
    Ok(route.is_some_and(|route| route.header.destination_prefix_length == whole && oif(&route) == Some(out.index)))
}

/// True if the neighbour is known for good, with this address of link layer.
pub(super) async fn knows(handle: &Handle, out: &Device, hop: IpAddr, mac: &[u8]) -> Result<bool, LinkError> {
    let (family, hop) = match hop {
        IpAddr::V4(hop) => (AddressFamily::Inet, NeighbourAddress::Inet(hop)),
        IpAddr::V6(hop) => (AddressFamily::Inet6, NeighbourAddress::Inet6(hop)),
    };
    let request = handle.neighbours().get().set_address_family(family);
    let known = all("list the neighbours", request.execute()).await?;
    Ok(known.iter().any(|one| {
        let has = |attribute| one.attributes.contains(&attribute);
        one.header.ifindex == out.index
            && one.header.state == NeighbourState::Permanent
            && has(NeighbourAttribute::Destination(hop.clone()))
            && has(NeighbourAttribute::LinkLayerAddress(mac.to_vec()))
    }))
}

/// True if nothing but this pair, or what leads everywhere, leads to an address.
pub(super) async fn is_free(
    handle: &Handle,
    address: Ipv4Addr,
    out: &Device,
    back: &Device,
) -> Result<bool, LinkError> {
    Ok(route_to(handle, address.into(), None).await?.is_none_or(|route| {
        let ours = [out.index, back.index].map(Some).contains(&oif(&route));
        ours || route.header.destination_prefix_length <= OPEN_PREFIX_MAX
    }))
}

/// The route that the kernel would take, as it stands in its table. `over`: of those over this interface.
async fn route_to(handle: &Handle, address: IpAddr, over: Option<u32>) -> Result<Option<RouteMessage>, LinkError> {
    let mut message = RouteMessage::default();
    let (family, length, destination) = match address {
        IpAddr::V4(address) => (AddressFamily::Inet, 32, RouteAddress::Inet(address)),
        IpAddr::V6(address) => (AddressFamily::Inet6, 128, RouteAddress::Inet6(address)),
    };
    message.header.address_family = family;
    message.header.destination_prefix_length = length;
    message.header.flags = RouteFlags::FibMatch;
    message.attributes.push(RouteAttribute::Destination(destination));
    message.attributes.extend(over.map(RouteAttribute::Oif));
    match all("look up a route", handle.route().get(message).execute()).await {
        Ok(routes) => Ok(routes.into_iter().next()),
        // these say that there is none, or one that refuses
        Err(error)
            if matches!(
                error.number(),
                Some(
                    Errno::ENETUNREACH
                        | Errno::EHOSTUNREACH
                        | Errno::EACCES
                        | Errno::EINVAL
                        | Errno::EAFNOSUPPORT
                        | Errno::EOPNOTSUPP
                )
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn oif(route: &RouteMessage) -> Option<u32> {
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    })
}
