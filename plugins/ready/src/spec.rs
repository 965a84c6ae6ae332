//! What `ready` says.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use contract::corefile::reader::repeated;
use contract::corefile::{Report, Statement, unknown_property, value};
use contract::wire::Name;

/// The readiness endpoint, for the block's own plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadySpec {
    /// Where `GET /ready` is answered. Blocks with the same address share it.
    pub address: SocketAddr,
    /// What becomes of a plugin that was ready.
    pub monitor: Monitor,
}

/// Whether a plugin that was ready is asked again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Monitor {
    /// Once ready, ready for good.
    #[default]
    UntilReady,
    /// Each plugin is asked each time.
    Continuously,
}

impl Default for ReadySpec {
    /// `:8181`, `until-ready`.
    fn default() -> Self {
        Self { address: SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 8181), monitor: Monitor::default() }
    }
}

/// Reads `ready [ADDRESS] { monitor until-ready|continuously }`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<ReadySpec> {
    let before = report.errors();
    let mut spec = ReadySpec::default();
    let mut reader = statement.reader(report);
    if let Some(address) =
        reader.optional_value("an address such as `127.0.0.1:8181` or `:8181`", value::listen_address)
    {
        spec.address = address;
    }
    reader.finish();
    for property in statement.properties() {
        match property.name.as_str() {
            "monitor" if !repeated(statement, property, report) => {
                let mut reader = property.reader(report);
                let choices = [("until-ready", Monitor::UntilReady), ("continuously", Monitor::Continuously)];
                if let Some(monitor) = reader.choice(&choices) {
                    spec.monitor = monitor;
                }
                reader.finish();
            }
            "monitor" => {}
            _ => unknown_property(property, &["monitor"], report),
        }
    }
    (report.errors() == before).then_some(spec)
}

impl ReadySpec {
    /// One line in plain words.
    pub fn describe(&self) -> String {
        let how = match self.monitor {
            Monitor::UntilReady => "asked until it is ready",
            Monitor::Continuously => "asked each time",
        };
        format!("says at http://{}/ready whether this block can answer; each plugin is {how}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Memory, parse};

    fn checked(text: &str) -> (Option<ReadySpec>, Report) {
        let mut report = Report::new();
        let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
        let spec = check(&corefile.blocks[0].statements[0], &[], &mut report);
        (spec, report)
    }

    #[test]
    fn addresses_and_monitors() {
        for (text, address, monitor) in [
            ("ready", "[::]:8181", Monitor::UntilReady),
            ("ready localhost:8091", "127.0.0.1:8091", Monitor::UntilReady),
            ("ready :1 {\n monitor until-ready\n}", "[::]:1", Monitor::UntilReady),
            ("ready {\n monitor continuously\n}", "[::]:8181", Monitor::Continuously),
        ] {
            let meant = ReadySpec { address: address.parse().unwrap(), monitor };
            assert_eq!(checked(text).0, Some(meant), "{text}");
        }
    }

    #[test]
    fn it_is_said_in_plain_words() {
        let said = |text: &str| checked(text).0.unwrap().describe();
        assert!(
            said("ready :1")
                .ends_with("http://[::]:1/ready whether this block can answer; each plugin is asked until it is ready")
        );
        assert!(said("ready {\n monitor continuously\n}").ends_with("each plugin is asked each time"));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("ready 8181", "2:7", "an address without a port"),
            ("ready :8181 :8182", "2:13", "unexpected argument `:8182`"),
            ("ready {\n monitor\n}", "3:9", "`until-ready` or `continuously`"),
            ("ready {\n monitor continuosly\n}", "3:10", "did you mean `continuously`"),
            ("ready {\n monitor until-ready now\n}", "3:22", "unexpected argument `now`"),
            ("ready {\n monitor until-ready\n monitor continuously\n}", "4:2", "`monitor` stands twice"),
            ("ready {\n monitr until-ready\n}", "3:2", "did you mean `monitor`"),
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
