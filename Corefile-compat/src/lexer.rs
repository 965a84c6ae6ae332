//! Cuts a text into tokens, by the rules of the lexer that CoreDNS uses (Caddy 1).
//!
//! A token ends at white space. One that begins with a quote ends at the next quote; only `\"` is an escape there, and
//! lines may end inside. A quote in the middle of a token means itself. `#` before a token begins a comment to the line's
//! end; in the middle of a token it only hides the rest of that token, up to the next white space, which surprises, so a
//! warning says it. Carriage returns outside of quotes do not exist.

use crate::report::Report;
use crate::syntax::{SourceId, Span};

/// One token, its environment variables not yet replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) span: Span,
    pub(crate) quoted: bool,
    /// Whether it is the first of its line.
    pub(crate) new_line: bool,
}

/// The tokens of a source. Reports a quote that is never closed.
pub(crate) fn tokens(source: SourceId, report: &mut Report) -> Vec<Token> {
    let text = report.text(source);
    let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut lexer = Lexer { text, source, at, written: at, new_line: true, surprises: Vec::new() };
    let mut tokens = Vec::new();
    let mut unclosed = None;
    while let Some((token, closed)) = lexer.next() {
        if !closed {
            unclosed = Some(Span { end: token.span.start + 1, ..token.span });
        }
        tokens.push(token);
    }
    let surprises = lexer.surprises.into_iter().map(|at| span(source, at, at + 1));
    for hash in surprises.collect::<Vec<_>>() {
        let message = "a `#` inside a word hides the rest of that word only";
        report.warning(hash, message).help("put a space before the `#` to hide the rest of the line");
    }
    if let Some(quote) = unclosed {
        report.error(quote, "a quote that is never closed").expected("a closing `\"` before the end of the file");
    }
    tokens
}

fn span(source: SourceId, start: usize, end: usize) -> Span {
    let offset = |at: usize| u32::try_from(at).expect("a file is bounded");
    Span { source, start: offset(start), end: offset(end) }
}

struct Lexer<'t> {
    text: &'t str,
    source: SourceId,
    at: usize,
    /// Where the token's text ends: before a comment in its middle.
    written: usize,
    /// Whether a line has begun since the last token.
    new_line: bool,
    /// Comments that hide the rest of a token only, and words follow.
    surprises: Vec<usize>,
}

impl Lexer<'_> {
    /// The next token, and whether its quotes are closed.
    fn next(&mut self) -> Option<(Token, bool)> {
        self.skip_blank();
        let first = self.peek()?;
        let start = self.at;
        let new_line = std::mem::take(&mut self.new_line);
        let (text, closed) = if first == '"' { self.quoted() } else { (self.plain(), true) };
        let span = span(self.source, start, self.written);
        Some((Token { text, span, quoted: first == '"', new_line }, closed))
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Skips white space and comments.
    fn skip_blank(&mut self) {
        while let Some(c) = self.peek() {
            match c {
                '\n' => self.new_line = true,
                '#' => {
                    self.skip_comment();
                    continue;
                }
                c if c.is_whitespace() => {}
                _ => return,
            }
            self.at += c.len_utf8();
        }
    }

    /// Skips to the line's end, which it leaves.
    fn skip_comment(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.find('\n').unwrap_or(rest.len());
    }

    fn plain(&mut self) -> String {
        let mut text = String::new();
        let end = |c: char| c.is_whitespace() && c != '\r';
        while let Some(c) = self.peek().filter(|c| *c != '#' && !end(*c)) {
            self.at += c.len_utf8();
            if c != '\r' {
                text.push(c);
            }
        }
        // The carriage return of a line end belongs to no token's place.
        self.written = self.text[..self.at].trim_end_matches('\r').len();
        let rest = &self.text[self.at..];
        let hidden = rest.find(end).unwrap_or(rest.len());
        let next = rest[hidden..].chars().find(|c| *c == '\n' || !c.is_whitespace());
        if hidden > 0 && !matches!(next, None | Some('\n' | '#')) && rest.starts_with('#') {
            self.surprises.push(self.at);
        }
        self.at += hidden;
        text
    }

    /// What stands between the quotes, and whether there is a closing one.
    fn quoted(&mut self) -> (String, bool) {
        let (text, closed) = self.up_to_quote();
        self.written = self.at;
        (text, closed)
    }

    fn up_to_quote(&mut self) -> (String, bool) {
        let mut text = String::new();
        self.at += 1;
        while let Some(c) = self.take() {
            match c {
                '"' => return (text, true),
                '\\' if self.peek() == Some('"') => {
                    self.at += 1;
                    text.push('"');
                }
                '\\' => {
                    // A backslash escapes nothing else, but a second one is read as escaped by the first.
                    text.push('\\');
                    if let Some(next) = self.take() {
                        text.push(next);
                    }
                }
                c => text.push(c),
            }
        }
        (text, false)
    }
}
