//! The statement `forward`, read into a validated specification. No I/O.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use contract::ServicePort;
use contract::corefile::{Reader, Report, Statement, unknown_property, value};
use contract::limits;
use contract::wire::{Name, Rcode};
use upstream::rustls::pki_types::ServerName;
use upstream::{HealthSettings, Policy, TlsFiles};

use crate::target::{self, EXPECTED, Place, Target};

/// Upstreams of one directive.
pub(crate) const UPSTREAMS_MAX: usize = 15;

/// Every property, in the order of the README.
const PROPERTIES: [&str; 21] = [
    "except",
    "force_tcp",
    "prefer_udp",
    "expire",
    "max_age",
    "max_idle_conns",
    "read_timeout",
    "max_fails",
    "max_connect_attempts",
    "doh_method",
    "tls",
    "tls_servername",
    "policy",
    "health_check",
    "max_concurrent",
    "next",
    "next_on_nodata",
    "failfast_all_unhealthy_upstreams",
    "failover",
    "source_address",
    "resolver",
];

/// A `forward` as it was written.
#[derive(Clone, Debug)]
pub struct ForwardSpec {
    /// Names in this zone are forwarded.
    pub(crate) from: Name,
    pub(crate) targets: Vec<Target>,
    /// Names in these zones are not.
    pub(crate) except: Vec<Name>,
    pub(crate) force_tcp: bool,
    pub(crate) prefer_udp: bool,
    pub(crate) expire: Duration,
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_idle_conns: Option<usize>,
    pub(crate) read_timeout: Duration,
    pub(crate) max_fails: u32,
    pub(crate) max_connect_attempts: Option<u32>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) tls_servername: Option<ServerName<'static>>,
    pub(crate) policy: Policy,
    pub(crate) health: HealthSettings,
    pub(crate) max_concurrent: Option<usize>,
    pub(crate) next: Vec<Rcode>,
    pub(crate) next_on_nodata: bool,
    pub(crate) failfast: bool,
    pub(crate) failover: Vec<Rcode>,
    pub(crate) source_address: Option<IpAddr>,
    pub(crate) resolver: Vec<SocketAddr>,
}

impl ForwardSpec {
    /// The Service whose endpoints are the upstreams, if there is one.
    pub(crate) fn service(&self) -> Option<&ServicePort> {
        self.targets.iter().find_map(Target::service)
    }

    /// The defaults, which are CoreDNS's; but the servers of a Service answer for the zone that they are asked for, the first
    /// of the block's, without asking anybody.
    fn new(from: Name, targets: Vec<Target>, zones: &[Name]) -> Self {
        let follows = targets.iter().any(|target| target.service().is_some());
        let within = zones.iter().find(|zone| from.encloses(zone)).unwrap_or(&from);
        let checked = if follows { within.clone() } else { Name::root() };
        Self {
            from,
            targets,
            except: Vec::new(),
            force_tcp: false,
            prefer_udp: false,
            expire: Duration::from_secs(10),
            max_age: None,
            max_idle_conns: None,
            read_timeout: limits::ATTEMPT_WITHIN,
            max_fails: 2,
            max_connect_attempts: None,
            tls: None,
            tls_servername: None,
            policy: Policy::default(),
            health: HealthSettings { domain: checked, ..HealthSettings::default() },
            max_concurrent: None,
            next: Vec::new(),
            next_on_nodata: false,
            failfast: false,
            failover: Vec::new(),
            source_address: None,
            resolver: Vec::new(),
        }
    }
}

/// Reads a statement. `zones` are those of its server block.
pub fn check(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<ForwardSpec> {
    let errors = report.errors();
    let mut reader = statement.reader(report);
    let from_span = reader.span();
    let from = reader.value("a zone such as `.`, the FROM of `forward FROM TO...`", value::zone);
    let targets = targets(&mut reader);
    let mut from = from.unwrap_or_default().into_iter().map(|zone| name(zone.as_str()));
    let (first, others) = (from.next().unwrap_or_else(Name::root), from.count());
    if others > 0 {
        let message = format!("only {first} is forwarded: the prefix stands for {} zones", others + 1);
        report.warning(from_span, message).help("write a `forward` for each, or a prefix that ends between two labels");
    }
    if !zones.is_empty() && !zones.iter().any(|zone| zone.encloses(&first) || first.encloses(zone)) {
        let message = format!("nothing is forwarded: no name of this server block is in {first}");
        report.warning(from_span, message).help("FROM is most often `.`");
    }
    let mut spec = ForwardSpec::new(first, targets, zones);
    for property in statement.properties() {
        read_property(property, &mut spec, report);
    }
    check_together(statement, &spec, report);
    (report.errors() == errors).then_some(spec)
}

fn targets(reader: &mut Reader<'_, '_>) -> Vec<Target> {
    let words = reader.rest_or_missing(EXPECTED);
    if let Some(word) = words.get(UPSTREAMS_MAX) {
        let message = format!("{} upstreams; {UPSTREAMS_MAX} are possible", words.len());
        reader.report().error(word.span, message);
    }
    let mut targets: Vec<Target> = Vec::with_capacity(words.len());
    for word in words {
        match Target::parse(&word.text) {
            Ok(target) if target.service().is_some() && targets.iter().any(|known| known.service().is_some()) => {
                let error = reader.report().error(word.span, format!("`{word}` is a second Service"));
                error.help(
                    "one `forward` follows one Service; what else is written stands in for it while it has no endpoint",
                );
            }
            Ok(target) => targets.push(target),
            Err(reason) => {
                let error = reader.report().error(word.span, format!("wrong upstream `{word}`: {reason}"));
                error.expected(EXPECTED);
            }
        }
    }
    targets
}

fn read_property(property: &Statement, spec: &mut ForwardSpec, report: &mut Report) {
    if let Some(inner) = property.properties().first() {
        report.error(inner.name.span, format!("`{}` has no properties of its own", property.name));
    }
    let mut reader = property.reader(report);
    match property.name.as_str() {
        "except" => {
            let zones = reader.some_values("a zone such as `example.org`", value::zone);
            spec.except.extend(zones.iter().flatten().map(|zone| name(zone.as_str())));
        }
        "force_tcp" => spec.force_tcp = true,
        "prefer_udp" => spec.prefer_udp = true,
        "tls" => spec.tls = read_tls(&mut reader),
        "tls_servername" => {
            spec.tls_servername = reader.value("the name in the upstreams' certificates", target::server_name);
        }
        "policy" => {
            let policies =
                [("random", Policy::Random), ("round_robin", Policy::RoundRobin), ("sequential", Policy::Sequential)];
            spec.policy = reader.choice(&policies).unwrap_or_default();
        }
        "health_check" => read_health_check(&mut reader, spec),
        "next" => spec.next.extend(reader.some_values("an RCODE such as `NXDOMAIN`", rcode)),
        "next_on_nodata" => spec.next_on_nodata = true,
        "failfast_all_unhealthy_upstreams" => spec.failfast = true,
        "failover" => spec.failover.extend(reader.some_values("an RCODE such as `SERVFAIL`", failover_rcode)),
        "source_address" => spec.source_address = reader.value("an IP address of this node", value::ip),
        "resolver" => {
            let address = |text: &str| value::address(text, 53);
            spec.resolver = reader.some_values("an address such as `10.0.0.10` or `10.0.0.10:53`", address);
        }
        "doh_method" => {
            let _ = reader.choice(&[("POST", ()), ("GET", ())]);
            reader.report().warning(property.name.span, "`doh_method` has no effect: no upstream is asked over HTTPS");
        }
        _ => return read_number(property, reader, spec),
    }
    reader.finish();
}

/// Properties with one duration or one number; and those that do not exist.
fn read_number(property: &Statement, mut reader: Reader<'_, '_>, spec: &mut ForwardSpec) {
    let (duration, number) = ("a duration such as `10s`", "a whole number");
    match property.name.as_str() {
        "expire" => spec.expire = reader.value(duration, value::duration).unwrap_or(spec.expire),
        "max_age" => spec.max_age = reader.value(duration, value::duration).filter(|age| !age.is_zero()),
        "read_timeout" => {
            let span = reader.span();
            let wait = reader.value(duration, value::positive_duration).unwrap_or(spec.read_timeout);
            spec.read_timeout = wait.min(limits::EXCHANGE_WITHIN);
            if wait > limits::EXCHANGE_WITHIN {
                let most = limits::EXCHANGE_WITHIN.as_millis();
                reader.report().warning(span, format!("a question is given up after {most} ms at the latest"));
            }
        }
        "max_idle_conns" => {
            spec.max_idle_conns = reader.value(number, value::number::<usize>).filter(|count| *count > 0);
        }
        "max_fails" => spec.max_fails = reader.value(number, value::number).unwrap_or(spec.max_fails),
        "max_connect_attempts" => spec.max_connect_attempts = reader.value(number, value::number),
        "max_concurrent" => {
            spec.max_concurrent = reader.value(number, value::number::<usize>).filter(|count| *count > 0);
        }
        _ => {
            unknown_property(property, &PROPERTIES, reader.report());
            return;
        }
    }
    reader.finish();
}

/// `tls [CA]`, `tls CERT KEY` or `tls CERT KEY CA`.
fn read_tls(reader: &mut Reader<'_, '_>) -> Option<TlsFiles> {
    let mut files = Vec::new();
    while files.len() < 3
        && let Some(word) = reader.optional()
    {
        files.push(PathBuf::from(&word.text));
    }
    let (client, authority) = match files.as_slice() {
        [] => (None, None),
        [authority] => (None, Some(authority)),
        [certificate, key] => (Some((certificate, key)), None),
        [certificate, key, authority, ..] => (Some((certificate, key)), Some(authority)),
    };
    let client = client.map(|(certificate, key)| (certificate.clone(), key.clone()));
    Some(TlsFiles { client, authority: authority.cloned() })
}

fn read_health_check(reader: &mut Reader<'_, '_>, spec: &mut ForwardSpec) {
    let interval = reader.value("a duration such as `0.5s`", value::duration);
    spec.health.interval = interval.unwrap_or(spec.health.interval);
    while reader.peek().is_some() {
        let Some(domain) = reader.choice(&[("no_rec", false), ("domain", true)]) else { continue };
        if domain {
            let named = reader.value("a domain name", value::name);
            spec.health.domain = named.map_or_else(Name::root, |domain| name(domain.as_str()));
        } else {
            spec.health.recursion = false;
        }
    }
}

/// What only all properties together tell.
fn check_together(statement: &Statement, spec: &ForwardSpec, report: &mut Report) {
    let span = |property: &str| statement.property(property).map_or(statement.name.span, |found| found.name.span);
    if spec.max_age.is_some_and(|age| age < spec.expire) {
        let message =
            format!("`max_age` ({:?}) is less than `expire` ({:?})", spec.max_age.unwrap_or_default(), spec.expire);
        report.error(span("max_age"), message).help("a connection would be too old before it is idle for too long");
    }
    let named = |target: &&Target| target.tls.as_ref().is_some_and(|tls| tls.server_name.is_some());
    if let (Some(target), Some(_)) = (spec.targets.iter().find(named), &spec.tls_servername) {
        let message = format!("both `tls_servername` and the upstream {target} name the server");
        report.error(span("tls_servername"), message).help("write one of both: `tls_servername NAME` or `%NAME`");
    }
    let over_tls = spec.targets.iter().any(|target| target.tls.is_some());
    if !over_tls && !spec.targets.is_empty() {
        for property in ["tls", "tls_servername"] {
            if statement.property(property).is_some() {
                let message = format!("`{property}` has no effect: no upstream is asked over TLS");
                report.warning(span(property), message).help("write `tls://` before the upstream's address");
            }
        }
    }
    let source = spec.source_address;
    for target in &spec.targets {
        if let (Place::Address(to), Some(source)) = (&target.place, source)
            && !target::same_family(to.ip(), source)
        {
            let message = format!("the upstream {to} cannot be asked from {source}");
            report.error(span("source_address"), message).expected("addresses of one family, IPv4 or IPv6");
        }
    }
}

fn rcode(text: &str) -> Result<Rcode, String> {
    Rcode::parse(text).ok_or_else(|| "not an RCODE".to_owned())
}

fn failover_rcode(text: &str) -> Result<Rcode, String> {
    match rcode(text)? {
        Rcode::NOERROR => Err("an answer without error is final".to_owned()),
        other => Ok(other),
    }
}

fn name(zone: &str) -> Name {
    Name::parse(zone).expect("a zone of a Corefile is a name")
}

#[cfg(test)]
mod tests;
