//! The two interfaces by name: found, made, removed, and never mixed up with somebody else's.

use nix::errno::Errno;
use rtnetlink::packet_route::link::{InfoData, InfoKind, InfoVeth, LinkMessage};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};

use crate::node::link::kernel::{self, Device, Handle, told};
use crate::node::link::{ALIAS, LinkError, begin, hash};

/// The names of both ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) out: String,
    pub(super) back: String,
    /// What their addresses of link layer are made of.
    pub(super) seed: u32,
}

impl Pair {
    /// `<name>-0` and `<name>-1`; of a name longer than 13 octets the first eight and five hexadecimal digits of its hash, so that both
    /// fit into the kernel's 15 octets and are the same after every start.
    pub(super) fn of(name: &str) -> Self {
        let seed = hash(name);
        let stem =
            if name.len() <= 13 { name.to_owned() } else { format!("{}{:05x}", begin(name, 8), seed & 0xf_ffff) };
        Self { out: format!("{stem}-0"), back: format!("{stem}-1"), seed }
    }

    /// Both ends, if they are there and belong together.
    pub(super) fn find<'a>(&self, devices: &'a [Device]) -> Result<Option<(&'a Device, &'a Device)>, LinkError> {
        let ends = self.ends(devices);
        if let Some(foreign) = ends.iter().flatten().find(|device| !is_ours(device, ends)) {
            let what = foreign
                .kind
                .as_ref()
                .map_or("a device of the machine".to_owned(), |kind| format!("of the kind {kind}"));
            return Err(LinkError::Foreign { name: foreign.name.clone(), what });
        }
        Ok(match ends {
            [Some(out), Some(back)] if are_paired(out, back) => Some((out, back)),
            _ => None,
        })
    }

    /// True if something of it is there that is not whole: an end whose other end was moved or renamed.
    pub(super) fn is_half(&self, devices: &[Device]) -> bool {
        self.ends(devices).iter().flatten().next().is_some()
    }

    /// Makes both ends, after what is left of an earlier pair is removed. False if another instance was quicker.
    pub(super) async fn renew(&self, handle: &Handle, devices: &[Device]) -> Result<bool, LinkError> {
        self.clear(handle, devices).await?;
        let what = format!("make the pair {} and {}", self.out, self.back);
        match told(&what, handle.link().add(self.message()).execute()).await {
            Ok(()) => Ok(true),
            Err(error) if error.number() == Some(Errno::EEXIST) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes what is there of it.
    pub(super) async fn clear(&self, handle: &Handle, devices: &[Device]) -> Result<(), LinkError> {
        for device in self.ends(devices).into_iter().flatten() {
            kernel::remove(handle, device).await?;
        }
        Ok(())
    }

    fn ends<'a>(&self, devices: &'a [Device]) -> [Option<&'a Device>; 2] {
        [&self.out, &self.back].map(|name| devices.iter().find(|device| device.name == *name))
    }

    /// Both have addresses of link layer of our choice: those that the kernel makes at random are replaced by udev a moment later, and
    /// then nothing would be taken in at `back`.
    fn message(&self) -> LinkMessage {
        let peer = LinkMessageBuilder::<LinkUnspec>::new().name(self.back.clone()).address(self.mac(1)).build();
        LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
            .name(self.out.clone())
            .address(self.mac(0))
            .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
            .build()
    }

    /// Locally administered, for one station (IEEE 802 8.2).
    fn mac(&self, end: u8) -> Vec<u8> {
        let [_, _, high, low] = self.seed.to_be_bytes();
        vec![0x02, 0x6e, 0x70, high, low, end]
    }
}

/// An end is ours if both are there as one pair, or if it bears our alias.
fn is_ours(device: &Device, ends: [Option<&Device>; 2]) -> bool {
    let whole = matches!(ends, [Some(out), Some(back)] if are_paired(out, back));
    device.kind == Some(InfoKind::Veth) && (whole || device.alias.as_deref() == Some(ALIAS))
}

fn are_paired(one: &Device, other: &Device) -> bool {
    one.kind == Some(InfoKind::Veth) && one.peer == Some(other.index) && other.peer == Some(one.index)
}
