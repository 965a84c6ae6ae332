//! In which order the addresses of a reply are put.

use std::net::IpAddr;
use std::sync::Arc;

use contract::corefile::value;

use crate::file::WeightFile;

/// What is done with the addresses of a reply.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) policy: Policy,
    /// Prefixes whose addresses come first, the most wanted one first.
    pub(crate) prefer: Box<[Subnet]>,
}

/// How the first address is chosen.
#[derive(Debug)]
pub(crate) enum Policy {
    /// All are shuffled.
    RoundRobin,
    /// One comes first by its weight; the others stay.
    Weighted(Arc<WeightFile>),
}

/// A prefix of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    first: IpAddr,
    bits: u8,
}

impl Subnet {
    /// Reads `10.0.0.0/8`; bits beyond its length are cleared.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.contains('/') {
            return Err("an address without the length of a prefix".to_owned());
        }
        value::prefix(text).map(|(first, bits)| Self { first, bits })
    }

    /// True if the address begins with the prefix.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differs = first.to_bits() ^ address.to_bits();
                differs.checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differs = first.to_bits() ^ address.to_bits();
                differs.checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl Order {
    /// Which prefix an address is in; as many as there are if in none.
    pub(crate) fn rank(&self, address: IpAddr) -> u16 {
        let place = self.prefer.iter().position(|subnet| subnet.contains(address));
        u16::try_from(place.unwrap_or(self.prefer.len())).unwrap_or(u16::MAX)
    }
}
