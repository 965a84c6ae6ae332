//! The addresses that interfaces have now, for `bind`.

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;

/// The addresses of an interface; `None` if there is no such interface, or the system does not tell.
pub fn addresses_of(name: &str) -> Option<Vec<IpAddr>> {
    let mut exists = false;
    let mut found = Vec::new();
    for one in getifaddrs().ok()?.filter(|one| one.interface_name == name) {
        exists = true;
        let Some(address) = one.address else { continue };
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        found.extend(v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into())));
    }
    exists.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_the_loopback_address() {
        assert!(addresses_of("lo").unwrap().contains(&"127.0.0.1".parse().unwrap()));
        assert_eq!(addresses_of("no-such-link"), None);
    }
}
