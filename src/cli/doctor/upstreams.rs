//! Whom the Corefile asks, read of its words: addresses, over what, and whether a rate bounds them.

use std::net::SocketAddr;
use std::path::Path;

use contract::corefile::{Block, Corefile, Statement, value};

use super::system::resolv_conf::ResolvConf;

/// The port of plain DNS.
const DNS_PORT: u16 = 53;

/// Over what an upstream is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Over UDP, and TCP for what does not fit.
    Udp,
    /// Over TCP alone.
    Tcp,
    /// As the client asked.
    Either,
}

/// Somebody who is asked by plain DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    /// `forward` or `privatezone`.
    pub(super) directive: String,
    /// A zone that it is asked about.
    pub(super) zone: String,
    pub(super) by: By,
    /// True if a rate bounds what it is sent.
    pub(super) has_rate: bool,
    /// The file that names it, where one does.
    pub(super) file: Option<String>,
}

/// Everybody who is asked by plain DNS and stands there by address or in a file; each address once for a directive.
pub(super) fn of(tree: &Corefile) -> Vec<Upstream> {
    let mut found: Vec<Upstream> = Vec::new();
    for block in &tree.blocks {
        let zone = block.keys.first().map_or(".", |key| key.zone.as_str()).to_owned();
        for statement in block.directives("forward") {
            found.extend(of_forward(statement, &zone));
        }
        for statement in block.directives("privatezone") {
            found.extend(of_private(statement, &zone));
        }
    }
    let mut distinct: Vec<Upstream> = Vec::new();
    for one in found {
        let known = |other: &Upstream| other.address == one.address && other.directive == one.directive;
        if !distinct.iter().any(known) {
            distinct.push(one);
        }
    }
    distinct
}

/// True if the Corefile names what only the API server knows.
pub(super) fn needs_api(tree: &Corefile) -> bool {
    let names = |statement: &Statement| statement.arguments.iter().any(|word| word.text.starts_with('@'));
    let watches = |statement: &Statement| statement.property("watch").is_some();
    let of_block = |block: &Block| {
        let named = ["autopath", "forward"].into_iter().any(|name| block.directives(name).any(names));
        named || block.directives("privatezone").any(watches)
    };
    tree.blocks.iter().any(of_block)
}

fn of_forward(statement: &Statement, of_block: &str) -> Vec<Upstream> {
    let Some((from, to)) = statement.arguments.split_first() else { return Vec::new() };
    let zone = if from.text == "." { of_block.to_owned() } else { from.text.clone() };
    let has = |name: &str| statement.property(name).is_some();
    let by = match (has("force_tcp"), has("prefer_udp")) {
        (true, _) => By::Tcp,
        (false, true) => By::Udp,
        (false, false) => By::Either,
    };
    let upstream = |address, file: Option<String>| Upstream {
        address,
        directive: "forward".to_owned(),
        zone: zone.clone(),
        by,
        has_rate: false,
        file,
    };
    let addresses = |word: &str| -> Vec<Upstream> {
        let plain = word.strip_prefix("dns://").unwrap_or(word);
        match value::address(plain, DNS_PORT) {
            Ok(address) => vec![upstream(address, None)],
            Err(_) if word.starts_with(['/', '.']) => {
                let servers = ResolvConf::load(Path::new(word)).map(|conf| conf.servers).unwrap_or_default();
                servers.into_iter().map(|ip| upstream(SocketAddr::new(ip, DNS_PORT), Some(word.to_owned()))).collect()
            }
            Err(_) => Vec::new(),
        }
    };
    to.iter().flat_map(|word| addresses(&word.text)).collect()
}

fn of_private(statement: &Statement, of_block: &str) -> Vec<Upstream> {
    let zone = statement.arguments.first().map_or(of_block, |word| word.text.as_str());
    let targets = statement.properties().iter().filter(|property| property.name.text == "to");
    targets
        .flat_map(|to| to.arguments.iter().map(move |word| (to, word)))
        .filter_map(|(to, word)| {
            // what stands in the braces of `to` goes before what stands beside it
            let said = |name: &str| to.property(name).or_else(|| statement.property(name));
            let transport = said("transport").and_then(|property| property.arguments.first());
            let by = match transport.map(|word| word.text.as_str()) {
                None | Some("udp") => By::Udp,
                Some("tcp") => By::Tcp,
                Some(_) => return None,
            };
            Some(Upstream {
                address: value::address(&word.text, DNS_PORT).ok()?,
                directive: "privatezone".to_owned(),
                zone: zone.to_owned(),
                by,
                has_rate: said("max_qps").is_some(),
                file: None,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use contract::corefile::{Memory, Report, parse};

    use super::*;

    fn read(text: &str) -> Corefile {
        parse("Corefile", text, &Memory::new(), &mut Report::new())
    }

    #[test]
    fn everybody_who_is_asked_is_found() {
        let text = "cluster.local {\n forward . 10.0.0.1 tls://9.9.9.9 @a/b {\n force_tcp\n }\n}\n\
                    . {\n privatezone p.example {\n to 169.254.169.253\n max_qps 5\n }\n\
                    privatezone q.example {\n to 168.63.129.16 {\n transport tcp\n }\n }\n forward . [fd00::1]:54 10.0.0.1\n}\n";
        let told: Vec<String> = of(&read(text))
            .iter()
            .map(|one| format!("{} {} {} {:?} {}", one.directive, one.zone, one.address, one.by, one.has_rate))
            .collect();
        assert_eq!(
            told,
            [
                "forward cluster.local. 10.0.0.1:53 Tcp false",
                "forward . [fd00::1]:54 Either false",
                "privatezone p.example 169.254.169.253:53 Udp true",
                "privatezone q.example 168.63.129.16:53 Tcp false",
            ]
        );
    }

    #[test]
    fn what_the_api_server_is_needed_for() {
        for (text, needed) in [
            (". {\n autopath @kubernetes\n}\n", true),
            (". {\n forward . @kube-system/kube-dns\n}\n", true),
            (". {\n privatezone a.example {\n to 10.0.0.1\n watch\n }\n}\n", true),
            (". {\n forward . 10.0.0.1\n}\n", false),
        ] {
            assert_eq!(needs_api(&read(text)), needed, "{text}");
        }
    }
}
