//! A resolv.conf as stub resolvers read it (resolv.conf(5)).

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;

/// Octets that are read.
const FILE_MAX: u64 = 64 << 10;

/// What such a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct ResolvConf {
    /// Name servers, in order; zone ids are left out.
    pub(in super::super) servers: Vec<IpAddr>,
    /// The last search list, or `domain`; without final dots.
    pub(in super::super) search: Vec<String>,
    /// Options with their values; of one that stands twice the last.
    pub(in super::super) options: BTreeMap<String, Option<String>>,
}

impl ResolvConf {
    /// Reads a file.
    pub(in super::super) fn load(path: &Path) -> Result<Self, String> {
        let mut text = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut text));
        read.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    /// Reads a text; lines that stub resolvers pass over are passed over.
    pub(in super::super) fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address: Option<IpAddr> = words.next().and_then(|word| word.split('%').next()?.parse().ok());
                    conf.servers.extend(address);
                }
                Some("search" | "domain") => {
                    conf.search = words.map(|word| word.strip_suffix('.').unwrap_or(word).to_owned()).collect();
                }
                Some("options") => conf.options.extend(words.map(|word| match word.split_once(':') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None => (word.to_owned(), None),
                })),
                _ => {}
            }
        }
        conf
    }

    /// `ndots`, 1 unless set; `None` for what is no number.
    pub(in super::super) fn ndots(&self) -> Option<u32> {
        match self.options.get("ndots") {
            None => Some(1),
            Some(value) => value.as_ref()?.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_pods_and_hosts() {
        type Case<'c> = (&'c str, &'c [&'c str], &'c [&'c str], Option<u32>);
        let cases: [Case<'_>; 5] = [
            (
                "search a.svc.cluster.local svc.cluster.local cluster.local\nnameserver 169.254.20.10\noptions ndots:5\n",
                &["169.254.20.10"],
                &["a.svc.cluster.local", "svc.cluster.local", "cluster.local"],
                Some(5),
            ),
            (
                "nameserver fe80::1%eth0\nnameserver x\nnameserver 10.0.0.1 # old\n",
                &["fe80::1", "10.0.0.1"],
                &[],
                Some(1),
            ),
            ("domain example.com.\nsearch b.\n", &[], &["b"], Some(1)),
            ("options ndots:x rotate\n", &[], &[], None),
            ("; nothing\n#nameserver 1.1.1.1\noptions ndots:2\noptions ndots:15\n", &[], &[], Some(15)),
        ];
        for (text, servers, search, ndots) in cases {
            let conf = ResolvConf::parse(text);
            let told: Vec<String> = conf.servers.iter().map(ToString::to_string).collect();
            assert_eq!(
                (told.as_slice(), conf.search.as_slice(), conf.ndots()),
                (
                    servers.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice(),
                    search.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice(),
                    ndots,
                ),
                "{text}"
            );
        }
    }
}
