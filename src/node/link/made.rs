//! What was found and what was made, so that the log can say it, and a start that fails can undo it.

use std::fmt;
use std::net::IpAddr;

use super::error::{LinkError, list};
use super::kernel::{self, Assigned, Device, Handle};

/// What bears the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A dummy link.
    Dummy,
    /// A bridge without ports, on kernels without dummies.
    Bridge,
    /// `lo`, where no interface can be made.
    Loopback,
}

impl Kind {
    /// All, the best one first.
    pub const ALL: [Self; 3] = [Self::Dummy, Self::Bridge, Self::Loopback];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dummy => "the dummy link",
            Self::Bridge => "the bridge without ports",
            Self::Loopback => "the loopback interface",
        })
    }
}

/// What one [`super::Link::ensure`] found and did.
#[derive(Clone, Debug)]
pub struct Made {
    /// The interface that bears the addresses.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// True if it was made just now.
    pub created: bool,
    /// The addresses that were given to it.
    pub added: Vec<IpAddr>,
    /// The addresses that it had.
    pub found: Vec<IpAddr>,
    /// The addresses of ours that were taken away because nobody wants them.
    pub removed: Vec<IpAddr>,
    /// Why some are not there: IPv6 is missing. Everything else is as wanted.
    pub without: Option<LinkError>,
    /// The kernel's number of the interface.
    index: u32,
    /// All that was taken away, as it was.
    taken: Vec<Assigned>,
}

impl Made {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: Kind::Dummy,
            created: false,
            added: Vec::new(),
            found: Vec::new(),
            removed: Vec::new(),
            without: None,
            index: 0,
            taken: Vec::new(),
        }
    }

    /// True if everything was there.
    pub fn nothing(&self) -> bool {
        !self.created && self.added.is_empty() && self.removed.is_empty()
    }

    /// Takes away what was made, and gives back what was taken away. To be called only while nobody else uses it.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub async fn undo(&self, handle: &Handle) -> Result<(), LinkError> {
        if self.created {
            let devices = kernel::devices(handle).await?;
            if let Some(device) = devices.iter().find(|device| device.name == self.name) {
                kernel::remove(handle, device).await?;
            }
        } else {
            for one in kernel::addresses(handle).await? {
                if one.device == self.index && self.added.contains(&one.address) {
                    kernel::unassign(handle, &one).await?;
                }
            }
        }
        for one in &self.taken {
            kernel::give_back(handle, one).await?;
        }
        Ok(())
    }

    /// Takes an address away, so that it can be given back.
    pub(super) async fn takes(&mut self, handle: &Handle, one: &Assigned) -> Result<(), LinkError> {
        kernel::unassign(handle, one).await?;
        self.taken.push(one.clone());
        Ok(())
    }

    pub(super) fn bears(&mut self, device: &Device, kind: Kind) {
        (self.name, self.kind, self.index) = (device.name.clone(), kind, device.index);
    }

    pub(super) fn adds(&mut self, address: IpAddr) {
        if !self.added.contains(&address) {
            self.added.push(address);
        }
    }

    pub(super) fn finds(&mut self, address: IpAddr) {
        if !self.found.contains(&address) && !self.added.contains(&address) {
            self.found.push(address);
        }
    }

    /// True if this address is one of those that cannot be there.
    pub(super) fn lacks(&self, address: IpAddr) -> bool {
        matches!(&self.without, Some(LinkError::NoIpv6 { addresses, .. }) if addresses.contains(&address))
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind, self.name, if self.created { "is made" } else { "is there" })?;
        for (what, addresses) in
            [("added", &self.added), ("found", &self.found), ("removed, wanted by nobody", &self.removed)]
        {
            if !addresses.is_empty() {
                write!(f, "; {what}: {}", list(addresses))?;
            }
        }
        if let Some(without) = &self.without {
            write!(f, "; {without}")?;
        }
        Ok(())
    }
}
