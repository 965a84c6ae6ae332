//! An ADDRESS behind `to`, and what is meant by what is none.

use std::net::SocketAddr;

use contract::corefile::value;

use super::Transport;

/// Ports of plain DNS and of DNS over TLS (RFC 7858).
const DNS_PORT: u16 = 53;
const TLS_PORT: u16 = 853;

/// What ADDRESS is, for messages.
pub(crate) const EXPECTED: &str = "an address such as `10.0.0.53`, `10.0.0.53:5353` or `[fd00::53]:5353`";

/// Why a word is no address, and what to write.
pub(crate) struct Wrong {
    pub(crate) reason: String,
    pub(crate) help: Option<String>,
}

/// Reads an address; without a port it has the transport's.
pub(crate) fn parse(text: &str, transport: Transport) -> Result<SocketAddr, Wrong> {
    let port = if transport == Transport::Tls { TLS_PORT } else { DNS_PORT };
    match value::address(text, port) {
        Ok(address) if address.port() == 0 => Err(wrong("port 0 is nobody's", None)),
        Ok(address) if address.ip().is_unspecified() || address.ip().is_multicast() => {
            Err(wrong("nobody in particular has this address", None))
        }
        Ok(address) => Ok(address),
        Err(reason) => Err(other(text, reason)),
    }
}

/// What else it may have been meant to be, in the forms that `forward` has.
fn other(text: &str, reason: String) -> Wrong {
    if text.starts_with('@') {
        let help = "write the addresses of the zone's resolver; the endpoints of a Service are followed by `forward`";
        return wrong("a Service of this cluster is no private zone's resolver", Some(help.to_owned()));
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let plain = rest.split('%').next().unwrap_or(rest);
        let transport = if scheme == "tls" { "tls" } else { "udp|tcp|tls" };
        let mut help = format!("write `to {plain}` and `transport {transport}`");
        if let Some((_, name)) = rest.split_once('%') {
            help.push_str(&format!(" and `tls_servername {}`", name.split([':', ']']).next().unwrap_or(name)));
        }
        return wrong("an address has no scheme here", Some(help));
    }
    if value::prefix(text).is_ok() {
        return wrong("a prefix is many addresses", Some("name each one that is to be asked".to_owned()));
    }
    if text.contains('/') || text.starts_with('.') {
        let help = "write the addresses that the file names: nothing but the zone's own resolver knows its names";
        return wrong("a file is no address", Some(help.to_owned()));
    }
    let host = text.split(':').next().unwrap_or(text);
    let is_host = text.matches(':').count() <= 1
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && host.bytes().any(|byte| byte.is_ascii_alphabetic());
    if is_host {
        return wrong("a host name is not looked up", Some(format!("write the addresses of `{host}`")));
    }
    Wrong { reason, help: None }
}

fn wrong(reason: &str, help: Option<String>) -> Wrong {
    Wrong { reason: reason.to_owned(), help }
}
