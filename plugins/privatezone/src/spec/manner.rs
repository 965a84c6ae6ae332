//! How an address is asked: what may stand behind it in braces, and for all addresses outside.

use contract::corefile::{Report, Span, Statement, value};
use contract::wire::Name;
use upstream::Rate;
use upstream::rustls::pki_types::ServerName;

use super::{Transport, values};

/// Its properties, in the order of the README.
pub(crate) const PROPERTIES: [&str; 6] =
    ["transport", "tls_servername", "max_qps", "burst", "max_concurrent", "health_check"];

const COUNT: &str = "a whole number, or `0` for no bound";

/// What was written of it. `None`: nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manner {
    pub(crate) transport: Option<Transport>,
    pub(crate) server_name: Option<(ServerName<'static>, Span)>,
    /// Messages per second, 0 for as many as there are; and where that stands.
    pub(crate) max_qps: Option<(u32, Span)>,
    /// Messages at once, and where that stands.
    burst: Option<(u32, Span)>,
    /// `Some(0)`: as many as there are.
    max_concurrent: Option<usize>,
    pub(crate) check_name: Option<Name>,
}

impl Manner {
    /// Reads one of [`PROPERTIES`].
    pub(crate) fn read(&mut self, property: &Statement, report: &mut Report) {
        let mut reader = property.reader(report);
        let span = reader.span();
        match property.name.as_str() {
            "transport" => {
                let transports = [("udp", Transport::Udp), ("tcp", Transport::Tcp), ("tls", Transport::Tls)];
                self.transport = reader.choice(&transports);
            }
            "tls_servername" => {
                let name = reader.value("the name in the upstream's certificate", values::server_name);
                self.server_name = name.map(|name| (name, property.name.span));
            }
            // a wrong number stands for some number, so that nothing is said of its absence
            "max_qps" => {
                let qps = reader.value(COUNT, values::per_second);
                self.max_qps = Some((qps.unwrap_or(1), span));
            }
            "burst" => {
                let burst = reader.value("a whole number", values::burst);
                self.burst = Some((burst.unwrap_or(1), property.name.span));
            }
            "max_concurrent" => self.max_concurrent = reader.value(COUNT, values::outstanding),
            "health_check" => {
                let name = reader.value("a domain name", value::name);
                self.check_name = name.map(|name| Name::parse(name.as_str()).expect("a name of a Corefile is one"));
            }
            other => unreachable!("`{other}` is none of PROPERTIES"),
        }
        reader.finish();
    }

    /// The same, with what stands outside where nothing stands here. A rate is one thing: `burst` outside belongs to the `max_qps`
    /// outside.
    pub(crate) fn within(self, outside: &Self) -> Self {
        let burst = if self.max_qps.is_some() { self.burst } else { self.burst.or(outside.burst) };
        Self {
            transport: self.transport.or(outside.transport),
            server_name: self.server_name.or_else(|| outside.server_name.clone()),
            max_qps: self.max_qps.or(outside.max_qps),
            burst,
            max_concurrent: self.max_concurrent.or(outside.max_concurrent),
            check_name: self.check_name.or_else(|| outside.check_name.clone()),
        }
    }

    /// The bound of messages per second.
    pub(crate) fn rate(&self) -> Option<Rate> {
        let per_second = self.max_qps.map(|(per_second, _)| per_second).filter(|per_second| *per_second > 0)?;
        Some(Rate { per_second, burst: self.burst.map_or(per_second, |(burst, _)| burst) })
    }

    /// The bound of questions outstanding.
    pub(crate) fn outstanding_max(&self) -> Option<usize> {
        self.max_concurrent.filter(|count| *count > 0)
    }

    /// What its properties together tell.
    pub(crate) fn check(&self, outside: Option<&Self>, report: &mut Report) {
        let max_qps = self.max_qps.or_else(|| outside.and_then(|outside| outside.max_qps));
        let bound = max_qps.filter(|(per_second, _)| *per_second > 0);
        if let (Some((_, span)), None) = (self.burst, bound) {
            let error = report.error(span, "`burst` without `max_qps`");
            error.expected("`max_qps N`: `burst` says how many messages may leave at once");
        }
        if let (Some((_, span)), Some(outside)) = (&self.server_name, outside)
            && self.transport.or(outside.transport) != Some(Transport::Tls)
        {
            let warning = report.warning(*span, "`tls_servername` has no effect: these are not asked over TLS");
            warning.help("write `transport tls`");
        }
    }
}
