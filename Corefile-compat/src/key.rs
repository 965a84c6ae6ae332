//! Reads the key of a server block: `[SCHEME://]NAME[:PORT]`, where the name may be a prefix of addresses.

use std::net::IpAddr;

use crate::report::Report;
use crate::syntax::{Key, Scheme, Word, Zone};
use crate::value;

/// The keys that one word means, several for a prefix between two labels; none if it is wrong, which is reported.
pub(crate) fn keys(word: &Word, report: &mut Report) -> Vec<Key> {
    let (scheme, rest) = match word.text.split_once("://") {
        None => (Scheme::Dns, word.text.as_str()),
        Some((name, rest)) => match Scheme::ALL.iter().find(|scheme| scheme.name() == name) {
            Some(scheme) => (*scheme, rest),
            None => {
                let error = report.error(word.span, format!("unknown scheme `{name}://`"));
                error.nearest(name, Scheme::ALL.map(Scheme::name)).expected("`dns://`, `tls://` or `https://`");
                return Vec::new();
            }
        },
    };
    match name_and_port(rest) {
        Ok((zones, port)) => {
            if zones.len() == 1 && without_port(rest).parse::<IpAddr>().is_ok() {
                let warning =
                    report.warning(word.span, format!("`{word}` is served as the name of a zone, not as an address"));
                warning.help("name the addresses to listen on with `bind`");
            }
            zones.into_iter().map(|zone| Key { scheme, zone, port, span: word.span }).collect()
        }
        Err(reason) => {
            let error = report.error(word.span, format!("wrong key `{word}`: {reason}"));
            error.expected("[SCHEME://]NAME[:PORT] or a prefix such as `10.0.0.0/8`");
            Vec::new()
        }
    }
}

fn without_port(text: &str) -> &str {
    text.rsplit_once(':').map_or(text, |(name, _)| name)
}

fn name_and_port(text: &str) -> Result<(Vec<Zone>, Option<u16>), String> {
    if text.is_empty() {
        return Err("no name".to_owned());
    }
    if text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) || text.starts_with('[') {
        return Err("an address is not a zone; name the addresses to listen on with `bind`".to_owned());
    }
    // A prefix of IPv6 has colons too; whatever follows the last one is a port only if it has digits alone.
    let (name, port) = match text.rsplit_once(':') {
        Some((_, "")) => return Err("a colon without a port".to_owned()),
        Some((name, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            (name, Some(value::number::<u16>(digits).map_err(|_| format!("`{digits}` is not a port"))?))
        }
        _ => (text, None),
    };
    if name.contains(',') {
        return Err("a comma inside a name; put a space behind it to separate two names".to_owned());
    }
    let is_prefix = name.split_once('/').is_some_and(|(address, _)| address.parse::<IpAddr>().is_ok());
    if !is_prefix && let Some((_, wrong)) = name.rsplit_once(':') {
        return Err(format!("`{wrong}` is not a port"));
    }
    Ok((value::zone(name)?, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Span;

    fn read(text: &str) -> (Vec<String>, Report) {
        let mut report = Report::new();
        let source = report.add_source("Corefile", text);
        let span = Span { source, start: 0, end: u32::try_from(text.len()).unwrap() };
        let keys = keys(&Word { text: text.to_owned(), span, quoted: false }, &mut report);
        let shown = keys.iter().map(|key| format!("{}://{}:{}", key.scheme, key.zone, key.port_or(53)));
        (shown.collect(), report)
    }

    #[test]
    fn names_with_and_without_scheme_and_port() {
        for (text, meant) in [
            (".", "dns://.:53"),
            (".:5353", "dns://.:5353"),
            (":5353", "dns://.:5353"),
            ("Example.ORG", "dns://example.org.:53"),
            ("dns://example.org:1053", "dns://example.org.:1053"),
            ("tls://.", "tls://.:853"),
            ("https://example.org", "https://example.org.:443"),
            ("grpc://.", "grpc://.:443"),
            ("quic://.", "quic://.:853"),
            ("https3://.:8443", "https3://.:8443"),
            ("10.0.0.0/8:5353", "dns://10.in-addr.arpa.:5353"),
            ("2001:db8::/32", "dns://8.b.d.0.1.0.0.2.ip6.arpa.:53"),
            ("2001:db8::/32:5353", "dns://8.b.d.0.1.0.0.2.ip6.arpa.:5353"),
        ] {
            let (keys, report) = read(text);
            assert_eq!(keys, [meant], "{text}");
            assert_eq!(report.errors() + report.warnings(), 0, "{report}");
        }
    }

    #[test]
    fn a_prefix_between_two_labels_gives_several_keys() {
        assert_eq!(read("10.0.0.0/15:54").0, ["dns://0.10.in-addr.arpa.:54", "dns://1.10.in-addr.arpa.:54"]);
    }

    #[test]
    fn a_wrong_key_is_said_once() {
        for text in [
            "example.org:",
            "example.org:99999",
            "example.org:dns",
            "htps://.",
            "a..b",
            "::1",
            "[::1]:53",
            "dns://",
            "a,b",
            "10.0.0.0/33",
        ] {
            let (keys, report) = read(text);
            assert!(keys.is_empty(), "{text}");
            assert_eq!(report.errors(), 1, "{text}: {report}");
        }
        assert!(read("htps://.").1.to_string().contains("did you mean `https`?"));
    }

    #[test]
    fn an_address_as_a_name_is_warned_of() {
        assert_eq!(read("10.0.0.1:53").1.warnings(), 1);
    }
}
