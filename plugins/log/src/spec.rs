//! What `log` says.

use std::sync::Arc;

use contract::corefile::{Report, Statement, Word, unknown_property, value};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::class::{Class, Classes};
use crate::format::Format;
use crate::plugin::QueryLog;
use crate::rule::Rule;

/// Every `log` of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSpec {
    /// In the order of the file; the first that encloses a name decides.
    pub rules: Vec<Rule>,
}

/// Reads `log [NAMES...] [FORMAT] { class CLASSES... }`.
pub fn check(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<LogSpec> {
    let before = report.errors();
    let (names, format) = match statement.arguments.as_slice() {
        [names @ .., last] if last.text.contains('{') => {
            if names.is_empty() {
                // CoreDNS reads one word alone as a name, so it would log nothing, and not say so.
                let error = report.error(last.span, "a format without a name before it");
                error.expected(format!("a name, as in `log . \"{last}\"`"));
            }
            (names, Format::check(last, report))
        }
        names => (names, Format::common()),
    };
    let mut read: Vec<Name> = names.iter().flat_map(|word| names_of(word, zones, report)).collect();
    if read.is_empty() {
        read.push(Name::root());
    }
    let classes = classes(statement, report);
    (report.errors() == before).then(|| LogSpec { rules: vec![Rule { names: read, format, classes }] })
}

impl LogSpec {
    /// This `log` and one further down in the same block: one line per query, by the first that encloses its name.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        self.rules.extend(later.rules);
        self
    }
}

impl Spec for LogSpec {
    fn name(&self) -> &'static str {
        "log"
    }

    fn describe(&self) -> String {
        let rules = self.rules.iter().map(|rule| {
            let names: Vec<String> = rule.names.iter().map(ToString::to_string).collect();
            let classes = [Class::Success, Class::Denial, Class::Error];
            let logged: Vec<&str> =
                classes.into_iter().filter(|class| rule.classes.contains(*class)).map(Class::label).collect();
            let which = if rule.classes == Classes::ALL { "all".to_owned() } else { logged.join(" and ") };
            format!("{which} for {}", names.join(" "))
        });
        format!("logs queries: {}", rules.collect::<Vec<_>>().join("; "))
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        Ok(Arc::new(QueryLog::new(self.rules.clone(), context)))
    }
}

/// The names that a word means: several, if it is a prefix between two labels.
fn names_of(word: &Word, zones: &[Name], report: &mut Report) -> Vec<Name> {
    let names: Result<Vec<Name>, String> = value::zone(&word.text).and_then(|zones| {
        zones.iter().map(|zone| Name::parse(zone.as_str()).map_err(|error| error.to_string())).collect()
    });
    let names = match names {
        Ok(names) => names,
        Err(reason) => {
            report.error(word.span, format!("wrong value `{word}`: {reason}")).expected("a name such as `example.org`");
            return Vec::new();
        }
    };
    let meets = |name: &Name| zones.is_empty() || zones.iter().any(|zone| zone.encloses(name) || name.encloses(zone));
    if !names.iter().any(meets) {
        let warning = report.warning(word.span, format!("`{word}` is not served by this block, so nothing is logged"));
        warning.help("put `log` into the block that serves the name");
    }
    names
}

fn classes(statement: &Statement, report: &mut Report) -> Classes {
    const WORDS: [(&str, Option<Class>); 4] = [
        ("success", Some(Class::Success)),
        ("denial", Some(Class::Denial)),
        ("error", Some(Class::Error)),
        ("all", None),
    ];
    let (mut classes, mut said) = (Classes::NONE, false);
    for property in statement.properties() {
        if property.name != "class" {
            unknown_property(property, &["class"], report);
            continue;
        }
        let mut reader = property.reader(report);
        if reader.peek().is_none() {
            reader.missing("`success`, `denial`, `error` or `all`");
        }
        while reader.peek().is_some() {
            said = true;
            match reader.choice(&WORDS) {
                Some(Some(class)) => classes.insert(class),
                Some(None) => classes = Classes::ALL,
                None => {}
            }
        }
    }
    if said { classes } else { Classes::ALL }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Memory, parse};

    fn checked(text: &str) -> (Option<LogSpec>, Report) {
        let mut report = Report::new();
        let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
        let zones = [Name::parse("example.org").unwrap(), Name::parse("10.in-addr.arpa").unwrap()];
        let spec = check(&corefile.blocks[0].statements[0], &zones, &mut report);
        (spec, report)
    }

    fn described(text: &str) -> String {
        let (spec, report) = checked(text);
        spec.unwrap_or_else(|| panic!("{report}")).describe()
    }

    #[test]
    fn names_and_classes() {
        for (text, said) in [
            ("log", "all for ."),
            ("log .", "all for ."),
            ("log Example.ORG a.example.org", "all for example.org. a.example.org."),
            ("log 10.0.0.0/15", "all for 0.10.in-addr.arpa. 1.10.in-addr.arpa."),
            ("log . {common}", "all for ."),
            ("log example.org {\n class denial\n}", "denial for example.org."),
            ("log . {combined} {\n class denial error\n}", "denial and error for ."),
            ("log . {\n class denial\n class success\n}", "success and denial for ."),
            ("log {\n class success all\n}", "all for ."),
            ("log {\n class all success\n}", "all for ."),
            ("log {\n}", "all for ."),
        ] {
            assert_eq!(described(text), format!("logs queries: {said}"), "{text}");
        }
    }

    #[test]
    fn formats() {
        let format = |text: &str| checked(text).0.unwrap().rules.remove(0).format;
        assert_eq!(format("log"), Format::common());
        assert_eq!(format("log . {common}"), Format::common());
        assert_eq!(format("log . \"{name} {type}\"").0.len(), 3);
        assert_ne!(format("log . {combined}"), Format::common());
    }

    #[test]
    fn several_are_one_specification() {
        let first = checked("log a.example.org {\n class error\n}").0.unwrap();
        let all = first.then(checked("log").0.unwrap());
        assert_eq!(all.describe(), "logs queries: error for a.example.org.; all for .");
    }

    #[test]
    fn what_has_no_effect_is_warned_of() {
        for (text, reason) in [
            ("log example.com", "`example.com` is not served by this block"),
            ("log . \"{nmae}\"", "did you mean `name`"),
            ("log . \"{name} {/kubernetes/endpoint}\"", "nobody knows the label `/kubernetes/endpoint`"),
            ("log . \"{/log/clas}\"", "did you mean `/log/class`"),
            ("log . \"{/view/nam}\"", "did you mean `/view/name`"),
        ] {
            let (spec, report) = checked(text);
            assert!(spec.is_some());
            assert!(report.warnings() == 1 && report.to_string().contains(reason), "{report}");
        }
        assert_eq!(checked("log . \"{\\\"a b\\\":1} {name}\"").1.warnings(), 0, "braces of JSON are text");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("log {combined}", "2:5", "a format without a name before it"),
            ("log a..b", "2:5", "a name with an empty label"),
            ("log {\n class\n}", "3:7", "`success`, `denial`, `error` or `all`"),
            ("log {\n class denied\n}", "3:8", "did you mean `denial`"),
            ("log {\n clas denial\n}", "3:2", "did you mean `class`"),
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
