//! What `prometheus` says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use contract::corefile::reader::repeated;
use contract::corefile::{Report, Statement, no_arguments, unknown_property, value};
use contract::wire::Name;

/// The metrics endpoint, and that this block's queries are counted there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrometheusSpec {
    /// Where `GET /metrics` is answered. Blocks with the same address share it.
    pub address: SocketAddr,
}

impl Default for PrometheusSpec {
    /// `localhost:9153`.
    fn default() -> Self {
        Self { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9153) }
    }
}

/// Reads `prometheus [ADDRESS] { runtime_metrics }`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<PrometheusSpec> {
    let before = report.errors();
    let mut spec = PrometheusSpec::default();
    let mut reader = statement.reader(report);
    if let Some(address) = reader.optional_value("an address such as `0.0.0.0:9153` or `:9153`", value::listen_address)
    {
        spec.address = address;
    }
    reader.finish();
    for property in statement.properties() {
        match property.name.as_str() {
            "runtime_metrics" if !repeated(statement, property, report) => {
                no_arguments(property, report);
                let warning = report.warning(property.name.span, "`runtime_metrics` has no effect");
                warning.help("it is about Go's runtime, which is not here; remove it");
            }
            "runtime_metrics" => {}
            "tls" => {
                let error = report.error(property.name.span, "metrics are not served over TLS");
                error.help("listen on `localhost:9153` behind a proxy that speaks TLS");
            }
            _ => unknown_property(property, &["runtime_metrics"], report),
        }
    }
    (report.errors() == before).then_some(spec)
}

impl PrometheusSpec {
    /// One line in plain words.
    pub fn describe(&self) -> String {
        format!("counters at http://{}/metrics", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Memory, parse};

    fn checked(text: &str) -> (Option<PrometheusSpec>, Report) {
        let mut report = Report::new();
        let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
        let spec = check(&corefile.blocks[0].statements[0], &[], &mut report);
        (spec, report)
    }

    #[test]
    fn addresses() {
        for (text, address) in [
            ("prometheus", "127.0.0.1:9153"),
            ("prometheus :9253", "[::]:9253"),
            ("prometheus localhost:9253", "127.0.0.1:9253"),
            ("prometheus 0.0.0.0:9253 {\n}", "0.0.0.0:9253"),
        ] {
            assert_eq!(checked(text).0, Some(PrometheusSpec { address: address.parse().unwrap() }), "{text}");
        }
        assert_eq!(PrometheusSpec::default().describe(), "counters at http://127.0.0.1:9153/metrics");
    }

    #[test]
    fn what_speaks_of_go_has_no_effect() {
        let (spec, report) = checked("prometheus {\n runtime_metrics\n}");
        assert_eq!(spec, Some(PrometheusSpec::default()));
        assert!(report.to_string().starts_with("Corefile:3:2: warning: `runtime_metrics` has no effect"), "{report}");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("prometheus 9153", "2:12", "an address without a port"),
            ("prometheus example.org:9153", "2:12", "not an IP address"),
            ("prometheus :1 :2", "2:15", "unexpected argument `:2`"),
            ("prometheus {\n runtime_metrics on\n}", "3:18", "unexpected argument `on`"),
            ("prometheus {\n runtime_metrics\n runtime_metrics\n}", "4:2", "`runtime_metrics` stands twice"),
            ("prometheus {\n tls web.yml\n}", "3:2", "not served over TLS"),
            ("prometheus {\n runtime_metric\n}", "3:2", "did you mean `runtime_metrics`"),
        ] {
            let (spec, report) = checked(text);
            assert_eq!(spec, None, "{text}");
            let printed = report.to_string();
            assert!(printed.contains(&format!("Corefile:{place}: error")), "{text}: {printed}");
            assert!(printed.contains(reason), "{text}: {printed}");
            assert_eq!(report.errors(), 1, "{printed}");
        }
    }
}
