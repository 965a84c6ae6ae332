//! Which process has a socket open: its number in `/proc/PID/fd`.

use std::collections::BTreeMap;
use std::fs;

/// Processes that are looked at.
const PROCESSES_MAX: usize = 65_536;
/// Descriptors of one process that are looked at.
const DESCRIPTORS_MAX: usize = 65_536;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Owner {
    pub(in super::super) pid: u32,
    /// Its name, as the kernel knows it.
    pub(in super::super) name: String,
}

/// The owners of sockets by the sockets' numbers, as far as processes can be seen and may be looked into.
pub(in super::super) fn all() -> BTreeMap<u64, Owner> {
    let mut owners = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids.take(PROCESSES_MAX) {
        let inodes = inodes_of(pid);
        if inodes.is_empty() {
            continue;
        }
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned();
        for inode in inodes {
            owners.insert(inode, Owner { pid, name: name.clone() });
        }
    }
    owners
}

/// The sockets of a process.
pub(in super::super) fn inodes_of(pid: u32) -> Vec<u64> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let inode = |entry: fs::DirEntry| socket_number(fs::read_link(entry.path()).ok()?.to_str()?);
    descriptors.take(DESCRIPTORS_MAX).filter_map(inode).collect()
}

/// `socket:[4711]`.
fn socket_number(text: &str) -> Option<u64> {
    text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_a_socket_or_something_else() {
        for (text, number) in
            [("socket:[4711]", Some(4_711)), ("/dev/null", None), ("pipe:[1]", None), ("socket:[x]", None)]
        {
            assert_eq!(socket_number(text), number, "{text}");
        }
    }

    #[test]
    fn our_own_socket_is_ours() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        let row = super::super::sockets::all().into_iter().find(|row| row.local == at).unwrap();
        assert_eq!(all()[&row.inode].pid, std::process::id());
    }
}
