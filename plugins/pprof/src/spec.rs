//! What `pprof` says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use contract::corefile::reader::repeated;
use contract::corefile::{Report, Statement, no_body, unknown_property, value};
use contract::wire::Name;

/// Where profiles are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PprofSpec {
    /// Where `GET /debug/pprof/` is answered. Blocks with the same address share it.
    pub address: SocketAddr,
}

impl Default for PprofSpec {
    /// `localhost:6053`.
    fn default() -> Self {
        Self { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 6053) }
    }
}

/// Reads `pprof [ADDRESS] { block [RATE] }`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<PprofSpec> {
    let before = report.errors();
    let mut spec = PprofSpec::default();
    let mut reader = statement.reader(report);
    if let Some(address) = reader.optional_value("an address such as `localhost:6053`", value::listen_address) {
        spec.address = address;
    }
    reader.finish();
    for property in statement.properties() {
        match property.name.as_str() {
            "block" if !repeated(statement, property, report) => {
                let mut reader = property.reader(report);
                let _: Option<i64> = reader.optional_value("a whole number", rate);
                reader.finish();
                no_body(property, report);
                let warning = report.warning(property.name.span, "`block` has no effect");
                warning.help("it is about goroutines that wait, which are not here; remove it");
            }
            "block" => {}
            _ => unknown_property(property, &["block"], report),
        }
    }
    (report.errors() == before).then_some(spec)
}

fn rate(text: &str) -> Result<i64, String> {
    // Go's numbers may have a plus
    value::number(text.strip_prefix('+').filter(|digits| !digits.starts_with('-')).unwrap_or(text))
}

impl PprofSpec {
    /// One line in plain words.
    pub fn describe(&self) -> String {
        format!("CPU profiles at http://{}/debug/pprof/", self.address)
    }
}

#[cfg(test)]
mod tests {
    use contract::testing;

    use super::*;

    fn checked(text: &str) -> (Option<PprofSpec>, String) {
        testing::checked(text, check)
    }

    #[test]
    fn addresses() {
        for (text, address) in [
            ("pprof", "127.0.0.1:6053"),
            ("pprof {\n}", "127.0.0.1:6053"),
            ("pprof localhost:6060", "127.0.0.1:6060"),
            ("pprof 10.9.8.7:6060", "10.9.8.7:6060"),
            ("pprof :6060", "[::]:6060"),
        ] {
            let (spec, report) = checked(text);
            assert_eq!(spec, Some(PprofSpec { address: address.parse().unwrap() }), "{text}: {report}");
            assert_eq!(report, "");
        }
        assert_eq!(PprofSpec::default().describe(), "CPU profiles at http://127.0.0.1:6053/debug/pprof/");
    }

    #[test]
    fn what_speaks_of_goroutines_has_no_effect() {
        for text in ["pprof {\n block\n}", "pprof {\n block 20\n}", "pprof {\n block +1\n}", "pprof {\n block -1\n}"] {
            let (spec, report) = checked(text);
            assert_eq!(spec, Some(PprofSpec::default()));
            assert!(report.starts_with("Corefile:3:2: warning: `block` has no effect"), "{text}: {report}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("pprof 6053", "2:7", "an address without a port"),
            ("pprof :1 :2", "2:10", "unexpected argument `:2`"),
            ("pprof {\n block x\n}", "3:8", "not a whole number"),
            ("pprof {\n block 1 2\n}", "3:10", "unexpected argument `2`"),
            ("pprof {\n block\n block\n}", "4:2", "`block` stands twice"),
            ("pprof {\n blok\n}", "3:2", "did you mean `block`"),
        ] {
            let (spec, report) = checked(text);
            assert_eq!(spec, None, "{text}");
            assert!(report.contains(&format!("Corefile:{place}: error")) && report.contains(reason), "{report}");
        }
    }
}
