//! Addresses, ports and folders that no other test uses.
//!
//! All of 127/8 is this machine, so each daemon and upstream gets an address of its own, and one port does for all of a
//! run. Nothing is bound to see whether it is free: a process that is just being started holds on to such a probe's
//! socket for a moment, and the port would be in use after all. Ports lie below the range that the kernel gives to
//! clients.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A loopback address that nobody else in this run uses.
pub fn address() -> IpAddr {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let [_, _, high, low] = number.to_be_bytes();
    let process = (std::process::id() % 120) as u8;
    Ipv4Addr::new(127, 100 + process, high, low).into()
}

/// The first of eight ports that are this run's at every address of [`address`].
pub fn port() -> u16 {
    20_000 + (std::process::id() % 1_200) as u16 * 8
}

/// An address of its own with the run's first port.
pub fn socket() -> SocketAddr {
    SocketAddr::new(address(), port())
}

/// An address, and a port that no other daemon of this run has at any address.
pub fn socket_everywhere() -> SocketAddr {
    let offset = NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id();
    SocketAddr::new(address(), 30_000 + (offset % 2_700) as u16)
}

/// True if this process is in a network where every address of [`pod_address`] is this machine: `tests/cluster/inside`
/// makes one.
pub fn has_pod_network() -> bool {
    UdpSocket::bind(("198.18.255.254", 0)).is_ok() && UdpSocket::bind(("2001:db8:ffff::", 0)).is_ok()
}

/// An address for a pod or an endpoint that nobody else in this run uses. It is none of 127/8, because the API server
/// takes no loopback address for an endpoint, and is bound and reached in [`has_pod_network`] alone.
pub fn pod_address() -> IpAddr {
    let [_, _, high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(198, 18, high, low).into()
}

/// An address for a pod with a sandbox of its own: this machine reaches it by a route alone.
pub fn sandbox_address() -> IpAddr {
    let [_, _, high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(10, 77, high, low).into()
}

/// The same as [`pod_address`] in IPv6.
pub fn pod_address_v6() -> IpAddr {
    let [_, _, high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from_be_bytes([high, low])).into()
}

/// A folder that goes when the test ends well, and stays when it fails.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new, empty folder.
    pub fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("nearpath-tests-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the folder for temporary files can be written");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file as a whole: under another name first, so that a reader sees the old text or the new one.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        let partial = self.file(&format!("{name}.partial"));
        std::fs::write(&partial, text).expect("the folder can be written");
        std::fs::rename(&partial, &path).expect("the folder can be written");
        path
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }
}
