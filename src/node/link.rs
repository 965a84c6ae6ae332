//! The interface and the addresses that pods ask, made so and kept so.
//!
//! ```text
//!  there already (of ours, or node-cache's) --> adopted
//!  else a dummy --refused--> a bridge without ports --refused--> the addresses on `lo`
//! ```
//!
//! An interface of this name is ours if it is a dummy, or a bridge without ports; everything on it is ours then. On `lo` only those
//! addresses are that bear our mark: the label `lo:<name>` (IPv4) or a protocol number (IFA_PROTO, Linux 5.18).

mod changes;
mod error;
pub(in crate::node) mod kernel;
mod made;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use contract::limits::LINK_ROUNDS_MAX;
use nix::errno::Errno;
use rtnetlink::packet_route::address::AddressScope;
use rtnetlink::packet_route::link::InfoKind;
use rtnetlink::{LinkBridge, LinkDummy, LinkMessageBuilder, LinkUnspec};

pub use changes::Changes;
pub use error::LinkError;
pub use kernel::{Handle, connect};
pub use made::{Kind, Made};

use kernel::{Assigned, Device, Manner};

/// What stands beside our interfaces in the kernel, for people who look.
pub(in crate::node) const ALIAS: &str = "nearpath: DNS of this node";

/// The interface as it is to be.
#[derive(Clone, Debug)]
pub struct Link {
    name: String,
    own: Vec<IpAddr>,
    kinds: Vec<Kind>,
}

/// What becomes of addresses on our interface that are not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwanted {
    /// They go.
    Remove,
    /// They stay: another instance, with other flags, may want them.
    Leave,
}

impl Link {
    /// An interface of this name, at most 15 octets, with these addresses; each is a /32 or a /128.
    pub fn new(name: &str, own: &[IpAddr]) -> Self {
        Self { name: name.to_owned(), own: own.to_vec(), kinds: Kind::ALL.to_vec() }
    }

    /// Only these kinds are tried where none is there yet, in this order.
    pub fn of_kinds(self, kinds: &[Kind]) -> Self {
        Self { kinds: kinds.to_vec(), ..self }
    }

    /// Makes what is missing, and adopts what is there. Twice is once.
    ///
    /// # Errors
    /// If the kernel refuses, or the name is somebody else's; what was made until then is undone. Where only IPv6 is missing the rest
    /// is made, and [`Made::without`] says so.
    pub async fn ensure(&self, handle: &Handle, unwanted: Unwanted) -> Result<Made, LinkError> {
        let mut made = Made::new(&self.name);
        match self.settle(handle, unwanted, &mut made).await {
            Ok(()) => Ok(made),
            Err(error) => {
                if let Err(stays) = made.undo(handle).await {
                    tracing::warn!("what was made of {} stays: {stays}", self.name);
                }
                Err(error)
            }
        }
    }

    /// The addresses that are not there, or not usable.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub async fn missing(&self, handle: &Handle) -> Result<Vec<IpAddr>, LinkError> {
        let devices = kernel::devices(handle).await?;
        let present = kernel::addresses(handle).await?;
        let Some((device, _)) = self.find(&devices, &present)?.filter(|(device, _)| device.up) else {
            return Ok(self.own.clone());
        };
        Ok(self.own.iter().copied().filter(|own| !present.iter().any(|one| holds(one, device, *own))).collect())
    }

    /// True if everything is there.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub async fn holds(&self, handle: &Handle) -> Result<bool, LinkError> {
        match self.missing(handle).await {
            Ok(missing) => Ok(missing.is_empty()),
            Err(LinkError::Foreign { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes the interface, and our addresses from `lo`. True if something was there.
    ///
    /// # Errors
    /// If the kernel refuses, or the interface is somebody else's; it stays then.
    pub async fn remove(&self, handle: &Handle) -> Result<bool, LinkError> {
        let devices = kernel::devices(handle).await?;
        let present = kernel::addresses(handle).await?;
        let mut was_there = false;
        for assigned in present.iter().filter(|assigned| self.is_on_loopback(assigned, &devices, &present)) {
            kernel::unassign(handle, assigned).await?;
            was_there = true;
        }
        if let Some(device) = devices.iter().find(|device| device.name == self.name) {
            kind(device, &devices)?;
            kernel::remove(handle, device).await?;
            was_there = true;
        }
        Ok(was_there)
    }

    async fn settle(&self, handle: &Handle, unwanted: Unwanted, made: &mut Made) -> Result<(), LinkError> {
        for _ in 0..LINK_ROUNDS_MAX {
            let devices = kernel::devices(handle).await?;
            let present = kernel::addresses(handle).await?;
            let found = self.find(&devices, &present)?;
            let Some((device, kind)) = found else {
                self.create(handle, made).await?;
                continue;
            };
            made.bears(device, kind);
            match self.equip(handle, device, kind, &present, made).await {
                // it went meanwhile
                Err(error) if error.number() == Some(Errno::ENODEV) => continue,
                result => result?,
            }
            if unwanted == Unwanted::Remove {
                self.sweep(handle, device, kind, &devices, &present, made).await?;
            }
            let missing = self.missing(handle).await?;
            if missing.iter().all(|address| made.lacks(*address)) {
                return Ok(());
            }
        }
        Err(LinkError::Unstable { what: format!("the interface {} with {}", self.name, error::list(&self.own)) })
    }

    /// The interface that bears the addresses or is to: the one of this name, or `lo` if that bears some of ours already, or if it is
    /// the only kind that is left.
    fn find<'a>(&self, devices: &'a [Device], present: &[Assigned]) -> Result<Option<(&'a Device, Kind)>, LinkError> {
        if let Some(device) = devices.iter().find(|device| device.name == self.name) {
            return Ok(Some((device, kind(device, devices)?)));
        }
        let chosen = self.kinds == [Kind::Loopback];
        let bears = |one: &Assigned| self.is_marked(one) && self.own.contains(&one.address);
        let loopback = devices.iter().find(|device| device.loopback);
        let bearer = loopback.filter(|lo| chosen || present.iter().any(|one| one.device == lo.index && bears(one)));
        Ok(bearer.map(|device| (device, Kind::Loopback)))
    }

    /// Makes an interface of the first kind that the kernel has; where it has none, gives `lo` the first address, by which it is
    /// known from then on.
    async fn create(&self, handle: &Handle, made: &mut Made) -> Result<(), LinkError> {
        let mut refused = LinkError::Exhausted { what: "no kind of interface is left to try" };
        for kind in &self.kinds {
            let message = match kind {
                Kind::Dummy => LinkMessageBuilder::<LinkDummy>::new(&self.name).build(),
                Kind::Bridge => LinkMessageBuilder::<LinkBridge>::new(&self.name).build(),
                Kind::Loopback => match self.settle_on_loopback(handle, made).await {
                    Err(error) if error.is_no_ipv6() => return Err(self.no_ipv6(&error)),
                    result => return result,
                },
            };
            let what = format!("make {kind} {}", self.name);
            match kernel::told(&what, handle.link().add(message).execute()).await {
                Ok(()) => {
                    made.created = true;
                    return Ok(());
                }
                // another instance was quicker
                Err(error) if error.number() == Some(Errno::EEXIST) => return Ok(()),
                Err(error @ (LinkError::NotPermitted { .. } | LinkError::Closed { .. })) => return Err(error),
                Err(error) => {
                    tracing::debug!("{error}");
                    refused = error;
                }
            }
        }
        Err(refused)
    }

    async fn settle_on_loopback(&self, handle: &Handle, made: &mut Made) -> Result<(), LinkError> {
        let devices = kernel::devices(handle).await?;
        let device = devices.iter().find(|device| device.loopback);
        let device = device.ok_or(LinkError::Exhausted { what: "the network has no loopback interface" })?;
        made.bears(device, Kind::Loopback);
        // IPv4 first, which is nowhere switched off
        let first = self.own.iter().min_by_key(|address| address.is_ipv6());
        let first = first.ok_or(LinkError::Exhausted { what: "there is no address to bear" })?;
        self.assign(handle, device, Kind::Loopback, *first, made).await
    }

    /// Raises the interface, and gives it what it lacks.
    async fn equip(
        &self,
        handle: &Handle,
        device: &Device,
        kind: Kind,
        present: &[Assigned],
        made: &mut Made,
    ) -> Result<(), LinkError> {
        if !device.up {
            if made.created {
                kernel::introduce(handle, device, ALIAS).await;
            }
            kernel::change(handle, device, "raise", LinkMessageBuilder::<LinkUnspec>::new().up()).await?;
        }
        let mut without = Vec::new();
        for own in &self.own {
            let mut there = false;
            for one in present.iter().filter(|one| one.device == device.index && one.address == *own) {
                if holds(one, device, *own) {
                    there = true;
                } else {
                    kernel::unassign(handle, one).await?;
                }
            }
            if there {
                made.finds(*own);
                continue;
            }
            match self.assign(handle, device, kind, *own, made).await {
                Err(error) if own.is_ipv6() && error.is_no_ipv6() => without.push((*own, error)),
                result => result?,
            }
        }
        let why = without.first().and_then(|(_, error)| error.number());
        made.without = why
            .map(|why| LinkError::NoIpv6 { addresses: without.into_iter().map(|(address, _)| address).collect(), why });
        Ok(())
    }

    async fn assign(
        &self,
        handle: &Handle,
        device: &Device,
        kind: Kind,
        address: IpAddr,
        made: &mut Made,
    ) -> Result<(), LinkError> {
        let label = self.label();
        let label = (kind == Kind::Loopback).then_some(label.as_str());
        let manner = Manner { protocol: self.protocol(), label, scope: AddressScope::Universe };
        match kernel::assign(handle, device, address, manner).await {
            Ok(()) => made.adds(address),
            result => kernel::there(result)?,
        }
        Ok(())
    }

    /// Takes away what is not wanted: from an interface of ours everything but what the kernel made itself, from `lo` what bears our
    /// mark.
    async fn sweep(
        &self,
        handle: &Handle,
        device: &Device,
        kind: Kind,
        devices: &[Device],
        present: &[Assigned],
        made: &mut Made,
    ) -> Result<(), LinkError> {
        for one in present {
            let wanted = one.device == device.index && self.own.contains(&one.address);
            let on_ours = kind != Kind::Loopback && one.device == device.index && !is_link_local(one.address);
            let on_loopback = self.is_marked(one) && devices.iter().any(|lo| lo.loopback && lo.index == one.device);
            if !wanted && (on_ours || on_loopback) {
                kernel::unassign(handle, one).await?;
                made.removed.push(one.address);
            }
        }
        Ok(())
    }

    fn is_on_loopback(&self, one: &Assigned, devices: &[Device], present: &[Assigned]) -> bool {
        let on = |one: &Assigned| devices.iter().any(|lo| lo.loopback && lo.index == one.device);
        // a kernel that keeps the number has one for 127.0.0.1; without it IPv6 addresses are known by the flags alone
        let keeps = present.iter().any(|any| on(any) && any.protocol.is_some());
        let by_flags = !keeps && one.address.is_ipv6() && self.own.contains(&one.address);
        on(one) && (self.is_marked(one) || by_flags)
    }

    fn is_marked(&self, one: &Assigned) -> bool {
        one.protocol == Some(self.protocol()) || one.label.as_deref() == Some(&self.label())
    }

    /// A label is at most 15 octets, and begins with the interface's name.
    fn label(&self) -> String {
        format!("lo:{}", begin(&self.name, 12))
    }

    fn protocol(&self) -> u8 {
        protocol(&self.name)
    }

    fn no_ipv6(&self, error: &LinkError) -> LinkError {
        LinkError::NoIpv6 { addresses: self.own.clone(), why: error.number().unwrap_or(Errno::EAFNOSUPPORT) }
    }
}

/// What an interface of our name is.
fn kind(device: &Device, devices: &[Device]) -> Result<Kind, LinkError> {
    let ports = devices.iter().filter(|port| port.controller == Some(device.index)).count();
    let what = match &device.kind {
        Some(InfoKind::Dummy) => return Ok(Kind::Dummy),
        Some(InfoKind::Bridge) if ports == 0 => return Ok(Kind::Bridge),
        Some(InfoKind::Bridge) => format!("a bridge with {ports} ports"),
        Some(kind) => format!("of the kind {kind}"),
        None => "a device of the machine".to_owned(),
    };
    Err(LinkError::Foreign { name: device.name.clone(), what })
}

fn holds(assigned: &Assigned, device: &Device, address: IpAddr) -> bool {
    let whole = if address.is_ipv4() { 32 } else { 128 };
    assigned.device == device.index && assigned.address == address && assigned.prefix == whole && assigned.usable
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// The number by which the kernel remembers whose an address is: none that it uses itself, and another one for most other names.
pub(in crate::node) fn protocol(name: &str) -> u8 {
    64 + (hash(name) % 128) as u8
}

/// The first octets of a name, no more than so many, and whole characters.
pub(in crate::node) fn begin(name: &str, octets_max: usize) -> &str {
    let end = (0..=octets_max.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.expect("0 is a boundary")]
}

/// FNV-1a, 32 bits: the same in every release, because it is in what the kernel keeps.
pub(in crate::node) fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, octet| (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193))
}
