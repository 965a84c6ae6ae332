//! What `health` says.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use contract::corefile::reader::repeated;
use contract::corefile::{Report, Statement, unknown_property, value};
use contract::wire::Name;

/// The health endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthSpec {
    /// Where `GET /health` is answered.
    pub address: SocketAddr,
    /// How long the daemon keeps serving after it was told to stop; zero: not at all.
    pub lameduck: Duration,
}

impl Default for HealthSpec {
    /// `:8080`, no lameduck.
    fn default() -> Self {
        Self { address: SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 8080), lameduck: Duration::ZERO }
    }
}

/// Reads `health [ADDRESS] { lameduck DURATION }`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<HealthSpec> {
    let before = report.errors();
    let mut spec = HealthSpec::default();
    let mut reader = statement.reader(report);
    if let Some(address) =
        reader.optional_value("an address such as `127.0.0.1:8080` or `:8080`", value::listen_address)
    {
        spec.address = address;
    }
    reader.finish();
    for property in statement.properties() {
        match property.name.as_str() {
            "lameduck" if !repeated(statement, property, report) => {
                let mut reader = property.reader(report);
                if let Some(lameduck) = reader.value("a duration such as `5s`", value::duration) {
                    spec.lameduck = lameduck;
                }
                reader.finish();
            }
            "lameduck" => {}
            _ => unknown_property(property, &["lameduck"], report),
        }
    }
    (report.errors() == before).then_some(spec)
}

impl HealthSpec {
    /// One line in plain words.
    pub fn describe(&self) -> String {
        match self.lameduck {
            Duration::ZERO => format!("says OK at http://{}/health", self.address),
            lameduck => {
                format!("says OK at http://{}/health, and serves on for {lameduck:?} when stopped", self.address)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Memory, parse};

    fn checked(text: &str) -> (Option<HealthSpec>, Report) {
        let mut report = Report::new();
        let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
        let spec = check(&corefile.blocks[0].statements[0], &[], &mut report);
        (spec, report)
    }

    #[test]
    fn addresses_and_lameduck() {
        for (text, address, lameduck) in [
            ("health", "[::]:8080", 0),
            ("health :8091", "[::]:8091", 0),
            ("health localhost:8091", "127.0.0.1:8091", 0),
            ("health 169.254.20.10:8080 {\n lameduck 5s\n}", "169.254.20.10:8080", 5000),
            ("health {\n lameduck 100ms\n}", "[::]:8080", 100),
        ] {
            let meant = HealthSpec { address: address.parse().unwrap(), lameduck: Duration::from_millis(lameduck) };
            assert_eq!(checked(text).0, Some(meant), "{text}");
        }
    }

    #[test]
    fn it_is_said_in_plain_words() {
        assert_eq!(checked("health :1").0.unwrap().describe(), "says OK at http://[::]:1/health");
        let (spec, _) = checked("health :1 {\n lameduck 5s\n}");
        assert_eq!(spec.unwrap().describe(), "says OK at http://[::]:1/health, and serves on for 5s when stopped");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("health 127.0.0.1", "2:8", "an address without a port"),
            ("health :http", "2:8", "is not a port"),
            ("health :8080 :8081", "2:14", "unexpected argument `:8081`"),
            ("health {\n lameduck\n}", "3:10", "missing argument of `lameduck`"),
            ("health {\n lameduck 5\n}", "3:11", "a duration such as `5s`"),
            ("health {\n lameduck -5s\n}", "3:11", "a negative duration"),
            ("health {\n lameduck 5s 6s\n}", "3:14", "unexpected argument `6s`"),
            ("health {\n lameduck 5s\n lameduck 6s\n}", "4:2", "`lameduck` stands twice"),
            ("health {\n lameduk 5s\n}", "3:2", "did you mean `lameduck`"),
        ] {
            let (spec, report) = checked(text);
            assert_eq!(spec, None, "{text}");
            let printed = report.to_string();
            assert!(printed.starts_with(&format!("Corefile:{place}: error")), "{text}: {printed}");
            assert!(printed.contains(reason), "{text}: {printed}");
            assert_eq!(report.errors(), 1, "{printed}");
        }
    }
}
