//! What `metadata` says.

use contract::corefile::{Report, Statement, unknown_property, value};
use contract::wire::Name;

/// For which names labels are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataSpec {
    /// Names at and below these.
    pub zones: Vec<Name>,
}

/// Reads `metadata [ZONES...]`. Without zones those of the server block count.
pub fn check(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<MetadataSpec> {
    let before = report.errors();
    let mut named: Vec<Name> = Vec::new();
    for given in statement.reader(report).values("a zone such as `example.org` or `10.0.0.0/8`", value::zone) {
        named.extend(given.iter().filter_map(|zone| Name::parse(zone.as_str()).ok()));
    }
    for property in statement.properties() {
        unknown_property(property, &[], report);
    }
    let zones = if statement.arguments.is_empty() { zones.to_vec() } else { named };
    (report.errors() == before).then_some(MetadataSpec { zones })
}

impl MetadataSpec {
    /// True if labels are told about queries for this name.
    pub fn covers(&self, name: &Name) -> bool {
        self.zones.iter().any(|zone| zone.encloses(name))
    }

    /// One line in plain words.
    pub fn describe(&self) -> String {
        let zones: Vec<String> = self.zones.iter().map(Name::to_string).collect();
        format!("labels about queries in {} can be read", zones.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use contract::testing;

    use super::*;

    fn checked(text: &str) -> (Option<MetadataSpec>, String) {
        let zones = ["a.example.", "b.example."].map(|zone| zone.parse().unwrap());
        let (mut specs, report) = testing::all_checked(text, &zones, check);
        (specs.remove(0), report)
    }

    #[test]
    fn zones_are_its_own_or_those_of_the_block() {
        for (text, zones) in [
            ("metadata", vec!["a.example.", "b.example."]),
            ("metadata {\n}", vec!["a.example.", "b.example."]),
            ("metadata Example.ORG", vec!["example.org."]),
            ("metadata 10.0.0.0/8 .", vec!["10.in-addr.arpa.", "."]),
        ] {
            let zones = zones.into_iter().map(|zone| zone.parse().unwrap()).collect();
            assert_eq!(checked(text).0, Some(MetadataSpec { zones }), "{text}");
        }
        let spec = checked("metadata example.org").0.unwrap();
        assert_eq!(spec.describe(), "labels about queries in example.org. can be read");
        let covers = |name: &str| spec.covers(&name.parse().unwrap());
        assert!(covers("example.org.") && covers("www.example.org.") && !covers("org.") && !covers("xexample.org."));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("metadata a..b", "2:10", "a name with an empty label"),
            ("metadata {\n a\n}", "3:2", "unknown property `a`"),
        ] {
            let (spec, report) = checked(text);
            assert_eq!(spec, None, "{text}");
            assert!(report.contains(&format!("Corefile:{place}: error")) && report.contains(reason), "{report}");
        }
    }
}
