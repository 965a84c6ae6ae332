//! Cuts a text into tokens, by the rules of the lexer that CoreDNS uses (Caddy 1).
//!
//! A token ends at white space. One that begins with a quote ends at the next quote; only `\"` is an escape there, and
//! lines may end inside. `#` begins a comment wherever it stands outside of quotes, in the middle of a token too.
//! A quote in the middle of a token means itself. Carriage returns outside of quotes do not exist.

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
    let at = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let mut lexer = Lexer {
        text,
        source,
        at,
        new_line: true,
    };
    let mut tokens = Vec::new();
    let mut unclosed = None;
    while let Some((token, closed)) = lexer.next() {
        if !closed {
            unclosed = Some(Span {
                end: token.span.start + 1,
                ..token.span
            });
        }
        tokens.push(token);
    }
    if let Some(quote) = unclosed {
        report
            .error(quote, "a quote that is never closed")
            .expected("a closing `\"` before the end of the file");
    }
    tokens
}

struct Lexer<'t> {
    text: &'t str,
    source: SourceId,
    at: usize,
    /// Whether a line has begun since the last token.
    new_line: bool,
}

impl Lexer<'_> {
    /// The next token, and whether its quotes are closed.
    fn next(&mut self) -> Option<(Token, bool)> {
        self.skip_blank();
        let first = self.peek()?;
        let start = self.at;
        let new_line = std::mem::take(&mut self.new_line);
        let (text, closed) = if first == '"' {
            self.quoted()
        } else {
            (self.plain(), true)
        };
        let offset = |at: usize| u32::try_from(at).expect("a file is bounded");
        let span = Span {
            source: self.source,
            start: offset(start),
            end: offset(self.at),
        };
        Some((
            Token {
                text,
                span,
                quoted: first == '"',
                new_line,
            },
            closed,
        ))
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
        while let Some(c) = self.peek() {
            if c == '#' || (c.is_whitespace() && c != '\r') {
                break;
            }
            self.at += c.len_utf8();
            if c != '\r' {
                text.push(c);
            }
        }
        // The line end of CRLF belongs to no token's place.
        let written = self.text[..self.at].trim_end_matches('\r').len();
        self.at = written;
        text
    }

    /// What stands between the quotes, and whether there is a closing one.
    fn quoted(&mut self) -> (String, bool) {
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
