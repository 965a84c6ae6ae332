//! What a request asks for: its path and its parameters as values, or why it is refused. No I/O.

use std::net::IpAddr;

use contract::limits::{SEARCH_DOMAINS_MAX, SEE_PODS_MAX};
use contract::wire::{Name, Rcode, RecordType};

use super::parameters::{Malformed, Parameters};
use crate::see::Filter;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `/`
    Page,
    /// `/v1/overview`
    Overview,
    /// `/v1/top`
    Top,
    /// `/v1/history`
    History,
    /// `/v1/explain`
    Explain(Wish),
    /// `/v1/watch`
    Watch(Filter),
    /// `/v1/pods`
    Pods {
        /// At most so many.
        limit: usize,
    },
    /// `/v1/stream`
    Stream,
}

/// A name to be explained, and on whose behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// As a program would say it: the search list is applied to it.
    pub name: Name,
    /// True if it was written with a dot at its end: then nobody searches.
    pub is_absolute: bool,
    /// The type.
    pub rtype: RecordType,
    /// True if signatures are wanted (DO): then nobody searches either.
    pub dnssec_ok: bool,
    /// Who would ask.
    pub whose: Whose,
}

/// Who would ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Nobody in particular.
    Nobody,
    /// The pod of this name.
    Pod(String),
    /// Whoever has this address.
    Ip(IpAddr),
    /// Somebody with this search list.
    Search {
        /// The domains in order.
        domains: Vec<Name>,
        /// Names with fewer dots are searched.
        ndots: u8,
    },
}

/// What resolvers take a name with fewer dots for, unless they are told otherwise in a pod.
const NDOTS: u8 = 5;
/// As many as a resolver's `options ndots` may say.
const NDOTS_MAX: u8 = 15;

impl Wanted {
    /// What a path and its parameters ask for; `None`: there is no such path.
    ///
    /// # Errors
    /// Parameters that are unknown, double or malformed, and what was expected.
    pub fn read(path: &str, query: Option<&str>) -> Option<Result<Self, Malformed>> {
        let without = |wanted| Parameters::read(query, &[]).map(|_| wanted);
        Some(match path {
            "/" => without(Self::Page),
            "/v1/overview" => without(Self::Overview),
            "/v1/top" => without(Self::Top),
            "/v1/history" => without(Self::History),
            "/v1/stream" => without(Self::Stream),
            "/v1/explain" => explain(query).map(Self::Explain),
            "/v1/watch" => watch(query).map(Self::Watch),
            "/v1/pods" => pods(query),
            _ => return None,
        })
    }
}

fn explain(query: Option<&str>) -> Result<Wish, Malformed> {
    let given = Parameters::read(query, &["name", "type", "pod", "ip", "search", "ndots", "dnssec"])?;
    let text = given.value("name").ok_or_else(|| Malformed("'name' is missing: ?name=NAME".to_owned()))?;
    let name = Name::parse(text).map_err(|error| Malformed::expected("name", text, format_args!("a name: {error}")))?;
    let rtype = given.value("type").map_or(Ok(RecordType::A), record_type)?;
    let is_absolute = text.ends_with('.') && !text.ends_with("\\.");
    let dnssec_ok = given.value("dnssec").map_or(Ok(false), truth)?;
    Ok(Wish { name, is_absolute, rtype, dnssec_ok, whose: whose(&given)? })
}

fn truth(text: &str) -> Result<bool, Malformed> {
    text.parse().map_err(|_| Malformed::expected("dnssec", text, "true or false"))
}

fn record_type(text: &str) -> Result<RecordType, Malformed> {
    let expected = "a record type such as A, AAAA, SRV or TYPE65";
    RecordType::parse(text).ok_or_else(|| Malformed::expected("type", text, expected))
}

fn whose(given: &Parameters) -> Result<Whose, Malformed> {
    let ndots = given.value("ndots").map(ndots).transpose()?;
    let whose = match (given.value("pod"), given.value("ip"), given.value("search")) {
        (None, None, None) => Whose::Nobody,
        (Some(pod), None, None) => Whose::Pod(pod_name(pod)?),
        (None, Some(ip), None) => {
            let address = ip.parse().map_err(|_| Malformed::expected("ip", ip, "an IP address"))?;
            Whose::Ip(IpAddr::to_canonical(&address))
        }
        (None, None, Some(list)) => {
            return Ok(Whose::Search { domains: search(list)?, ndots: ndots.unwrap_or(NDOTS) });
        }
        _ => return Err(Malformed("of pod, ip and search only one says who asks".to_owned())),
    };
    match ndots {
        Some(_) => Err(Malformed("'ndots' belongs to 'search'; a pod has its own".to_owned())),
        None => Ok(whose),
    }
}

fn ndots(text: &str) -> Result<u8, Malformed> {
    let dots = text.parse().ok().filter(|dots| *dots <= NDOTS_MAX && text.bytes().all(|octet| octet.is_ascii_digit()));
    dots.ok_or_else(|| Malformed::expected("ndots", text, format_args!("a number from 0 to {NDOTS_MAX}")))
}

/// `NAMESPACE/NAME` as Kubernetes takes them: labels of DNS, dots in the name.
fn pod_name(text: &str) -> Result<String, Malformed> {
    let is_name = |part: &str, length: usize, dots: bool| {
        let letter = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
        (1..=length).contains(&part.len()) && part.bytes().all(|octet| letter(octet) || dots && octet == b'.')
    };
    match text.split_once('/') {
        Some((namespace, name)) if is_name(namespace, 63, false) && is_name(name, 253, true) => Ok(text.to_owned()),
        _ => Err(Malformed::expected("pod", text, "NAMESPACE/NAME")),
    }
}

fn search(text: &str) -> Result<Vec<Name>, Malformed> {
    let domain = |text: &str| {
        let wrong = |error: String| Malformed::expected("search", text, format_args!("a domain: {error}"));
        match text {
            "" => Err(wrong("it is empty".to_owned())),
            text => Name::parse(text).map_err(|error| wrong(error.to_string())),
        }
    };
    let domains = text.split(',').map(domain).collect::<Result<Vec<_>, _>>()?;
    match domains.len() <= SEARCH_DOMAINS_MAX {
        true => Ok(domains),
        false => Err(Malformed(format!("search: {} domains; a pod has at most {SEARCH_DOMAINS_MAX}", domains.len()))),
    }
}

fn watch(query: Option<&str>) -> Result<Filter, Malformed> {
    let given = Parameters::read(query, &["pod", "name", "rcode"])?;
    Ok(Filter {
        pod: given.value("pod").map(pod_name).transpose()?,
        name: given.value("name").map(glob).transpose()?,
        rcode: given.value("rcode").map(rcode).transpose()?,
    })
}

/// A pattern of no more than a name's length, in what names are written in.
fn glob(text: &str) -> Result<String, Malformed> {
    let allowed = text.len() <= 255 && text.bytes().all(|octet| octet.is_ascii_graphic());
    match allowed {
        // a name is looked at without its last dot
        true => Ok(if text == "." { text } else { text.trim_end_matches('.') }.to_ascii_lowercase()),
        false => Err(Malformed::expected("name", text, "a pattern such as *.example.com")),
    }
}

fn rcode(text: &str) -> Result<Rcode, Malformed> {
    Rcode::parse(text)
        .ok_or_else(|| Malformed::expected("rcode", text, "an RCODE such as NOERROR, NXDOMAIN or SERVFAIL"))
}

fn pods(query: Option<&str>) -> Result<Wanted, Malformed> {
    let given = Parameters::read(query, &["limit"])?;
    let limit = given.value("limit").map_or(Ok(SEE_PODS_MAX), |text| {
        let limit = text.parse().ok().filter(|limit| (1..=SEE_PODS_MAX).contains(limit));
        limit.ok_or_else(|| Malformed::expected("limit", text, format_args!("a number from 1 to {SEE_PODS_MAX}")))
    })?;
    Ok(Wanted::Pods { limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(target: &str) -> Result<Wanted, String> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        Wanted::read(path, query).expect("a path that is there").map_err(|Malformed(error)| error)
    }

    #[test]
    fn paths_and_parameters_become_values() {
        let name = |text: &str| Name::parse(text).unwrap();
        let wish = |whose| Wish {
            name: name("www.example.com"),
            is_absolute: false,
            rtype: RecordType::A,
            dnssec_ok: false,
            whose,
        };
        let explain = |whose| Ok(Wanted::Explain(wish(whose)));
        assert_eq!(read("/v1/overview"), Ok(Wanted::Overview));
        assert_eq!(read("/v1/top?"), Ok(Wanted::Top));
        assert_eq!(read("/v1/explain?name=www.example.com"), explain(Whose::Nobody));
        assert_eq!(read("/v1/explain?name=WWW.example.com&pod=a/b-1.c"), explain(Whose::Pod("a/b-1.c".into())));
        assert_eq!(
            read("/v1/explain?name=www.example.com&ip=::ffff:10.0.0.1"),
            explain(Whose::Ip("10.0.0.1".parse().unwrap()))
        );
        let domains = vec![name("shop.svc.cluster.local"), name("cluster.local")];
        assert_eq!(
            read("/v1/explain?name=www.example.com&search=shop.svc.cluster.local,cluster.local&ndots=2"),
            explain(Whose::Search { domains, ndots: 2 })
        );
        let absolute = Wish { is_absolute: true, rtype: RecordType::AAAA, ..wish(Whose::Nobody) };
        assert_eq!(read("/v1/explain?type=aaaa&name=www.example.com."), Ok(Wanted::Explain(absolute)));
        let signed = Wish { dnssec_ok: true, ..wish(Whose::Nobody) };
        assert_eq!(read("/v1/explain?name=www.example.com&dnssec=true"), Ok(Wanted::Explain(signed)));
        let watched = Filter {
            pod: Some("a/b".to_owned()),
            name: Some("*.example.com".to_owned()),
            rcode: Some(Rcode::NXDOMAIN),
        };
        assert_eq!(read("/v1/watch?name=*.Example.com.&pod=a/b&rcode=nxdomain"), Ok(Wanted::Watch(watched)));
        assert_eq!(read("/v1/watch"), Ok(Wanted::Watch(Filter::default())));
        assert_eq!(read("/v1/pods?limit=7"), Ok(Wanted::Pods { limit: 7 }));
        for path in ["/v2/overview", "/v1", "/v1/overview/", "//", "/metrics", "/v1/%6fverview", "*"] {
            assert!(Wanted::read(path, None).is_none(), "{path}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_was_expected() {
        for (target, said) in [
            ("/v1/overview?x=1", "'x' is not known here; no parameter is expected"),
            ("/v1/explain", "'name' is missing"),
            ("/v1/explain?name=a..b", "name: 'a..b' is not a name"),
            ("/v1/explain?name=a&type=B", "type: 'B' is not a record type"),
            ("/v1/explain?name=a&dnssec=yes", "dnssec: 'yes' is not true or false"),
            ("/v1/explain?name=a&pod=b", "pod: 'b' is not NAMESPACE/NAME"),
            ("/v1/explain?name=a&pod=b/c/d", "pod: 'b/c/d' is not NAMESPACE/NAME"),
            ("/v1/explain?name=a&pod=../x", "pod: '../x' is not NAMESPACE/NAME"),
            ("/v1/explain?name=a&ip=1.2.3", "ip: '1.2.3' is not an IP address"),
            ("/v1/explain?name=a&search=b,,c", "search: '' is not a domain: it is empty"),
            ("/v1/explain?name=a&search=b&ndots=16", "ndots: '16' is not a number from 0 to 15"),
            ("/v1/explain?name=a&search=b&ndots=%2B1", "ndots: '+1' is not a number"),
            ("/v1/explain?name=a&ndots=1", "'ndots' belongs to 'search'"),
            ("/v1/explain?name=a&search=b&ip=10.0.0.1", "only one says who asks"),
            ("/v1/watch?rcode=MAYBE", "rcode: 'MAYBE' is not an RCODE"),
            ("/v1/watch?name=a%20b", "name: 'a b' is not a pattern"),
            ("/v1/pods?limit=0", "limit: '0' is not a number from 1"),
            ("/v1/pods?limit=-1", "limit: '-1' is not a number from 1"),
        ] {
            let error = read(target).expect_err(target);
            assert!(error.contains(said), "{target}: {error}");
        }
        let many = format!("/v1/explain?name=a&search={}", ["b"; SEARCH_DOMAINS_MAX + 1].join(","));
        assert!(read(&many).expect_err("too many").contains("at most"));
    }
}
