//! The nameserver lines of a file like `/etc/resolv.conf` (resolv.conf(5)).

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use contract::BuildError;

/// The largest file that is read, octets.
const FILE_MAX: u64 = 64 << 10;

/// The addresses of a file's nameservers, port 53, in order.
pub(crate) fn nameservers(path: &Path) -> Result<Vec<SocketAddr>, BuildError> {
    let mut text = String::new();
    std::fs::File::open(path).and_then(|file| file.take(FILE_MAX).read_to_string(&mut text)).map_err(|error| {
        BuildError::file(path, format!("{error}; `forward` reads the addresses of upstreams in it"))
    })?;
    let found = addresses(&text);
    if found.is_empty() {
        return Err(BuildError::file(path, "no line `nameserver ADDRESS`; write one, or name an upstream's address"));
    }
    Ok(found)
}

/// A zone id behind `%` is dropped, as CoreDNS does: it names a link of one machine.
fn addresses(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let word = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        let address: IpAddr = word.split('%').next()?.parse().ok()?;
        Some(SocketAddr::new(address, 53))
    };
    text.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nameserver_lines_count() {
        let text = "# nameserver 9.9.9.9\nsearch a b\n nameserver 10.0.0.10 # first\nnameserver fe80::1%eth0\nnameserver x\noptions ndots:5\n";
        let found: Vec<String> = addresses(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.0.0.10:53", "[fe80::1]:53"]);
    }
}
