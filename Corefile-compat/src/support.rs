//! What becomes of each directive that CoreDNS 1.14.7 knows: served, ignored with a warning, or refused with a reason.
//!
//! A directive is ignored only if an answer can never be wrong for it, and nothing is ignored in silence. The table in
//! the README is generated from the one here, and a test compares them.

mod table;

use std::fmt::Write as _;

use crate::report::Report;
use crate::syntax::{Corefile, Key, Scheme, Statement};
pub use table::DIRECTIVES;

/// What becomes of a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does what its README says.
    Served {
        /// The properties that it may have between its braces.
        properties: &'static [&'static str],
    },
    /// It is read and has no effect; a warning says so.
    Ignored {
        /// What is missing for it.
        lost: &'static str,
    },
    /// The configuration is refused.
    Refused {
        /// Why.
        reason: &'static str,
        /// What to write in its place.
        instead: &'static str,
    },
}

/// One directive of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The directive.
    pub name: &'static str,
    /// What becomes of it.
    pub support: Support,
}

/// What becomes of the directive of that name; `None` if there is none.
#[must_use]
pub fn lookup(name: &str) -> Option<Support> {
    DIRECTIVES.iter().find(|row| row.name == name).map(|row| row.support)
}

/// The properties of a served directive; none for others.
#[must_use]
pub fn properties(name: &str) -> &'static [&'static str] {
    match lookup(name) {
        Some(Support::Served { properties }) => properties,
        _ => &[],
    }
}

/// Reports every directive that is unknown, refused (errors) or ignored (warning), and every key whose scheme is refused.
pub fn check_directives(corefile: &Corefile, report: &mut Report) {
    for block in &corefile.blocks {
        block.keys.iter().for_each(|key| check_scheme(key, report));
        block.statements.iter().for_each(|statement| check(statement, report));
    }
}

fn check(statement: &Statement, report: &mut Report) {
    let name = &statement.name;
    match lookup(&name.text) {
        Some(Support::Served { .. }) => {}
        Some(Support::Ignored { lost }) => {
            report.warning(name.span, format!("`{name}` is ignored: {lost}"));
        }
        Some(Support::Refused { reason, instead }) => {
            report.error(name.span, format!("`{name}` is refused: {reason}")).help(instead);
        }
        None => {
            let error = report.error(name.span, format!("unknown directive `{name}`"));
            error.nearest(&name.text, DIRECTIVES.iter().map(|row| row.name));
        }
    }
}

fn check_scheme(key: &Key, report: &mut Report) {
    match key.scheme {
        Scheme::Dns | Scheme::Tls | Scheme::Https => {}
        Scheme::Grpc | Scheme::Quic | Scheme::Https3 => {
            let error = report.error(key.span, format!("`{}://` is refused: not served yet", key.scheme));
            error.help("serve the name over `dns://`, `tls://` or `https://`");
        }
    }
}

/// The table in Markdown, as the README holds it.
#[must_use]
pub fn markdown() -> String {
    let mut text =
        String::from("| Directive | Support | Properties, what is lost, or why and what instead |\n|---|---|---|\n");
    for Row { name, support } in DIRECTIVES {
        let (word, told) = match support {
            Support::Served { properties } => {
                let quoted: Vec<String> = properties.iter().map(|property| format!("`{property}`")).collect();
                ("served", quoted.join(", "))
            }
            Support::Ignored { lost } => ("ignored", (*lost).to_owned()),
            Support::Refused { reason, instead } => ("refused", format!("{reason}; {instead}")),
        };
        writeln!(text, "| `{name}` | {word} | {told} |").expect("a string takes every text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Memory;

    fn checked(text: &str) -> Report {
        let mut report = Report::new();
        let corefile = crate::parse("Corefile", text, &Memory::new(), &mut report);
        check_directives(&corefile, &mut report);
        report
    }

    #[test]
    fn an_unknown_directive_names_the_nearest() {
        let report = checked(". {\n    foward . 10.0.0.10\n}\n");
        assert_eq!(report.errors(), 1);
        assert!(report.to_string().starts_with("Corefile:2:5: error: unknown directive `foward`"));
        assert!(report.to_string().contains("did you mean `forward`?"));
    }

    #[test]
    fn a_refused_directive_says_why_and_what_instead() {
        let report = checked(". {\n    tsig {\n    }\n}\n");
        assert_eq!((report.errors(), report.warnings()), (1, 0));
        assert!(report.to_string().contains("help: "));
    }

    #[test]
    fn an_ignored_directive_is_never_silent() {
        let report = checked(". {\n    geoip /db\n    whoami\n}\n");
        assert_eq!((report.errors(), report.warnings()), (0, 1));
    }

    #[test]
    fn a_refused_scheme_is_an_error_at_the_key() {
        let report = checked(". quic://. {\n}\n");
        assert!(report.to_string().starts_with("Corefile:1:3: error: `quic://` is refused"));
        assert_eq!(checked("tls://. https://. dns://. {\n}\n").errors(), 0);
    }

    #[test]
    fn the_table_has_each_directive_once_and_says_what_it_must() {
        for (index, row) in DIRECTIVES.iter().enumerate() {
            assert!(DIRECTIVES[..index].iter().all(|before| before.name != row.name), "{} stands twice", row.name);
            let told = match row.support {
                Support::Served { properties } => properties.iter().all(|property| !property.is_empty()),
                Support::Ignored { lost } => !lost.is_empty(),
                Support::Refused { reason, instead } => !reason.is_empty() && !instead.is_empty(),
            };
            assert!(told, "{}", row.name);
        }
        assert_eq!(lookup("nothing"), None);
        assert!(properties("cache").contains(&"prefetch"));
        assert!(properties("tsig").is_empty());
    }

    /// The directives that node-cache 1.26.8 is built with.
    const NODE_CACHE: &str = "bind bufsize cache debug dns64 errors forward health hosts loadbalance log loop prometheus pprof \
                              reload rewrite template timeouts trace whoami";

    #[test]
    fn every_directive_of_node_cache_is_served() {
        for name in NODE_CACHE.split_whitespace() {
            assert!(matches!(lookup(name), Some(Support::Served { .. })), "{name}");
        }
    }

    #[test]
    fn the_readme_holds_the_table() {
        let readme = include_str!("../README.md");
        let table = markdown();
        assert!(readme.contains(&table), "the README's table is not the code's, which is:\n\n{table}");
    }
}
