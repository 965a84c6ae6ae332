//! The interface and the addresses that pods ask, made so and kept so.
//!
//! ```text
//!  there already (of ours, or node-cache's) --> adopted
//!  else a dummy --refused--> a bridge without ports --refused--> the addresses on `lo`
//! ```
//!
//! An interface of this name is ours to use if it is a dummy, or a bridge without ports. On it, and on `lo`, those addresses are ours
//! that bear our mark: a protocol number (IFA_PROTO, Linux 5.18) or, on `lo`, the label `lo:<name>` (IPv4). Others stay, whoever put
//! them there, until the interface itself goes.

mod changes;
mod error;
pub(in crate::node) mod kernel;
mod made;
mod settle;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use rtnetlink::packet_route::link::InfoKind;

pub use changes::Changes;
pub use error::LinkError;
pub use kernel::{Handle, connect};
pub use made::{Kind, Made};

use kernel::{Assigned, Device};

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
    /// They go, if they bear our mark.
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

    /// The interface that bears the addresses or is to: the one of this name, or `lo` if that bears what we gave it, or all of them
    /// whoever did, or if no other kind is to be tried.
    fn find<'a>(&self, devices: &'a [Device], present: &[Assigned]) -> Result<Option<(&'a Device, Kind)>, LinkError> {
        if let Some(device) = devices.iter().find(|device| device.name == self.name) {
            return Ok(Some((device, kind(device, devices)?)));
        }
        let Some(lo) = devices.iter().find(|device| device.loopback) else { return Ok(None) };
        let ours =
            present.iter().any(|one| one.device == lo.index && self.is_marked(one) && self.own.contains(&one.address));
        let all = self.own.iter().all(|own| present.iter().any(|one| holds(one, lo, *own)));
        let bears = ours || all || self.kinds == [Kind::Loopback];
        Ok(bears.then_some((lo, Kind::Loopback)))
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
