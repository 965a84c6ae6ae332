//! Addresses, ports and folders that no other test uses.
//!
//! All of 127/8 is this machine, so each daemon and upstream gets an address of its own. Ports are taken from below the
//! range that the kernel gives to clients, so none can be lost between finding it free and binding it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
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

/// A port at an address that is free for UDP and TCP.
pub fn port(address: IpAddr) -> u16 {
    (20_000..30_000)
        .find(|&port| UdpSocket::bind((address, port)).is_ok() && TcpListener::bind((address, port)).is_ok())
        .expect("one of 10,000 ports is free")
}

/// An address and a port, both free.
pub fn socket() -> SocketAddr {
    let address = address();
    SocketAddr::new(address, port(address))
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
