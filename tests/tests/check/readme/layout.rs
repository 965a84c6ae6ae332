//! Where an example listens, and where that is here: each of its addresses is another one of 127/8, each of its ports
//! another one of ours.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use nearpath_tests::place;

/// How many ports of one example there are at most: those that the run has at each address.
const PORTS: usize = 8;

/// A key of a server block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    scheme: String,
    zone: String,
    port: String,
}

/// Where an example listens.
#[derive(Debug)]
pub(super) struct Layout {
    /// The first address and port.
    pub at: SocketAddr,
    /// Schemes and ports of the example in their order: the first is `at`'s port, the next one the next.
    ports: Vec<(String, String)>,
    /// Addresses of the example, and which they are here.
    addresses: Vec<(String, IpAddr)>,
    /// An interface is bound, or an address that is no IPv4 one, and stays what it is; the port is nobody else's.
    everywhere: bool,
    v6: bool,
    /// Some snippet binds; a block that imports one is bound by it.
    snippet_binds: bool,
}

/// The words of a line before its comment.
pub(super) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().take_while(|word| !word.starts_with('#')).collect()
}

/// Reads `[SCHEME://]ZONE[:PORT]`.
pub(super) fn key(text: &str) -> Key {
    let (scheme, rest) = text.split_once("://").unwrap_or(("dns", text));
    let default = match scheme {
        "tls" => "853",
        "https" => "443",
        _ => "53",
    };
    let (zone, port) = match rest.rsplit_once(':') {
        Some((zone, port)) if port.parse::<u16>().is_ok() => (zone, port),
        _ => (rest, default),
    };
    Key { scheme: scheme.to_owned(), zone: zone.to_owned(), port: port.to_owned() }
}

impl Layout {
    pub(super) fn of(example: &str, v6: bool) -> Result<Self, String> {
        let (mut ports, mut bound, mut depth) = (Vec::new(), Vec::new(), 0usize);
        let (mut in_snippet, mut snippet_binds) = (false, false);
        for line in example.lines().map(words).filter(|said| !said.is_empty()) {
            match (depth, line[0]) {
                (0, "import" | "}") => {}
                (0, first) => {
                    in_snippet = first.starts_with('(');
                    let keys =
                        line.iter().flat_map(|word| word.split(',')).filter(|key| !key.is_empty() && *key != "{");
                    let keys = keys.map(key).filter(|_| !in_snippet);
                    keys.map(|key| (key.scheme, key.port)).for_each(|port| add(&mut ports, port));
                }
                (1, "bind") => {
                    snippet_binds |= in_snippet;
                    line[1..].iter().filter(|word| **word != "{").for_each(|word| add(&mut bound, *word));
                }
                _ => {}
            }
            depth += usize::from(line.last() == Some(&"{"));
            depth = depth.checked_sub(usize::from(line[0] == "}")).ok_or("a brace closes nothing")?;
        }
        if ports.is_empty() || ports.len() > PORTS {
            return Err(format!("{} ports in its server blocks; from 1 to {PORTS} can be served", ports.len()));
        }
        let everywhere = v6 || bound.iter().any(|word| word.parse::<Ipv4Addr>().is_err());
        let at = if everywhere { place::socket_everywhere() } else { place::socket() };
        let mut layout = Self { at, ports, addresses: Vec::new(), everywhere, v6, snippet_binds };
        layout.addresses = bound.iter().enumerate().filter_map(|(nth, word)| layout.here(nth, word)).collect();
        Ok(layout)
    }

    fn here(&self, nth: usize, word: &str) -> Option<(String, IpAddr)> {
        let here = match word.parse().ok()? {
            IpAddr::V4(_) if nth == 0 => self.at.ip(),
            IpAddr::V4(_) => place::address(),
            v6 => v6,
        };
        Some((word.to_owned(), here))
    }

    /// The key with the port that it has here.
    pub(super) fn key(&self, key: &Key) -> String {
        let port = self.port(&key.scheme, Some(&key.port)).expect("each port was seen before");
        let scheme = if key.scheme == "dns" { String::new() } else { format!("{}://", key.scheme) };
        format!("{scheme}{}:{port}", key.zone)
    }

    /// The word of a `bind` as it is here.
    pub(super) fn bound(&self, word: &str) -> String {
        match word {
            "bind" if self.v6 && self.address("::1").is_none() => "bind ::1".to_owned(),
            _ => self.address(word).map_or_else(|| word.to_owned(), |here| here.to_string()),
        }
    }

    /// What a block without `bind` binds here.
    pub(super) fn everywhere_bound(&self) -> String {
        format!("{}{}", self.at.ip(), if self.v6 { " ::1" } else { "" })
    }

    /// True if a block binds by itself; these are the lines from its first one on.
    pub(super) fn is_bound(&self, lines: &[&str]) -> bool {
        let end = lines.iter().position(|line| line.starts_with('}')).unwrap_or(lines.len());
        let first = |word: &str| lines[..end].iter().any(|line| words(line).first() == Some(&word));
        first("bind") || self.snippet_binds && first("import")
    }

    /// The port here of a scheme's port, or of its first one.
    pub(super) fn port(&self, scheme: &str, port: Option<&str>) -> Option<u16> {
        let fits = |found: &(String, String)| found.0 == scheme && port.is_none_or(|port| found.1 == port);
        let nth = self.ports.iter().position(fits)?;
        Some(self.at.port() + u16::try_from(nth).ok()?)
    }

    /// Which of our addresses stands for one of the example.
    pub(super) fn address(&self, named: &str) -> Option<IpAddr> {
        self.addresses.iter().find(|(name, _)| name == named).map(|(_, here)| *here)
    }

    /// Where a question goes that names no address.
    pub(super) fn first(&self) -> IpAddr {
        match self.addresses.first() {
            Some((_, here)) => *here,
            None if self.everywhere && !self.v6 => Ipv4Addr::LOCALHOST.into(),
            None => self.at.ip(),
        }
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

#[test]
fn each_port_and_address_has_one_of_ours() {
    let example = "(c) {\n bind 127.0.0.1\n}\n.:53 a.example {\n import c\n}\ntls://. {\n bind 127.0.0.2\n}\n";
    let layout = Layout::of(example, false).expect("two ports");
    let port = layout.at.port();
    assert_eq!((layout.port("dns", None), layout.port("tls", Some("853"))), (Some(port), Some(port + 1)));
    assert_eq!((layout.port("https", None), layout.port("dns", Some("54"))), (None, None));
    assert_eq!((layout.first(), layout.address("127.0.0.1")), (layout.at.ip(), Some(layout.at.ip())));
    assert!(layout.address("127.0.0.2").is_some_and(|other| other != layout.at.ip()));
    assert_eq!(layout.key(&key("tls://b.example")), format!("tls://b.example:{}", port + 1));
    assert!(layout.is_bound(&[".:53 a.example {", " import c", "}"]) && !layout.is_bound(&[". {", "}", " bind x"]));
}
