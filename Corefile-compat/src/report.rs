//! Collects everything that is wrong with a configuration, so that one run names it all, each with its place.
//!
//! A [`Report`] owns the texts of all files, because only with the text can a byte offset become a line and a column.

use std::collections::BTreeMap;
use std::fmt;

use crate::nearest;
use crate::syntax::{SourceId, Span};

/// Diagnostics that are kept and printed; more are only counted.
pub const DIAGNOSTICS_MAX: usize = 500;

/// Characters of a source line that are printed below a message; a longer one is shown around the place.
const SHOWN_CHARACTERS_MAX: usize = 160;

/// Characters shown before the place in a line that is too long.
const SHOWN_BEFORE: usize = 60;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The daemon does not start with it.
    Error,
    /// The daemon starts, but something that was written has no effect.
    Warning,
    /// It works, and could be better.
    Hint,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Hint => "hint",
        })
    }
}

/// One thing that is wrong, where, and what was expected instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    severity: Severity,
    span: Span,
    message: String,
    expected: Option<String>,
    nearest: Option<String>,
    helps: Vec<String>,
}

impl Diagnostic {
    fn new(severity: Severity, span: Span, message: String) -> Self {
        Self { severity, span, message, expected: None, nearest: None, helps: Vec::new() }
    }

    /// Says what should stand there, for example "a duration such as `5s`".
    pub fn expected(&mut self, what: impl Into<String>) -> &mut Self {
        self.expected = Some(what.into());
        self
    }

    /// Says which valid word `word` was probably meant to be, if one is close enough.
    pub fn nearest(&mut self, word: &str, valid: impl IntoIterator<Item = impl AsRef<str>>) -> &mut Self {
        self.nearest = nearest::nearest(word, valid);
        self
    }

    /// Says what to do.
    pub fn help(&mut self, text: impl Into<String>) -> &mut Self {
        let text = text.into();
        if !self.helps.contains(&text) {
            self.helps.push(text);
        }
        self
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Where it is.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The valid word that was probably meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        self.nearest.as_deref()
    }
}

/// A place as people count: file, line from 1, column from 1 in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place<'r> {
    /// The name under which the file was read.
    pub file: &'r str,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[derive(Debug)]
struct Source {
    name: String,
    text: String,
    /// Byte offset at which each line starts.
    lines: Vec<usize>,
}

impl Source {
    /// Index of the line that holds `offset`.
    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// The text of a line without its line end and byte-order mark.
    fn line_text(&self, line: usize) -> &str {
        let start = self.lines.get(line).copied().unwrap_or(self.text.len());
        let end = self.lines.get(line + 1).copied().unwrap_or(self.text.len());
        self.text[start..end].trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}')
    }

    /// Characters of the offset's line that stand before it, the byte-order mark not counted.
    fn characters_before(&self, offset: usize) -> usize {
        let start = self.lines[self.line(offset)];
        let offset = self.text.floor_char_boundary(offset);
        self.text[start..offset].trim_start_matches('\u{feff}').chars().count()
    }
}

/// Owns the texts of all files that were read and collects what is wrong with them.
#[derive(Debug, Default)]
pub struct Report {
    sources: Vec<Source>,
    diagnostics: Vec<Diagnostic>,
    /// Where in `diagnostics` those of a place are: an imported snippet is judged once per import, but said once.
    places: BTreeMap<(Severity, Span), Vec<usize>>,
    errors: usize,
    warnings: usize,
    hints: usize,
    /// Takes what is said about a diagnostic that is only counted.
    beyond: Option<Diagnostic>,
}

impl Report {
    /// A report without sources.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over a text, under the name that messages call it by.
    pub fn add_source(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let (name, text) = (name.into(), text.into());
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        self.sources.push(Source { name, text, lines });
        SourceId(u32::try_from(self.sources.len() - 1).expect("imports are bounded"))
    }

    /// The text of a source.
    #[must_use]
    pub fn text(&self, source: SourceId) -> &str {
        &self.sources[source.0 as usize].text
    }

    /// The name of a source.
    #[must_use]
    pub fn name(&self, source: SourceId) -> &str {
        &self.sources[source.0 as usize].name
    }

    /// The place of a span's first character.
    #[must_use]
    pub fn place(&self, span: Span) -> Place<'_> {
        let source = &self.sources[span.source.0 as usize];
        let start = span.start as usize;
        Place { file: &source.name, line: source.line(start) + 1, column: source.characters_before(start) + 1 }
    }

    /// Notes an error. The message says what is wrong; say more on what is returned.
    pub fn error(&mut self, at: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.note(Severity::Error, at, message.into())
    }

    /// Notes a warning.
    pub fn warning(&mut self, at: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.note(Severity::Warning, at, message.into())
    }

    /// Notes a hint.
    pub fn hint(&mut self, at: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.note(Severity::Hint, at, message.into())
    }

    fn note(&mut self, severity: Severity, span: Span, message: String) -> &mut Diagnostic {
        let known = self.places.entry((severity, span)).or_default();
        if let Some(same) = known.iter().copied().find(|index| self.diagnostics[*index].message == message) {
            return &mut self.diagnostics[same];
        }
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Hint => self.hints += 1,
        }
        let diagnostic = Diagnostic::new(severity, span, message);
        if self.diagnostics.len() >= DIAGNOSTICS_MAX {
            return self.beyond.insert(diagnostic);
        }
        known.push(self.diagnostics.len());
        self.diagnostics.push(diagnostic);
        self.diagnostics.last_mut().expect("just pushed")
    }

    /// Whether there is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many warnings there are.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// What was noted, sorted by place: the files in the order in which they were read.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<&Diagnostic> = self.diagnostics.iter().collect();
        sorted.sort_by_key(|diagnostic| diagnostic.span);
        sorted
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, diagnostic: &Diagnostic) -> fmt::Result {
        let place = self.place(diagnostic.span);
        writeln!(f, "{place}: {}: {}", diagnostic.severity, diagnostic.message)?;
        self.write_line(f, diagnostic.span)?;
        if let Some(expected) = &diagnostic.expected {
            writeln!(f, "  expected: {expected}")?;
        }
        if let Some(nearest) = &diagnostic.nearest {
            writeln!(f, "  help: did you mean `{nearest}`?")?;
        }
        for help in &diagnostic.helps {
            writeln!(f, "  help: {help}")?;
        }
        Ok(())
    }

    /// The line itself and a marker below the place.
    fn write_line(&self, f: &mut fmt::Formatter<'_>, span: Span) -> fmt::Result {
        let source = &self.sources[span.source.0 as usize];
        let line = source.line_text(source.line(span.start as usize));
        let before = source.characters_before(span.start as usize);
        if line.is_empty() && before == 0 {
            return Ok(());
        }
        let length = line.chars().count();
        let skipped = if length <= SHOWN_CHARACTERS_MAX { 0 } else { before.saturating_sub(SHOWN_BEFORE) };
        let shown: Vec<char> = line.chars().skip(skipped).take(SHOWN_CHARACTERS_MAX).collect();
        let indent: String = shown.iter().take(before - skipped).map(|c| if *c == '\t' { '\t' } else { ' ' }).collect();
        let end = source.text.floor_char_boundary(span.end as usize);
        let start = source.text.floor_char_boundary(span.start as usize);
        let marked = source.text[start..end.max(start)].lines().next().map_or(0, |text| text.chars().count());
        let room = shown.len().saturating_sub(before - skipped);
        let text: String = shown.iter().map(|c| if c.is_control() && *c != '\t' { ' ' } else { *c }).collect();
        writeln!(f, "  {text}")?;
        writeln!(f, "  {indent}{}", "^".repeat(marked.min(room).max(1)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in self.diagnostics() {
            self.write(f, diagnostic)?;
        }
        let kept = self.diagnostics.len();
        let all = self.errors + self.warnings + self.hints;
        if all > kept {
            writeln!(f, "and {} more", all - kept)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(source: SourceId, start: u32, end: u32) -> Span {
        Span { source, start, end }
    }

    #[test]
    fn a_message_shows_its_line_and_marks_the_place() {
        let mut report = Report::new();
        let file = report.add_source("Corefile", ". {\n\tfoward . 1.1.1.1\n}\n");
        report
            .error(span(file, 5, 11), "unknown directive `foward`")
            .nearest("foward", ["forward"])
            .expected("a directive");
        assert_eq!(
            report.to_string(),
            "Corefile:2:2: error: unknown directive `foward`\n  \tfoward . 1.1.1.1\n  \t^^^^^^\n  expected: a directive\n  help: did you mean `forward`?\n"
        );
    }

    #[test]
    fn messages_are_sorted_by_place_and_said_once() {
        let mut report = Report::new();
        let file = report.add_source("f", "a b c");
        report.warning(span(file, 4, 5), "late");
        report.error(span(file, 0, 1), "early");
        report.error(span(file, 0, 1), "early").help("do this");
        let printed = report.to_string();
        assert!(printed.find("early").unwrap() < printed.find("late").unwrap());
        assert_eq!((report.errors(), report.warnings()), (1, 1));
        assert!(report.has_errors());
    }

    #[test]
    fn columns_count_characters_and_no_byte_order_mark() {
        let mut report = Report::new();
        let file = report.add_source("f", "\u{feff}ä b\r\nc");
        assert_eq!(report.place(span(file, 6, 7)), Place { file: "f", line: 1, column: 3 });
        assert_eq!(report.place(span(file, 9, 10)), Place { file: "f", line: 2, column: 1 });
        report.error(span(file, 6, 7), "b");
        assert_eq!(report.to_string(), "f:1:3: error: b\n  ä b\n    ^\n");
    }

    #[test]
    fn more_than_the_bound_is_counted_not_kept() {
        let mut report = Report::new();
        let file = report.add_source("f", "a");
        for index in 0..DIAGNOSTICS_MAX + 3 {
            report.error(span(file, 0, 1), format!("{index}")).help("h");
        }
        assert_eq!(report.errors(), DIAGNOSTICS_MAX + 3);
        assert!(report.to_string().ends_with("and 3 more\n"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let mut report = Report::new();
        let file = report.add_source("f", "x".repeat(1000) + " here " + &"y".repeat(1000));
        report.error(span(file, 1001, 1005), "m");
        let printed = report.to_string();
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(lines[1].find("here"), lines[2].find("^^^^"));
        assert!(lines[1].len() < 200);
    }
}
