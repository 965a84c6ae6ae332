//! How the interface comes to be as it should: one look, what it lacks, and another look.

use std::net::IpAddr;

use contract::limits::LINK_ROUNDS_MAX;
use nix::errno::Errno;
use rtnetlink::packet_route::address::AddressScope;
use rtnetlink::{LinkBridge, LinkDummy, LinkMessageBuilder, LinkUnspec};

use super::kernel::{self, Assigned, Device, Handle, Manner};
use super::{ALIAS, Kind, Link, LinkError, Made, Unwanted, error, holds};

impl Link {
    /// Looks, does what is missing, and looks again, until nothing is.
    pub(super) async fn settle(&self, handle: &Handle, unwanted: Unwanted, made: &mut Made) -> Result<(), LinkError> {
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
                self.sweep(handle, device, &devices, &present, made).await?;
            }
            let missing = self.missing(handle).await?;
            if missing.iter().all(|address| made.lacks(*address)) {
                return Ok(());
            }
        }
        Err(LinkError::Unstable { what: format!("the interface {} with {}", self.name, error::list(&self.own)) })
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
        let present = kernel::addresses(handle).await?;
        let missing = self.own.iter().filter(|own| !present.iter().any(|one| holds(one, device, **own)));
        let first = missing.min_by_key(|address| address.is_ipv6());
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
            // one that is down and bears nothing is new too: another instance that starts has made it just now
            let is_bare = !present.iter().any(|one| one.device == device.index);
            if made.created || is_bare {
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
                    made.takes(handle, one).await?;
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

    /// Takes away what bears our mark and is not wanted, from our interface and from `lo`. What bears none is somebody else's, such as
    /// a node-cache that still runs; on a kernel that keeps no marks on an interface of ours, everything stays.
    async fn sweep(
        &self,
        handle: &Handle,
        device: &Device,
        devices: &[Device],
        present: &[Assigned],
        made: &mut Made,
    ) -> Result<(), LinkError> {
        for one in present.iter().filter(|one| self.is_marked(one)) {
            let wanted = one.device == device.index && self.own.contains(&one.address);
            let on_ours = one.device == device.index;
            let on_loopback = devices.iter().any(|lo| lo.loopback && lo.index == one.device);
            if !wanted && (on_ours || on_loopback) {
                made.takes(handle, one).await?;
                made.removed.push(one.address);
            }
        }
        Ok(())
    }

    fn no_ipv6(&self, error: &LinkError) -> LinkError {
        LinkError::NoIpv6 { addresses: self.own.clone(), why: error.number().unwrap_or(Errno::EAFNOSUPPORT) }
    }
}
