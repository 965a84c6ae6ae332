//! The way of questions from the host's own processes while no daemon is there: out of the stack and in again, past its tables.
//!
//! ```text
//!  a process asks --> output, untracked --> lo --> prerouting: nobody listens --> dup to `address` dev `device`, drop
//!                                                                                   |
//!  the central server <-- masqueraded <-- forwarded <-- prerouting, dnat <-- `back` <-- the other end of the pair
//! ```
//!
//! What comes in at `lo` is bound for this host already, whatever is done to its destination. What comes in at `back` is not, so there
//! the rules can send it elsewhere. A packet with a source of this host's own is taken there because `back` accepts such (accept_local),
//! has an address (without one the kernel looks for no way back) and checks that way loosely (rp_filter 2; the stricter of the
//! interface's and of everybody's counts, and 2 is the strictest number and the laxest check). It is sent on because `back` forwards,
//! also where the host does not. All this is said by netlink, because a container's /proc/sys is read-only.
//!
//! IPv6 has no such checks, so that a route and a neighbour are enough; but it forwards for all interfaces or for none.

mod pair;
mod steps;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contract::limits::LINK_ROUNDS_MAX;
use nix::errno::Errno;

use super::link::kernel::{self, Device};
use super::link::{Handle, LinkError};
use pair::Pair;

/// The next hop of what leaves the host over the pair, for IPv6. It is on that link alone, so it collides with nothing.
const NEXT_HOP_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x6e70);
/// The third octets of 169.254.0.0/16 that are tried; clouds have their services at 169, 170 and 171, and below 10.
const BLOCKS: std::ops::Range<u8> = 20..28;

/// The pair of interfaces as it is, for the rules: `dup to <address> device "<device>"`, and what comes back `iifname "<back>"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detour {
    /// The interface that questions leave by.
    pub device: String,
    /// The interface that they come in at.
    pub back: String,
    /// The next hop behind `device`. Nobody has this address.
    pub address: Ipv4Addr,
    /// The same for IPv6; `None` if no address of ours is one, or the host does not forward IPv6.
    pub address6: Option<Ipv6Addr>,
    /// True if the pair was made just now: a start that fails removes it again, if nobody else is there.
    pub created: bool,
    /// The address of `back`.
    back_address: Ipv4Addr,
}

impl Detour {
    /// Makes what is missing of it, and adopts what is there. `name` is that of the interface that bears the addresses, `own` are these.
    /// Twice is once.
    ///
    /// # Errors
    /// If the kernel refuses, or an interface of such a name is somebody else's.
    pub async fn ensure(handle: &Handle, name: &str, own: &[IpAddr]) -> Result<Self, LinkError> {
        let pair = Pair::of(name);
        let mut created = false;
        for _ in 0..LINK_ROUNDS_MAX {
            let devices = kernel::devices(handle).await?;
            let Some((out, back)) = pair.find(&devices)? else {
                created |= pair.renew(handle, &devices).await?;
                continue;
            };
            let Some((address, back_address)) = choose(handle, own, out, back).await? else {
                return Err(LinkError::Exhausted { what: "each address for the host's own questions is in use" });
            };
            let address6 = (own.iter().any(IpAddr::is_ipv6) && forwards_ipv6()).then_some(NEXT_HOP_V6);
            let (device, back_name) = (pair.out.clone(), pair.back.clone());
            let mut this = Self { device, back: back_name, address, address6, created, back_address };
            match this.equip(handle, name, out, back).await {
                // it went meanwhile
                Err(error) if error.number() == Some(Errno::ENODEV) => continue,
                result => result?,
            }
            if this.holds(handle).await? {
                return Ok(this);
            }
        }
        Err(LinkError::Unstable { what: format!("the pair {} and {}", pair.out, pair.back) })
    }

    /// The names of both interfaces, out and back, that belong to an interface of this name: what [`super::link::Changes`] is to watch.
    pub fn names(name: &str) -> [String; 2] {
        let pair = Pair::of(name);
        [pair.out, pair.back]
    }

    /// True if everything is there.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub async fn holds(&self, handle: &Handle) -> Result<bool, LinkError> {
        let pair = Pair { out: self.device.clone(), back: self.back.clone(), seed: 0 };
        let devices = kernel::devices(handle).await?;
        let Ok(Some((out, back))) = pair.find(&devices) else { return Ok(false) };
        let present = kernel::addresses(handle).await?;
        let has_address = present.iter().any(|one| one.device == back.index && one.address == self.back_address);
        if !(out.up && back.up && has_address && steps::forwards(back)) {
            return Ok(false);
        }
        for hop in self.hops() {
            if !steps::leads(handle, out, hop).await? || !steps::knows(handle, out, hop, &back.mac).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes the pair, and with it its addresses and routes. True if it was there.
    ///
    /// # Errors
    /// If the kernel refuses, or an interface of such a name is somebody else's; it stays then.
    pub async fn remove(handle: &Handle, name: &str) -> Result<bool, LinkError> {
        let pair = Pair::of(name);
        let devices = kernel::devices(handle).await?;
        let there = pair.find(&devices)?.is_some() || pair.is_half(&devices);
        pair.clear(handle, &devices).await?;
        Ok(there)
    }

    fn hops(&self) -> impl Iterator<Item = IpAddr> {
        [Some(self.address.into()), self.address6.map(IpAddr::from)].into_iter().flatten()
    }

    async fn equip(&mut self, handle: &Handle, name: &str, out: &Device, back: &Device) -> Result<(), LinkError> {
        for device in [out, back] {
            steps::raise(handle, device).await?;
        }
        steps::set_forwarding(handle, back).await?;
        steps::bear(handle, name, out, back, self.back_address).await?;
        for hop in self.hops().collect::<Vec<_>>() {
            match steps::lead(handle, out, hop, &back.mac).await {
                Err(error) if hop.is_ipv6() && error.is_no_ipv6() => {
                    tracing::debug!("questions of the host's own processes have no way in IPv6: {error}");
                    self.address6 = None;
                }
                result => result?,
            }
        }
        Ok(())
    }
}

/// The addresses of next hop and `back`: those that it has, else the first ones that nothing else here has or leads to.
async fn choose(
    handle: &Handle,
    own: &[IpAddr],
    out: &Device,
    back: &Device,
) -> Result<Option<(Ipv4Addr, Ipv4Addr)>, LinkError> {
    let present = kernel::addresses(handle).await?;
    let mut candidates: Vec<_> =
        BLOCKS.map(|block| (Ipv4Addr::new(169, 254, block, 253), Ipv4Addr::new(169, 254, block, 254))).collect();
    // what it has comes first; the sort is stable
    candidates.sort_by_key(|(_, mine)| !present.iter().any(|one| one.device == back.index && one.address == *mine));
    for (hop, mine) in candidates {
        let taken = [hop, mine].iter().any(|address| {
            let elsewhere = present.iter().any(|one| one.device != back.index && one.address == *address);
            elsewhere || own.contains(&IpAddr::V4(*address))
        });
        if !taken && steps::is_free(handle, hop, out, back).await? && steps::is_free(handle, mine, out, back).await? {
            return Ok(Some((hop, mine)));
        }
    }
    Ok(None)
}

/// Whether the host forwards IPv6, which the kernel lets nobody say for one interface alone by netlink.
fn forwards_ipv6() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv6/conf/all/forwarding").is_ok_and(|text| text.trim() != "0")
}
