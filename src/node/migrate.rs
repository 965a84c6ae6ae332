//! Connections that are being opened when an instance leaves go on with the one that stays: the kernel hands them over when
//! `net.ipv4.tcp_migrate_req` is set, which it is for as long as the draining takes.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

/// The kernel's switch for this network.
const SWITCH: &str = "/proc/sys/net/ipv4/tcp_migrate_req";
/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// The switch is on; dropped, it is what it was.
#[derive(Debug)]
pub struct Migration {
    before: String,
}

impl Migration {
    /// Turns it on if another process listens on one of these ports too. Where that may not be done (`/proc/sys` is
    /// read-only in most containers) what the kernel has ready is accepted before the sockets close, and a connection that
    /// comes between the two is reset.
    pub fn begin(ports: &[u16]) -> Option<Self> {
        let tables = ["tcp", "tcp6"].map(|name| PathBuf::from("/proc/thread-self/net").join(name));
        let tables: Vec<String> = tables.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
        if !tables.iter().any(|table| is_shared(table, ports)) {
            return None;
        }
        let before = fs::read_to_string(SWITCH).ok().filter(|value| value.trim() == "0")?;
        match fs::write(SWITCH, "1\n") {
            Ok(()) => Some(Self { before }),
            Err(error) => {
                tracing::debug!(%error, "connections that are being opened cannot be handed over");
                None
            }
        }
    }
}

impl Drop for Migration {
    fn drop(&mut self) {
        let _ = fs::write(SWITCH, &self.before); // it could be written before
    }
}

/// True if two sockets listen on the same address with one of these ports: one of them is not this process's.
fn is_shared(table: &str, ports: &[u16]) -> bool {
    let mut listening: HashMap<&str, usize> = HashMap::new();
    for line in table.lines().skip(1) {
        let mut words = line.split_whitespace().skip(1);
        if let (Some(local), Some(LISTENING)) = (words.next(), words.nth(1)) {
            *listening.entry(local).or_default() += 1;
        }
    }
    let port = |local: &str| local.rsplit(':').next().and_then(|port| u16::from_str_radix(port, 16).ok());
    listening.iter().any(|(local, &count)| count > 1 && port(local).is_some_and(|port| ports.contains(&port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_that_listen_at_one_address_share_it() {
        let table = "  sl  local_address rem_address   st tx_queue\n   \
                     0: 0100007F:0035 00000000:0000 0A 00000000:00000000\n   \
                     1: 0100007F:0035 00000000:0000 0A 00000000:00000000\n   \
                     2: 0200007F:0036 00000000:0000 0A 00000000:00000000\n   \
                     3: 0200007F:0036 0100007F:9999 01 00000000:00000000\n nonsense\n\n";
        assert!(is_shared(table, &[54, 53]));
        assert!(!is_shared(table, &[54]), "a connection does not listen");
        assert!(!is_shared("", &[53]));
    }
}
