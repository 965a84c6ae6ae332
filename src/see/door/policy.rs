//! Who may ask at which door: over the unix socket the daemon's own user, in a browser only the page that came from here.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::header::{HOST, HeaderMap, HeaderValue, ORIGIN};

use super::asked::Wanted;

/// Which door a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The unix socket: who can open it is root or the daemon's own user.
    Owner,
    /// The unix socket, and somebody else has come through: he is told so.
    Stranger,
    /// The status page. A browser may be there, and in it pages of others that would like to ask.
    Page,
}

impl Policy {
    /// True if that may be asked at this door.
    pub(super) fn serves(self, wanted: &Wanted) -> bool {
        match self {
            Self::Owner => *wanted != Wanted::Page,
            Self::Stranger => false,
            Self::Page => true,
        }
    }

    /// Why a request is not for us, if it is not: a foreign page speaks through a browser (`Origin`, `Sec-Fetch-Site`), or has
    /// made its own name lead here (a `Host` that is a name: an address leads where it leads, also through a tunnel).
    pub(super) fn objection(self, headers: &HeaderMap) -> Option<String> {
        match self {
            Self::Owner => return None,
            Self::Stranger => return Some("only root and the daemon's own user may ask here".to_owned()),
            Self::Page => {}
        }
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next().map(text), hosts.next()) else {
            return Some("exactly one Host is expected".to_owned());
        };
        if !is_address(host) {
            return Some(format!("Host '{host}' is a name; ask by an IP address, or by localhost"));
        }
        for origin in headers.get_all(ORIGIN) {
            let origin = text(origin);
            if origin.strip_prefix("http://") != Some(host) {
                return Some(format!("pages of '{origin}' may not ask here"));
            }
        }
        for site in headers.get_all("sec-fetch-site") {
            if !matches!(text(site), "same-origin" | "none") {
                return Some("pages of others may not ask here".to_owned());
            }
        }
        None
    }
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("?")
}

/// True for an address or `localhost`, with or without a port: nobody can make these lead elsewhere.
fn is_address(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if name.ends_with(']') || !name.contains(':') => (name, Some(port)),
        _ => (host, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return false;
    }
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(name) => name.parse::<Ipv6Addr>().is_ok(),
        None => name.eq_ignore_ascii_case("localhost") || name.parse::<Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_page_is_asked_by_its_address_and_by_itself() {
        let one = ("host", "127.0.0.1:9254");
        for (pairs, is_ours) in [
            (&[one][..], true),
            (&[("host", "localhost:9254")], true),
            (&[("host", "[::1]:9254")], true),
            (&[("host", "[::1]")], true),
            (&[("host", "10.0.0.1")], true),
            (&[("host", "LocalHost:8000"), ("origin", "http://LocalHost:8000")], true),
            (&[one, ("origin", "http://127.0.0.1:9254"), ("sec-fetch-site", "same-origin")], true),
            (&[one, ("sec-fetch-site", "none")], true),
            (&[], false),
            (&[one, one], false),
            (&[("host", "evil.example:9254")], false),
            (&[("host", "127.0.0.1.evil.example:9254")], false),
            (&[("host", "localhost.evil.example:9254")], false),
            (&[("host", "127.0.0.1:x")], false),
            (&[("host", "127.0.0.1:99999")], false),
            (&[("host", "127.1")], false),
            (&[("host", "")], false),
            (&[("host", "::1:9254")], false),
            (&[("host", "[::1:9254")], false),
            (&[one, ("origin", "http://evil.example")], false),
            (&[one, ("origin", "null")], false),
            (&[one, ("origin", "http://127.0.0.1:9255")], false),
            (&[one, ("origin", "https://127.0.0.1:9254")], false),
            (&[one, ("origin", "http://127.0.0.1:9254"), ("origin", "http://evil.example")], false),
            (&[one, ("sec-fetch-site", "cross-site")], false),
            (&[one, ("sec-fetch-site", "same-site")], false),
        ] {
            assert_eq!(Policy::Page.objection(&headers(pairs)).is_none(), is_ours, "{pairs:?}");
        }
        assert_eq!(Policy::Owner.objection(&HeaderMap::new()), None);
    }
}
