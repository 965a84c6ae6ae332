//! What `errors` says.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use contract::corefile::reader::repeated;
use contract::corefile::{Report, Statement, no_arguments, unknown_property, value};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::plugin::Errors;
use contract::Pattern;

/// How failures are said.
#[derive(Clone, Debug, Default)]
pub struct ErrorsSpec {
    /// What is said once per period; the first that matches holds. Everything else is said each time.
    pub consolidate: Vec<Consolidate>,
}

/// Failures that are counted, and said once per period.
#[derive(Clone, Debug)]
pub struct Consolidate {
    /// From the first such failure to the line that counts them.
    pub period: Duration,
    /// Which.
    pub pattern: Pattern,
    /// How loudly.
    pub level: Level,
    /// Whether the first is said at once.
    pub show_first: bool,
}

/// The level of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // said by the words
pub enum Level {
    #[default]
    Error,
    Warning,
    Info,
    Debug,
}

impl Level {
    const WORDS: [(&str, Self); 4] =
        [("error", Self::Error), ("warning", Self::Warning), ("info", Self::Info), ("debug", Self::Debug)];
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, level)| level == self).map_or("", |(word, _)| word);
        f.write_str(word)
    }
}

const PROPERTIES: [&str; 2] = ["consolidate", "stacktrace"];

/// Reads `errors [stdout] { stacktrace; consolidate DURATION REGEXP [LEVEL] [show_first] }`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<ErrorsSpec> {
    let before = report.errors();
    let mut spec = ErrorsSpec::default();
    let mut reader = statement.reader(report);
    reader.optional_choice(&[("stdout", ())]);
    reader.finish();
    for property in statement.properties() {
        match property.name.as_str() {
            "stacktrace" if !repeated(statement, property, report) => {
                no_arguments(property, report);
                let warning = report.warning(property.name.span, "`stacktrace` has no effect");
                warning.help("a panic is always logged with its place; start with RUST_BACKTRACE=1 for the stack");
            }
            "stacktrace" => {}
            "consolidate" => spec.consolidate.extend(consolidate(property, report)),
            _ => unknown_property(property, &PROPERTIES, report),
        }
    }
    (report.errors() == before).then_some(spec)
}

fn consolidate(property: &Statement, report: &mut Report) -> Option<Consolidate> {
    let mut reader = property.reader(report);
    let period = reader.value("a duration such as `30s`", value::positive_duration);
    let expected = "a regular expression such as \".* timeout$\"";
    let follows = period.is_some() || reader.peek().is_some();
    let pattern = follows.then(|| reader.value(expected, Pattern::parse)).flatten();
    let (mut level, mut show_first) = (None, false);
    while let Some(word) = reader.peek() {
        let span = word.span;
        if *word == "show_first" {
            reader.optional();
            if show_first {
                reader.report().error(span, "`show_first` stands twice");
            }
            show_first = true;
            continue;
        }
        if Level::WORDS.iter().all(|(known, _)| *word != **known) {
            let words = Level::WORDS.map(|(word, _)| word).into_iter().chain(["show_first"]);
            let error = reader.report().error(span, format!("wrong value `{word}`"));
            error
                .nearest(&word.text, words)
                .expected("a level (`warning`, `error`, `info` or `debug`) or `show_first`");
            reader.optional();
            continue;
        }
        if level.is_some() {
            reader.report().error(span, format!("`{word}` is a second level"));
        } else if show_first {
            reader.report().error(span, format!("`{word}` stands behind `show_first`")).help("the level comes first");
        }
        level = reader.choice(&Level::WORDS);
    }
    Some(Consolidate { period: period?, pattern: pattern?, level: level.unwrap_or_default(), show_first })
}

impl Spec for ErrorsSpec {
    fn name(&self) -> &'static str {
        "errors"
    }

    fn describe(&self) -> String {
        let mut text = "says each failure of a query in the log".to_owned();
        for Consolidate { period, pattern, level, show_first } in &self.consolidate {
            let first = if *show_first { ", the first at once" } else { "" };
            text += &format!("; those like '{}' once in {period:?} as {level}{first}", pattern.as_str());
        }
        text
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        Ok(Arc::new(Errors::new(self.clone(), context)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Memory, parse};

    fn checked(text: &str) -> (Option<ErrorsSpec>, Report) {
        let mut report = Report::new();
        let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
        let spec = check(&corefile.blocks[0].statements[0], &[], &mut report);
        (spec, report)
    }

    #[test]
    fn every_property() {
        for text in ["errors", "errors stdout", "errors {\n}"] {
            assert!(checked(text).0.unwrap().consolidate.is_empty(), "{text}");
        }
        for (text, level, show_first) in [
            ("", Level::Error, false),
            ("warning", Level::Warning, false),
            ("error show_first", Level::Error, true),
            ("info", Level::Info, false),
            ("debug show_first", Level::Debug, true),
            ("show_first", Level::Error, true),
        ] {
            let (spec, report) = checked(&format!("errors {{\n consolidate 5m \".* i/o timeout$\" {text}\n}}"));
            let [one] = &spec.unwrap_or_else(|| panic!("{report}")).consolidate[..] else { panic!("one") };
            assert_eq!((one.period, one.pattern.as_str()), (Duration::from_secs(300), ".* i/o timeout$"));
            assert_eq!((one.level, one.show_first), (level, show_first), "{text}");
        }
    }

    #[test]
    fn several_are_kept_in_order_and_said_in_plain_words() {
        let (spec, _) = checked("errors {\n consolidate 30s ^a warning show_first\n consolidate 1m b\n}");
        assert_eq!(
            spec.unwrap().describe(),
            "says each failure of a query in the log; those like '^a' once in 30s as warning, the first at once; \
             those like 'b' once in 60s as error"
        );
    }

    #[test]
    fn a_stack_that_is_not_written_is_warned_of() {
        let (spec, report) = checked("errors {\n stacktrace\n}");
        assert!(spec.is_some());
        assert!(report.to_string().starts_with("Corefile:3:2: warning: `stacktrace` has no effect"), "{report}");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("errors /var/log/dns", "2:8", "expected: `stdout`"),
            ("errors stdout x", "2:15", "unexpected argument `x`"),
            ("errors {\n consolidate\n}", "3:13", "a duration such as `30s`"),
            ("errors {\n consolidate 5m\n}", "3:16", "a regular expression"),
            ("errors {\n consolidate 0s a\n}", "3:14", "a duration of nothing"),
            ("errors {\n consolidate 5m a(\n}", "3:17", "unclosed group"),
            ("errors {\n consolidate 5m \\Qa\\E\n}", "3:17", "Go's `\\Q` is not known here"),
            ("errors {\n consolidate 5m a warn\n}", "3:19", "a level (`warning`"),
            ("errors {\n consolidate 5m a warnin\n}", "3:19", "did you mean `warning`"),
            ("errors {\n consolidate 5m a info debug\n}", "3:24", "`debug` is a second level"),
            ("errors {\n consolidate 5m a show_first info\n}", "3:30", "stands behind `show_first`"),
            ("errors {\n consolidate 5m a show_first show_first\n}", "3:30", "stands twice"),
            ("errors {\n stacktrace now\n}", "3:13", "unexpected argument `now`"),
            ("errors {\n stacktrace\n stacktrace\n}", "4:2", "`stacktrace` stands twice"),
            ("errors {\n consolidat 5m a\n}", "3:2", "did you mean `consolidate`"),
        ] {
            let (spec, report) = checked(text);
            assert!(spec.is_none(), "{text}");
            let printed = report.to_string();
            assert!(printed.contains(&format!("Corefile:{place}: error")), "{text}: {printed}");
            assert!(printed.contains(reason), "{text}: {printed}");
            assert_eq!(report.errors(), 1, "{printed}");
        }
    }
}
