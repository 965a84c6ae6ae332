//! The statement `privatezone`, read into a validated specification. No I/O.

use std::net::SocketAddr;
use std::time::Duration;

use contract::Wanted;
use contract::corefile::{Reader, Report, Statement, no_body, repeated, support, unknown_property};
use contract::wire::Name;
use upstream::rustls::pki_types::ServerName;
use upstream::{Rate, TlsFiles};

use manner::Manner;

mod address;
pub(crate) mod clouds;
mod manner;
mod text;
mod tls;
pub(crate) mod to;
mod values;
mod watch;
pub(crate) mod zones;

/// How long denials live, seconds: ExternalDNS removes a name and creates it again to change it.
const NEGATIVE_TTL_MAX: u32 = 5;
/// How long a name that has vanished keeps its last answer.
const VANISH_GRACE: Duration = Duration::from_secs(10);

/// All `privatezone` of a server block: one step of its chain.
#[derive(Clone, Debug)]
pub struct PrivateZoneSpec {
    pub(crate) sections: Vec<SectionSpec>,
}

/// One statement.
#[derive(Clone, Debug)]
pub(crate) struct SectionSpec {
    /// What it answers for, at least one.
    pub(crate) zones: Vec<Name>,
    /// Whom it asks, at least one, each address once.
    pub(crate) upstreams: Vec<UpstreamSpec>,
    pub(crate) tls: Option<TlsFiles>,
    /// TTLs of answers with records, seconds; `ttl_max` wins.
    pub(crate) ttl_min: u32,
    pub(crate) ttl_max: u32,
    /// Denials are told and memorised no longer than this, seconds.
    pub(crate) negative_ttl_max: u32,
    /// How long a name that has vanished keeps its last answer; zero: not at all.
    pub(crate) vanish_grace: Duration,
    /// What does not exist of these zones is asked for elsewhere.
    pub(crate) fallthrough: Vec<Name>,
    pub(crate) watch: Option<WatchSpec>,
}

/// One address, and what holds for it.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamSpec {
    pub(crate) address: SocketAddr,
    pub(crate) transport: Transport,
    /// What its certificate must be for; `None`: its address.
    pub(crate) server_name: Option<ServerName<'static>>,
    pub(crate) rate: Option<Rate>,
    pub(crate) outstanding_max: Option<usize>,
    /// Whose NS its health checks ask for.
    pub(crate) check_name: Name,
}

/// How an upstream is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Over UDP, over TCP what does not fit.
    #[default]
    Udp,
    Tcp,
    Tls,
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchSpec {
    pub(crate) wanted: Wanted,
    /// Names that nobody can be asked for are answered from it.
    pub(crate) answers: bool,
}

impl PrivateZoneSpec {
    /// Together with the next statement of the same block.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.sections.extend(next.sections);
        self
    }
}

/// Reads a statement. `zones` are those of its server block.
pub fn check(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<PrivateZoneSpec> {
    let errors = report.errors();
    let zones = zones::read(statement, zones, report);
    let mut draft = Draft::default();
    for property in statement.properties() {
        read_property(property, statement, &mut draft, report);
    }
    draft.manner.check(None, report);
    let upstreams = to::read(statement, &draft.manner, zones.first(), report);
    if upstreams.iter().all(|upstream| upstream.transport != Transport::Tls) && !upstreams.is_empty() {
        tls::without_effect(statement, report);
    }
    check_ttls(statement, &draft, report);
    let fallthrough = zones::fallthrough(statement, &zones, report);
    let watch = watch::read(statement, &zones, report);
    (report.errors() == errors).then(|| {
        let section = SectionSpec {
            zones,
            upstreams,
            tls: draft.tls,
            ttl_min: draft.ttl_min,
            ttl_max: draft.ttl_max,
            negative_ttl_max: draft.negative_ttl_max,
            vanish_grace: draft.vanish_grace,
            fallthrough,
            watch,
        };
        PrivateZoneSpec { sections: vec![section] }
    })
}

/// What the properties of a statement say, but for those that need to know of others.
struct Draft {
    /// What holds for every address that says nothing else.
    manner: Manner,
    tls: Option<TlsFiles>,
    ttl_min: u32,
    ttl_max: u32,
    negative_ttl_max: u32,
    vanish_grace: Duration,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            manner: Manner::default(),
            tls: None,
            ttl_min: 0,
            ttl_max: u32::MAX,
            negative_ttl_max: NEGATIVE_TTL_MAX,
            vanish_grace: VANISH_GRACE,
        }
    }
}

fn read_property(property: &Statement, of: &Statement, draft: &mut Draft, report: &mut Report) {
    let name = property.name.as_str();
    let known = support::properties("privatezone");
    if !known.contains(&name) {
        return unknown_property(property, known, report);
    }
    if name == "to" || repeated(of, property, report) {
        return;
    }
    if name != "watch" {
        no_body(property, report);
    }
    if manner::PROPERTIES.contains(&name) {
        return draft.manner.read(property, report);
    }
    let mut reader = property.reader(report);
    match name {
        "tls" => draft.tls = Some(tls::files(&mut reader)),
        "ttl_min" => draft.ttl_min = seconds(&mut reader, values::ttl).unwrap_or(draft.ttl_min),
        "ttl_max" => draft.ttl_max = seconds(&mut reader, values::positive_ttl).unwrap_or(draft.ttl_max),
        "negative_ttl_max" => {
            draft.negative_ttl_max = seconds(&mut reader, values::ttl).unwrap_or(draft.negative_ttl_max);
        }
        "vanish_grace" => {
            let grace = reader.value("a duration such as `10s`, or `0`", values::grace);
            draft.vanish_grace = grace.unwrap_or(draft.vanish_grace);
        }
        _ => return, // those that `zones` and `watch` read
    }
    reader.finish();
}

fn seconds(reader: &mut Reader<'_, '_>, parse: fn(&str) -> Result<u32, String>) -> Option<u32> {
    reader.value("a duration of whole seconds such as `30s`", parse)
}

fn check_ttls(statement: &Statement, draft: &Draft, report: &mut Report) {
    if let Some(property) = statement.property("ttl_min").filter(|_| draft.ttl_min > draft.ttl_max) {
        let message = format!("`ttl_min` ({} s) is more than `ttl_max` ({} s)", draft.ttl_min, draft.ttl_max);
        report.error(property.name.span, message).expected("`ttl_min` at most as long as `ttl_max`");
    }
}

#[cfg(test)]
mod tests;
