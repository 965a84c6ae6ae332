//! The lines `to`: whom to ask, and how each of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use contract::corefile::{Report, Span, Statement, Word, repeated, unknown_property};
use contract::wire::Name;
use upstream::Rate;

use super::manner::{self, Manner};
use super::{Transport, UpstreamSpec, address, clouds};

/// Addresses of one statement.
const ADDRESSES_MAX: usize = 15;

/// Reads all of them. `zone` is what health checks ask for if nothing is said.
pub(crate) fn read(
    statement: &Statement,
    outside: &Manner,
    zone: Option<&Name>,
    report: &mut Report,
) -> Vec<UpstreamSpec> {
    let (mut upstreams, mut first) = (Vec::new(), BTreeMap::new());
    let mut lines = statement.properties().iter().filter(|property| property.name == "to").peekable();
    if lines.peek().is_none() {
        let error = report.error(statement.name.span, "nobody is asked: `to` is missing");
        error.expected("`to ADDRESS...` between the braces, the addresses of the zone's resolver");
    }
    for line in lines {
        let manner = manner_of(line, outside, report);
        let words = line.reader(report).rest_or_missing(address::EXPECTED);
        let addresses = addresses(words, manner.transport.unwrap_or_default(), &mut first, report);
        upstreams.extend(addresses.iter().map(|(address, _)| upstream(*address, &manner, zone)));
        clouds::check(&addresses, manner.transport.unwrap_or_default(), report);
        if manner.max_qps.is_none() && !words.is_empty() {
            let warning = report.warning(line.name.span, "no bound on how many messages a second are sent here");
            warning
                .help("write `max_qps N`, or `max_qps 0` if none is meant: many resolvers drop what is above theirs");
        }
    }
    upstreams
}

/// A bound that was written for an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) address: SocketAddr,
    /// `None`: `max_qps 0`.
    pub(crate) rate: Option<Rate>,
    /// Where its `max_qps` is.
    pub(crate) span: Span,
}

/// The bounds of a statement's addresses, as far as they are well written. Says nothing of the others: [`read`] does.
pub(crate) fn bounds(statement: &Statement) -> Vec<Bound> {
    let outside = written(statement);
    let mut bounds = Vec::new();
    for line in statement.properties().iter().filter(|property| property.name == "to") {
        let manner = written(line).within(&outside);
        let Some((_, span)) = manner.max_qps else { continue };
        let transport = manner.transport.unwrap_or_default();
        let addresses = line.arguments.iter().filter_map(|word| address::parse(&word.text, transport).ok());
        bounds.extend(addresses.map(|address| Bound { address, rate: manner.rate(), span }));
    }
    bounds
}

/// The manner that stands between braces, as far as it is well written.
fn written(braces: &Statement) -> Manner {
    let (mut manner, mut unheard) = (Manner::default(), Report::new());
    for property in manner::PROPERTIES.iter().filter_map(|name| braces.property(name)) {
        manner.read(property, &mut unheard);
    }
    manner
}

fn upstream(address: SocketAddr, manner: &Manner, zone: Option<&Name>) -> UpstreamSpec {
    let transport = manner.transport.unwrap_or_default();
    UpstreamSpec {
        address,
        transport,
        server_name: manner.server_name.as_ref().map(|(name, _)| name.clone()).filter(|_| transport == Transport::Tls),
        rate: manner.rate(),
        outstanding_max: manner.outstanding_max(),
        check_name: manner.check_name.as_ref().or(zone).cloned().unwrap_or_else(Name::root),
    }
}

/// What stands between the braces of a line, with what stands outside for the rest.
fn manner_of(line: &Statement, outside: &Manner, report: &mut Report) -> Manner {
    let mut manner = Manner::default();
    for property in line.properties() {
        let name = property.name.as_str();
        if name == "tls" {
            let error = report.error(property.name.span, "`tls` stands for all addresses of a private zone");
            error.help("move it behind the braces of `to`; `transport tls` may stand here");
        } else if !manner::PROPERTIES.contains(&name) {
            unknown_property(property, &manner::PROPERTIES, report);
        } else if !repeated(line, property, report) {
            contract::corefile::no_body(property, report);
            manner.read(property, report);
        }
    }
    manner.check(Some(outside), report);
    manner.within(outside)
}

/// The addresses of a line. `first` are those of the statement so far, with their places.
fn addresses(
    words: &[Word],
    transport: Transport,
    first: &mut BTreeMap<SocketAddr, Span>,
    report: &mut Report,
) -> Vec<(SocketAddr, Span)> {
    let mut addresses = Vec::new();
    for word in words {
        match address::parse(&word.text, transport) {
            Ok(address) => {
                if let Some(before) = first.get(&address) {
                    let before = report.place(*before).to_string();
                    report.error(word.span, format!("`{word}` stands twice")).help(format!("first at {before}"));
                    continue;
                }
                if first.len() == ADDRESSES_MAX {
                    let message = format!("one address too many; {ADDRESSES_MAX} are possible");
                    report.error(word.span, message);
                }
                first.insert(address, word.span);
                addresses.push((address, word.span));
            }
            Err(wrong) => {
                let error = report.error(word.span, format!("wrong address `{word}`: {}", wrong.reason));
                error.expected(address::EXPECTED);
                wrong.help.map(|help| error.help(help));
            }
        }
    }
    addresses
}
