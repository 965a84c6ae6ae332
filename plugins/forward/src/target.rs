//! One TO: an upstream by address, by host name, by a file that names some, or the Service whose endpoints are asked.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use contract::ServicePort;
use contract::corefile::value;
use contract::wire::Name;
use upstream::rustls::pki_types::ServerName;

use crate::service;

/// Ports of plain DNS and of DNS over TLS (RFC 7858).
const DNS_PORT: u16 = 53;
const TLS_PORT: u16 = 853;

/// What TO says in general, for messages.
pub(crate) const EXPECTED: &str = "an address such as `10.0.0.10:53` or `tls://9.9.9.9%dns.quad9.net`, a host name, a file like `/etc/resolv.conf`, or a Service such as `@kube-system/kube-dns`";

/// A TO as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) place: Place,
    /// `None`: plain DNS.
    pub(crate) tls: Option<Tls>,
}

/// Where an upstream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Address(SocketAddr),
    /// A name and a port, looked up at the start.
    Host(Name, u16),
    /// A file with lines `nameserver ADDRESS`: a path with a `/` in it, or that starts with a dot.
    File(PathBuf),
    /// The ready endpoints of a Service.
    Service(ServicePort),
}

/// DNS over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The name behind `%`.
    pub(crate) server_name: Option<ServerName<'static>>,
}

impl Target {
    /// Reads a TO.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(named) = text.strip_prefix('@') {
            return Ok(Self { place: Place::Service(service::parse(named)?), tls: None });
        }
        match text.split_once("://") {
            Some((scheme, rest)) if rest.starts_with('@') => Err(format!(
                "the endpoints of a Service are asked by plain DNS over TCP or UDP, not by `{scheme}://`; write {}",
                service::EXPECTED
            )),
            Some(("dns", rest)) => Ok(Self { place: plain(rest, false)?, tls: None }),
            Some(("tls", rest)) => over_tls(rest),
            Some(("https", _)) => Err("DNS over HTTPS to an upstream is not served; `tls://` is".to_owned()),
            Some((scheme, _)) => Err(format!("`{scheme}` is no protocol of an upstream; `dns` and `tls` are")),
            None => Ok(Self { place: plain(text, true)?, tls: None }),
        }
    }
}

impl Target {
    /// The Service, if it is one.
    pub(crate) fn service(&self) -> Option<&ServicePort> {
        match &self.place {
            Place::Service(service) => Some(service),
            Place::Address(_) | Place::Host(..) | Place::File(_) => None,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.tls.is_some() { "tls://" } else { "" })?;
        match &self.place {
            Place::Address(address) => write!(f, "{address}"),
            Place::Host(name, port) => write!(f, "{}:{port}", name.to_string().trim_end_matches('.')),
            Place::File(path) => write!(f, "the nameservers in {}", path.display()),
            Place::Service(service) => write!(f, "the ready endpoints of {service}"),
        }
    }
}

/// An address, a file where there may be one, or a host name.
fn plain(text: &str, file: bool) -> Result<Place, String> {
    if file && (text.contains('/') || text.starts_with('.')) {
        return Ok(Place::File(text.into()));
    }
    located(text, DNS_PORT)
}

/// `ADDRESS[%NAME][:PORT]`; the port stands behind the name, the bracket around both.
fn over_tls(text: &str) -> Result<Target, String> {
    let Some((before, behind)) = text.rsplit_once('%') else {
        return Ok(Target { place: located(text, TLS_PORT)?, tls: Some(Tls { server_name: None }) });
    };
    let (name, port) = match behind.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (behind, None),
    };
    let closed = if before.starts_with('[') { "]" } else { "" };
    let bare_v6 = closed.is_empty() && before.contains(':');
    let address = match port {
        Some(port) if bare_v6 => format!("[{before}]:{port}"),
        Some(port) => format!("{before}{closed}:{port}"),
        None => format!("{before}{closed}"),
    };
    let server_name = server_name(name.trim_end_matches(']'))?;
    Ok(Target { place: located(&address, TLS_PORT)?, tls: Some(Tls { server_name: Some(server_name) }) })
}

/// The name that a certificate must be for.
pub(crate) fn server_name(text: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(text.to_owned()).map_err(|_| format!("`{text}` is no name of a server"))
}

fn located(text: &str, port: u16) -> Result<Place, String> {
    let reason = match value::address(text, port) {
        Ok(address) if address.port() == 0 => return Err("port 0 is nobody's".to_owned()),
        Ok(address) => return Ok(Place::Address(address)),
        Err(reason) => reason,
    };
    let (host, port) = match text.split_once(':') {
        Some((host, digits)) => (host, value::number_in(1..=u16::MAX)(digits).map_err(|_| reason.clone())?),
        None => (text, port),
    };
    let looks_numeric = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_host = !looks_numeric && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !is_host {
        return Err(reason);
    }
    Name::parse(host).map(|name| Place::Host(name, port)).map_err(|error| error.to_string())
}

/// Whether an address can be reached from a source address at all.
pub(crate) fn same_family(one: IpAddr, other: IpAddr) -> bool {
    one.is_ipv4() == other.is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_upstream() {
        for (text, meant) in [
            ("10.0.0.10", "10.0.0.10:53"),
            ("10.0.0.11:1053", "10.0.0.11:1053"),
            ("[2003::1]:53", "[2003::1]:53"),
            ("2003::1", "[2003::1]:53"),
            ("dns://10.0.0.10", "10.0.0.10:53"),
            ("tls://9.9.9.9", "tls://9.9.9.9:853"),
            ("tls://9.9.9.9:10853", "tls://9.9.9.9:10853"),
            ("tls://9.9.9.9%dns.quad9.net", "tls://9.9.9.9:853"),
            ("tls://9.9.9.9%dns.quad9.net:10853", "tls://9.9.9.9:10853"),
            ("tls://[2620:fe::fe%dns.quad9.net]:10853", "tls://[2620:fe::fe]:10853"),
            ("tls://[2620:fe::fe%dns.quad9.net]", "tls://[2620:fe::fe]:853"),
            ("tls://2620:fe::fe%dns.quad9.net", "tls://[2620:fe::fe]:853"),
            ("/etc/resolv.conf", "the nameservers in /etc/resolv.conf"),
            ("my-dns.svc.cluster.local", "my-dns.svc.cluster.local:53"),
            ("tls://dns.example:8853", "tls://dns.example:8853"),
            ("@kube-system/kube-dns", "the ready endpoints of @kube-system/kube-dns"),
            ("@dns/resolver:dns-tcp", "the ready endpoints of @dns/resolver:dns-tcp"),
        ] {
            assert_eq!(Target::parse(text).unwrap().to_string(), meant, "{text}");
        }
        let named = Target::parse("tls://9.9.9.9%dns.quad9.net:10853").unwrap().tls.unwrap().server_name;
        assert_eq!(named, Some(ServerName::try_from("dns.quad9.net").unwrap()));
    }

    #[test]
    fn what_is_no_upstream_says_why() {
        for (text, reason) in [
            ("@resolver", "missing"),
            ("tls://@dns/resolver", "not by `tls://`; write `@NAMESPACE"),
            ("dns://@dns/resolver", "plain DNS"),
            ("https://9.9.9.9", "HTTPS"),
            ("quic://9.9.9.9", "`quic`"),
            ("10.0.0.10:0", "port 0"),
            ("10.0.0", "not an IP"),
            ("10.0.0.10:x", "not a port"),
            ("fe80::1%eth0", "zone id"),
            ("tls://9.9.9.9%bad name", "bad name"),
            ("a..b", "empty"),
            ("what?", "not an IP"),
        ] {
            let said = Target::parse(text).unwrap_err();
            assert!(said.contains(reason), "{text}: {said}");
        }
    }
}
