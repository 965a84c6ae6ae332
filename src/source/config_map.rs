//! The mounted ConfigMap `kube-dns`: a folder with a file per key, as kube-dns and node-cache read it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use contract::wire::Name;
use serde::de::DeserializeOwned;

/// Octets of one key; an API server takes no larger ConfigMap.
const KEY_OCTETS_MAX: u64 = 1 << 20;

/// What it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigMap {
    /// Zones and the servers that are asked for them.
    pub stub_domains: BTreeMap<String, Vec<String>>,
    /// The servers for everything outside the cluster; if empty, those of the host.
    pub upstream_nameservers: Vec<String>,
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}; expected {expected}")]
pub struct ConfigMapError {
    file: String,
    reason: String,
    expected: &'static str,
}

const STUB_DOMAINS: &str = r#"JSON such as {"corp.example": ["10.0.0.53", "10.0.0.54:5353"]}"#;
const UPSTREAMS: &str = r#"JSON such as ["10.0.0.53", "10.0.0.54:5353"]"#;

impl ConfigMap {
    /// Reads the keys that are there.
    ///
    /// # Errors
    /// A key is not what it should be.
    pub fn read(folder: &Path) -> Result<Self, ConfigMapError> {
        let stub_domains: BTreeMap<String, Vec<String>> = key(folder, "stubDomains", STUB_DOMAINS)?;
        let upstream_nameservers: Vec<String> = key(folder, "upstreamNameservers", UPSTREAMS)?;
        let error = |name: &str, reason, expected| ConfigMapError {
            file: folder.join(name).display().to_string(),
            reason,
            expected,
        };
        for (domain, servers) in &stub_domains {
            if let Err(reason) = check_domain(domain).and_then(|()| check_servers(servers)) {
                return Err(error("stubDomains", format!("`{domain}`: {reason}"), STUB_DOMAINS));
            }
        }
        if !upstream_nameservers.is_empty() {
            check_servers(&upstream_nameservers).map_err(|reason| error("upstreamNameservers", reason, UPSTREAMS))?;
        }
        Ok(Self { stub_domains, upstream_nameservers })
    }
}

/// A key's value; what it is without one if it is not there or empty.
fn key<T: DeserializeOwned + Default>(folder: &Path, name: &str, expected: &'static str) -> Result<T, ConfigMapError> {
    let path = folder.join(name);
    let error = |reason: String| ConfigMapError { file: path.display().to_string(), reason, expected };
    match fs::metadata(&path) {
        Ok(about) if about.len() > KEY_OCTETS_MAX => return Err(error(format!("{} octets", about.len()))),
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        Ok(_) | Err(_) => {}
    }
    let text = fs::read_to_string(&path).map_err(|failed| error(failed.to_string()))?;
    match text.trim() {
        "" => Ok(T::default()),
        text => serde_json::from_str(text).map_err(|wrong| error(wrong.to_string())),
    }
}

/// A zone that can be a server block's: anything else in it would be read as part of the Corefile.
fn check_domain(domain: &str) -> Result<(), String> {
    let plain = domain.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.'));
    match plain && !domain.is_empty() {
        true => Name::parse(domain).map(|_| ()).map_err(|error| error.to_string()),
        false => Err("no name of a zone".to_owned()),
    }
}

/// Servers as node-cache takes them: addresses, or a file like /etc/resolv.conf. A name would have to be looked up, and by whom?
fn check_servers(servers: &[String]) -> Result<(), String> {
    match servers.iter().find(|server| !is_server(server)) {
        Some(server) => Err(format!("`{server}` is no server")),
        None if servers.is_empty() => Err("it has no server".to_owned()),
        None => Ok(()),
    }
}

fn is_server(text: &str) -> bool {
    let plain = text.bytes().all(|octet| octet.is_ascii_graphic() && !matches!(octet, b'{' | b'}' | b'"' | b'#'));
    let address = text.strip_prefix("dns://").or_else(|| text.strip_prefix("tls://")).unwrap_or(text);
    let address = address.split('%').next().unwrap_or_default();
    let is_address = address.parse::<IpAddr>().is_ok() || address.parse::<SocketAddr>().is_ok();
    plain && (is_address || text.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(keys: &[(&str, &str)]) -> Result<ConfigMap, String> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("nearpath-config-map-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        keys.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
        let read = ConfigMap::read(&folder).map_err(|error| error.to_string());
        fs::remove_dir_all(&folder).unwrap();
        read
    }

    #[test]
    fn keys_that_are_there_are_read() {
        assert_eq!(read(&[]), Ok(ConfigMap::default()));
        assert_eq!(read(&[("stubDomains", " \n")]), Ok(ConfigMap::default()));
        let map =
            read(&[("stubDomains", r#"{"corp.example": ["10.0.0.53"]}"#), ("upstreamNameservers", r#"["192.0.2.1"]"#)])
                .unwrap();
        assert_eq!(map.stub_domains["corp.example"], ["10.0.0.53"]);
        assert_eq!(map.upstream_nameservers, ["192.0.2.1"]);
        let taken =
            r#"["192.0.2.1:5353","tls://192.0.2.2%dns.example","2001:db8::1","[2001:db8::1]:53","/etc/resolv.conf"]"#;
        assert_eq!(read(&[("upstreamNameservers", taken)]).unwrap().upstream_nameservers.len(), 5);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_file() {
        for (name, text, word) in [
            ("stubDomains", "{", "EOF"),
            ("stubDomains", r#"{"a b": ["10.0.0.53"]}"#, "a b"),
            ("stubDomains", r#"{"a {": ["10.0.0.53"]}"#, "a {"),
            ("stubDomains", r#"{"corp.example": []}"#, "no server"),
            ("stubDomains", r#"{"corp.example": ["10.0.0.53 }"]}"#, "no server"),
            ("stubDomains", r#"{"corp.example": ["ns.corp.example"]}"#, "no server"),
            ("upstreamNameservers", r#"["resolver"]"#, "no server"),
            ("upstreamNameservers", r#"{"a": 1}"#, "invalid type"),
        ] {
            let error = read(&[(name, text)]).unwrap_err();
            assert!(error.contains(word) && error.contains(name) && error.contains("expected"), "{text}: {error}");
        }
    }
}
