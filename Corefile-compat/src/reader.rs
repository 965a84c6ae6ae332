//! Reads the arguments of one statement and reports what is wrong with them, so that no directive has to.
//!
//! A directive's parser says what it wants, in order; a missing, wrong or superfluous argument is reported here, with
//! its place and what was expected. Each method returns `None` after it has reported, so parsers go on to the next line.

use crate::report::Report;
use crate::syntax::{Span, Statement, Word};

/// The arguments of one statement, taken from left to right.
#[derive(Debug)]
pub struct Reader<'s, 'r> {
    statement: &'s Statement,
    next: usize,
    report: &'r mut Report,
}

impl Statement {
    /// Begins to read the arguments.
    pub fn reader<'s, 'r>(&'s self, report: &'r mut Report) -> Reader<'s, 'r> {
        Reader { statement: self, next: 0, report }
    }
}

impl<'s> Reader<'s, '_> {
    /// The statement that is being read.
    #[must_use]
    pub fn statement(&self) -> &'s Statement {
        self.statement
    }

    /// The next argument, or an error that says what is missing.
    pub fn word(&mut self, expected: &str) -> Option<&'s Word> {
        let word = self.optional();
        if word.is_none() {
            self.missing(expected);
        }
        word
    }

    /// The next argument, if there is one.
    pub fn optional(&mut self) -> Option<&'s Word> {
        let word = self.peek()?;
        self.next += 1;
        Some(word)
    }

    /// The next argument, left in its place.
    #[must_use]
    pub fn peek(&self) -> Option<&'s Word> {
        self.statement.arguments.get(self.next)
    }

    /// Takes the next argument if it is this word.
    pub fn take(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|next| *next == word);
        self.next += usize::from(found);
        found
    }

    /// All arguments that are left, possibly none.
    pub fn rest(&mut self) -> &'s [Word] {
        let rest = &self.statement.arguments[self.next..];
        self.next = self.statement.arguments.len();
        rest
    }

    /// All arguments that are left, or an error if there is none.
    pub fn rest_or_missing(&mut self, expected: &str) -> &'s [Word] {
        if self.peek().is_none() {
            self.missing(expected);
        }
        self.rest()
    }

    /// The next argument as a value; one located error if it is missing or wrong. `parse` says why in its `Err`.
    pub fn value<T>(&mut self, expected: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let word = self.word(expected)?;
        self.judge(word, expected, &parse)
    }

    /// The next argument as a value, if there is one; a located error if it is wrong.
    pub fn optional_value<T>(&mut self, expected: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let word = self.optional()?;
        self.judge(word, expected, &parse)
    }

    /// All arguments that are left as values, possibly none; an error for each that is wrong.
    pub fn values<T>(&mut self, expected: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        self.rest().iter().filter_map(|word| self.judge(word, expected, &parse)).collect()
    }

    /// All arguments that are left as values, at least one.
    pub fn some_values<T>(&mut self, expected: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        if self.peek().is_none() {
            self.missing(expected);
        }
        self.values(expected, parse)
    }

    /// The next argument as one of a few words; the error lists them and names the nearest.
    pub fn choice<T: Copy>(&mut self, choices: &[(&str, T)]) -> Option<T> {
        let expected = listed(choices.iter().map(|(word, _)| *word));
        let word = self.word(&expected)?;
        self.choose(word, choices)
    }

    /// The next argument as one of a few words, if there is one.
    pub fn optional_choice<T: Copy>(&mut self, choices: &[(&str, T)]) -> Option<T> {
        let word = self.optional()?;
        self.choose(word, choices)
    }

    /// Reports every argument that is left over.
    pub fn finish(mut self) {
        let name = &self.statement.name;
        for word in self.rest() {
            self.report
                .error(word.span, format!("unexpected argument `{word}`"))
                .help(format!("`{name}` takes no more arguments here"));
        }
    }

    /// Reports that something is missing behind the last word of the line.
    pub fn missing(&mut self, expected: &str) {
        let name = &self.statement.name;
        self.report.error(self.statement.span().after(), format!("missing argument of `{name}`")).expected(expected);
    }

    /// Where the next argument stands, or would stand.
    #[must_use]
    pub fn span(&self) -> Span {
        self.peek().map_or_else(|| self.statement.span().after(), |word| word.span)
    }

    /// The report that errors go to.
    pub fn report(&mut self) -> &mut Report {
        self.report
    }

    fn judge<T>(&mut self, word: &Word, expected: &str, parse: &impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(&word.text) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.report.error(word.span, format!("wrong value `{word}`: {reason}")).expected(expected);
                None
            }
        }
    }

    fn choose<T: Copy>(&mut self, word: &Word, choices: &[(&str, T)]) -> Option<T> {
        let found = choices.iter().find(|(choice, _)| *word == **choice).map(|(_, value)| *value);
        if found.is_none() {
            let words = || choices.iter().map(|(word, _)| *word);
            let error = self.report.error(word.span, format!("wrong value `{word}`"));
            error.expected(listed(words())).nearest(&word.text, words());
        }
        found
    }
}

/// Reports a property that its directive does not have, and names the nearest that it has.
pub fn unknown_property(property: &Statement, valid: &[&str], report: &mut Report) {
    let name = &property.name;
    let error = report.error(name.span, format!("unknown property `{name}`"));
    error.nearest(&name.text, valid);
    if valid.is_empty() {
        error.expected("no properties");
    } else {
        error.expected(listed(valid.iter().copied()));
    }
}

/// Reports a property that stands in its directive before: CoreDNS would silently keep the last one.
pub fn repeated(statement: &Statement, property: &Statement, report: &mut Report) -> bool {
    let name = &property.name;
    let repeated = statement.property(&name.text).is_some_and(|first| !std::ptr::eq(first, property));
    if repeated {
        report.error(name.span, format!("`{name}` stands twice")).help("keep one of the lines");
    }
    repeated
}

/// Reports braces behind a statement that has none.
pub fn no_body(statement: &Statement, report: &mut Report) {
    let name = &statement.name;
    let Some(properties) = &statement.body else {
        return;
    };
    let at = properties.first().map_or(name.span, |first| first.name.span);
    report.error(at, format!("`{name}` has no properties")).help(format!("remove the braces behind `{name}`"));
}

/// Reports every argument and the braces of a statement that is a mere word.
pub fn no_arguments(statement: &Statement, report: &mut Report) {
    statement.reader(report).finish();
    no_body(statement, report);
}

/// The words as people list them: `a`, `b` or `c`.
fn listed<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let mut quoted: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match quoted.pop() {
        None => String::new(),
        Some(only) if quoted.is_empty() => only,
        Some(last) => format!("{} or {last}", quoted.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Memory;
    use crate::value;

    /// Reads the one statement of a text and returns what was reported.
    fn reported(line: &str, read: impl Fn(&Statement, &mut Report)) -> String {
        let mut report = Report::new();
        let corefile = crate::parse("f", &format!(".\n{line}\n"), &Memory::new(), &mut report);
        read(&corefile.blocks[0].statements[0], &mut report);
        report.to_string()
    }

    #[test]
    fn arguments_are_taken_from_left_to_right() {
        let told = reported("forward . 10.0.0.1 10.0.0.2", |statement, report| {
            let mut reader = statement.reader(report);
            assert_eq!(reader.value("a zone", value::name).unwrap().as_str(), ".");
            assert!(!reader.take("to"));
            assert_eq!(reader.peek().unwrap(), &"10.0.0.1");
            assert_eq!(reader.some_values("an address", value::ip).len(), 2);
            assert!(reader.optional().is_none());
            reader.finish();
        });
        assert_eq!(told, "");
    }

    #[test]
    fn a_missing_argument_is_reported_behind_the_line() {
        let told = reported("forward .", |statement, report| {
            let mut reader = statement.reader(report);
            reader.word("a zone");
            assert!(reader.some_values("an address", value::ip).is_empty());
            assert_eq!(reader.optional_value("more", value::ip), None);
        });
        assert_eq!(
            told,
            "f:2:10: error: missing argument of `forward`\n  forward .\n           ^\n  expected: an address\n"
        );
    }

    #[test]
    fn a_wrong_value_says_why_and_what_was_expected() {
        let told = reported("expire 10x", |statement, report| {
            assert_eq!(statement.reader(report).value("a duration such as `10s`", value::duration), None);
        });
        assert!(told.starts_with("f:2:8: error: wrong value `10x`: no unit of time is called `x`\n"), "{told}");
        assert!(told.ends_with("expected: a duration such as `10s`\n"), "{told}");
    }

    #[test]
    fn a_wrong_choice_names_the_nearest() {
        let choices = [("random", 1), ("sequential", 2)];
        let told = reported("policy sequental", |statement, report| {
            assert_eq!(statement.reader(report).choice(&choices), None);
        });
        assert!(told.contains("expected: `random` or `sequential`\n  help: did you mean `sequential`?"), "{told}");
        assert_eq!(
            reported("policy random", |statement, report| assert_eq!(
                statement.reader(report).choice(&choices),
                Some(1)
            )),
            ""
        );
    }

    #[test]
    fn what_is_left_over_is_reported() {
        let told = reported("loop a b", no_arguments);
        assert_eq!(told.matches("unexpected argument").count(), 2);
        assert!(reported("loop {\nx\n}", no_arguments).starts_with("f:3:1: error: `loop` has no properties"));
        assert!(reported("loop {\n}", no_body).starts_with("f:2:1: error: `loop` has no properties"));
        assert_eq!(reported("loop", no_arguments), "");
    }

    #[test]
    fn an_unknown_property_names_the_nearest() {
        let told =
            reported("prefech 10", |statement, report| unknown_property(statement, &["success", "prefetch"], report));
        assert!(told.contains("f:2:1: error: unknown property `prefech`"), "{told}");
        assert!(told.contains("did you mean `prefetch`?"), "{told}");
    }
}
