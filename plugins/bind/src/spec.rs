//! What `bind` says, and which addresses that means on a machine.

use std::fmt;
use std::net::IpAddr;

use contract::BuildError;
use contract::corefile::reader::repeated;
use contract::corefile::{Reader, Report, Statement, Word, unknown_property, value};
use contract::wire::Name;

/// Octets of an interface's name (Linux: IFNAMSIZ without its final zero).
const INTERFACE_NAME_MAX: usize = 15;

const EXPECTED: &str = "an IP address such as `169.254.20.10`, or an interface such as `eth0`";

/// One `bind`. Several in a block add up, and `except` holds for its own `bind` only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindSpec {
    /// Where to listen; at least one, none twice.
    pub targets: Vec<Target>,
    /// Where not to, although `targets` say so.
    pub except: Vec<Target>,
}

/// An address, or all addresses of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// This address.
    Ip(IpAddr),
    /// What this interface has when the daemon starts or reloads.
    Interface(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Interface(name) => f.write_str(name),
        }
    }
}

/// Reads `bind ADDRESS|IFACE... { except ADDRESS|IFACE... }`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<BindSpec> {
    let before = report.errors();
    let targets = targets(&mut statement.reader(report));
    let mut except = Vec::new();
    for property in statement.properties() {
        match property.name.as_str() {
            "except" if !repeated(statement, property, report) => except = self::targets(&mut property.reader(report)),
            "except" => {}
            _ => unknown_property(property, &["except"], report),
        }
    }
    (report.errors() == before).then_some(BindSpec { targets, except })
}

impl BindSpec {
    /// One line in plain words.
    pub fn describe(&self) -> String {
        match self.except.as_slice() {
            [] => format!("listens on {}", listed(&self.targets)),
            except => format!("listens on {}, but not on {}", listed(&self.targets), listed(except)),
        }
    }

    /// The addresses to listen on, none twice. `addresses_of` tells what an interface has; `None` if there is no such
    /// interface.
    pub fn resolve(&self, addresses_of: impl Fn(&str) -> Option<Vec<IpAddr>>) -> Result<Vec<IpAddr>, BuildError> {
        let except = expand(&self.except, &addresses_of)?;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in expand(&self.targets, &addresses_of)? {
            if !except.contains(&address) && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            let reason = "no address is left to listen on; give the interface an address or change `bind`".to_owned();
            return Err(BuildError::Unavailable { what: format!("bind {}", listed(&self.targets)), reason });
        }
        Ok(addresses)
    }
}

fn targets(reader: &mut Reader<'_, '_>) -> Vec<Target> {
    let mut targets = Vec::new();
    for word in reader.rest_or_missing(EXPECTED) {
        match target(word) {
            Ok(target) if targets.contains(&target) => {
                let warning = reader.report().warning(word.span, format!("`{word}` stands twice"));
                warning.help("it is listened on once; remove one of them");
            }
            Ok(target) => targets.push(target),
            Err((reason, help)) => {
                let error = reader.report().error(word.span, format!("wrong value `{word}`: {reason}"));
                error.expected(EXPECTED);
                if let Some(help) = help {
                    error.help(help);
                }
            }
        }
    }
    targets
}

/// What a word means. No interface is called by digits and dots alone, or has a colon in its name: that is an address
/// mistyped.
fn target(word: &Word) -> Result<Target, (String, Option<&'static str>)> {
    let text = word.as_str();
    let wrong_address = match value::ip(text) {
        Ok(ip) => return Ok(Target::Ip(ip)),
        Err(reason) => reason,
    };
    if value::address(text, 0).is_ok() {
        return Err(("an address with a port".to_owned(), Some("the port belongs to the block's name, as in `.:53`")));
    }
    if text.contains([':', '%', '[', ']']) || text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err((wrong_address, None));
    }
    if text.is_empty() || text.len() > INTERFACE_NAME_MAX || text.contains(|c: char| c == '/' || c.is_whitespace()) {
        return Err((format!("not an interface's name (1 to {INTERFACE_NAME_MAX} octets, no `/`)"), None));
    }
    Ok(Target::Interface(text.to_owned()))
}

fn expand(targets: &[Target], addresses_of: &impl Fn(&str) -> Option<Vec<IpAddr>>) -> Result<Vec<IpAddr>, BuildError> {
    let mut all = Vec::new();
    for target in targets {
        match target {
            Target::Ip(ip) => all.push(*ip),
            Target::Interface(name) => match addresses_of(name) {
                Some(addresses) => all.extend(addresses),
                None => {
                    let reason = "no interface of that name; `ip address` lists them".to_owned();
                    return Err(BuildError::Unavailable { what: format!("bind {name}"), reason });
                }
            },
        }
    }
    Ok(all)
}

fn listed(targets: &[Target]) -> String {
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Memory, parse};

    fn checked(text: &str) -> (Option<BindSpec>, Report) {
        let mut report = Report::new();
        let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
        let spec = check(&corefile.blocks[0].statements[0], &[], &mut report);
        (spec, report)
    }

    fn resolved(text: &str) -> Result<String, String> {
        let addresses_of = |name: &str| match name {
            "lo" => Some(vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]),
            "bare" => Some(Vec::new()),
            _ => None,
        };
        let (spec, report) = checked(text);
        let spec = spec.unwrap_or_else(|| panic!("{report}"));
        let addresses = spec.resolve(addresses_of).map_err(|error| error.to_string())?;
        Ok(addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn addresses_and_interfaces_are_told_apart() {
        let (spec, report) = checked("bind 169.254.20.10 ::1 eth0.100 {\n except lo 127.0.0.1\n}");
        let spec = spec.unwrap_or_else(|| panic!("{report}"));
        let interface = |name: &str| Target::Interface(name.to_owned());
        let ip = |text: &str| Target::Ip(text.parse().unwrap());
        assert_eq!(spec.targets, [ip("169.254.20.10"), ip("::1"), interface("eth0.100")]);
        assert_eq!(spec.except, [interface("lo"), ip("127.0.0.1")]);
        assert_eq!(spec.describe(), "listens on 169.254.20.10 ::1 eth0.100, but not on lo 127.0.0.1");
    }

    #[test]
    fn what_it_means_on_a_machine() {
        assert_eq!(resolved("bind lo"), Ok("127.0.0.1 ::1".to_owned()));
        assert_eq!(resolved("bind ::1 lo"), Ok("::1 127.0.0.1".to_owned()));
        assert_eq!(resolved("bind lo {\n except 127.0.0.1\n}"), Ok("::1".to_owned()));
        assert!(resolved("bind lo {\n except lo\n}").unwrap_err().contains("no address is left"));
        assert!(resolved("bind bare").unwrap_err().contains("no address is left"));
        assert!(resolved("bind eth7").unwrap_err().starts_with("bind eth7: no interface of that name"));
        assert!(resolved("bind lo {\n except eth7\n}").unwrap_err().starts_with("bind eth7: no interface"));
    }

    #[test]
    fn an_address_twice_is_warned_of_and_used_once() {
        let (spec, report) = checked("bind 10.0.0.1 10.0.0.1");
        assert_eq!(spec.unwrap().targets.len(), 1);
        assert_eq!((report.errors(), report.warnings()), (0, 1));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("bind", "2:5", "missing argument of `bind`"),
            ("bind 127.0.0.1:53", "2:6", "an address with a port"),
            ("bind [::1]:53", "2:6", "an address with a port"),
            ("bind 300.0.0.1", "2:6", "not an IP address"),
            ("bind fe80::1%eth0", "2:6", "zone id"),
            ("bind eth0:1", "2:6", "not an IP address"),
            ("bind a/b", "2:6", "not an interface's name"),
            ("bind abcdefghijklmnop", "2:6", "not an interface's name"),
            ("bind lo {\n except\n}", "3:8", "missing argument of `except`"),
            ("bind lo {\n except ::1\n except ::2\n}", "4:2", "`except` stands twice"),
            ("bind lo {\n exept ::1\n}", "3:2", "did you mean `except`"),
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
