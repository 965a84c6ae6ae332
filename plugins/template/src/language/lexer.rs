//! Cuts a template into texts and actions, and actions into tokens.

use super::Wrong;
use super::literal;

/// A part of a template.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Action { at: usize, tokens: Vec<Token> },
}

/// A token of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    /// Whether white space stands before it.
    pub(super) apart: bool,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// `.Name`, without the dot.
    Field(String),
    Dot,
    /// `$x` or `$`, with the dollar.
    Variable(String),
    Word(String),
    Text {
        value: String,
        written: String,
    },
    Number {
        value: i128,
        written: String,
    },
    Bar,
    Declare,
    Assign,
    Open,
    Close,
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// The parts of a template, white space cut where trim markers (`{{-`, `-}}`) say so.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, Wrong> {
    let mut pieces = Vec::new();
    let (mut at, mut trims) = (0, false);
    loop {
        let rest = &text[at..];
        let length = rest.find(OPEN).unwrap_or(rest.len());
        let mut plain = &rest[..length];
        let trims_before = is_left_trim(&rest[length..]);
        if trims {
            plain = plain.trim_start_matches(SPACE);
        }
        if trims_before {
            plain = plain.trim_end_matches(SPACE);
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.to_owned()));
        }
        if length == rest.len() {
            return Ok(pieces);
        }
        let start = at + length;
        let inside = start + OPEN.len() + usize::from(trims_before);
        let comment = text[inside..].trim_start_matches(if trims_before { &SPACE[..] } else { &[] });
        if comment.starts_with("/*") {
            (at, trims) = comment_end(text, start, text.len() - comment.len())?;
            continue;
        }
        let mut lexer = Lexer { text, at: inside, apart: true };
        let tokens = lexer.tokens(start)?;
        trims = lexer.trims();
        at = lexer.at + CLOSE.len();
        pieces.push(Piece::Action { at: start, tokens });
    }
}

fn is_left_trim(text: &str) -> bool {
    text.strip_prefix("{{-").is_some_and(|rest| rest.starts_with(SPACE))
}

/// Where a comment's action ends, and whether it trims what follows.
fn comment_end(text: &str, start: usize, comment: usize) -> Result<(usize, bool), Wrong> {
    let unclosed = || Wrong::new(start, "a comment that does not end", "`*/}}`");
    let length = text[comment..].find("*/").ok_or_else(unclosed)? + 2;
    let rest = &text[comment + length..];
    let trimmed = rest.trim_start_matches(SPACE);
    if rest.starts_with(CLOSE) {
        Ok((comment + length + CLOSE.len(), false))
    } else if trimmed.len() < rest.len() && trimmed.starts_with("-}}") {
        Ok((text.len() - trimmed.len() + 3, true))
    } else {
        Err(Wrong::new(comment + length, "something behind a comment", "`}}` directly behind `*/`"))
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    apart: bool,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// True where ` -}}` ended the action.
    fn trims(&self) -> bool {
        self.text[..self.at].ends_with('-')
    }

    /// The tokens up to the end of the action, where it is left.
    fn tokens(&mut self, start: usize) -> Result<Vec<Token>, Wrong> {
        let mut tokens: Vec<Token> = Vec::new();
        loop {
            let blank = self.rest().len() - self.rest().trim_start_matches(SPACE).len();
            self.at += blank;
            self.apart = blank > 0 || tokens.is_empty();
            if self.rest().starts_with(CLOSE) {
                return Ok(tokens);
            }
            if blank > 0 && self.rest().starts_with("-}}") {
                self.at += 1;
                return Ok(tokens);
            }
            if self.rest().is_empty() {
                return Err(Wrong::new(start, "an action that does not end", "`}}`"));
            }
            let (at, apart) = (self.at, self.apart);
            let kind = self.kind()?;
            tokens.push(Token { at, apart, kind });
        }
    }

    fn kind(&mut self) -> Result<Kind, Wrong> {
        let first = self.rest().chars().next().expect("looked at before");
        let second = self.rest().chars().nth(1);
        match first {
            '|' => Ok(self.sign(1, Kind::Bar)),
            '(' => Ok(self.sign(1, Kind::Open)),
            ')' => Ok(self.sign(1, Kind::Close)),
            '=' => Ok(self.sign(1, Kind::Assign)),
            ':' if second == Some('=') => Ok(self.sign(2, Kind::Declare)),
            '"' | '`' => {
                let (value, length) = literal::text(self.rest(), self.at)?;
                let written = self.rest()[..length].to_owned();
                Ok(self.sign(length, Kind::Text { value, written }))
            }
            '.' if second.is_some_and(is_letter) => {
                self.at += 1;
                Ok(Kind::Field(self.name()))
            }
            '.' if !second.is_some_and(|c| c.is_ascii_digit()) => Ok(self.sign(1, Kind::Dot)),
            '$' => {
                self.at += 1;
                Ok(Kind::Variable(format!("${}", self.name())))
            }
            '0'..='9' | '+' | '-' | '.' => {
                let (value, length) = literal::number(self.rest(), self.at)?;
                let written = self.rest()[..length].to_owned();
                Ok(self.sign(length, Kind::Number { value, written }))
            }
            c if is_letter(c) => Ok(Kind::Word(self.name())),
            c => Err(Wrong::new(self.at, format!("`{c}` means nothing here"), "a field, a function, or `}}`")),
        }
    }

    fn sign(&mut self, length: usize, kind: Kind) -> Kind {
        self.at += length;
        kind
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let length = rest.find(|c: char| !is_letter(c) && !c.is_numeric()).unwrap_or(rest.len());
        let name = rest[..length].to_owned();
        self.at += length;
        name
    }
}

fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}
