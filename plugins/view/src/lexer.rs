//! Cuts an expression into tokens.

use crate::Wrong;
use crate::literal;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Int(i64),
    Float(f64),
    Text(String),
    /// A name, or an operator that is a word.
    Word(String),
    Sign(&'static str),
    /// The end of the expression.
    End,
}

/// The longer ones first, so that `<=` is not `<`.
const SIGNS: [&str; 31] = [
    "&&", "||", "==", "!=", "<=", ">=", "??", "?.", "..", "**", "::", "(", ")", "[", "]", "{", "}", ",", ";", "%", "+",
    "-", "*", "/", "^", "!", "<", ">", "?", ":", "|",
];

/// The tokens of an expression; the last one is its end.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += blank(&text[at..], at)?;
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else {
            tokens.push(Token { at, kind: Kind::End });
            return Ok(tokens);
        };
        let (kind, length) = match first {
            '\'' | '"' | '`' => {
                let (value, length) = literal::text(rest, at)?;
                (Kind::Text(value), length)
            }
            '0'..='9' => literal::number(rest, at)?,
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => literal::number(rest, at)?,
            c if is_letter(c) => {
                let length = rest.find(|c| !is_letter(c)).unwrap_or(rest.len());
                (Kind::Word(rest[..length].to_owned()), length)
            }
            c => match SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                Some(sign) => (Kind::Sign(sign), sign.len()),
                None => {
                    let expected = if c == '=' { "`==`" } else { "an expression" };
                    return Err(Wrong::new(at, format!("`{c}` means nothing here"), expected));
                }
            },
        };
        tokens.push(Token { at, kind });
        at += length;
    }
}

/// How many octets of white space and comments stand here.
fn blank(text: &str, at: usize) -> Result<usize, Wrong> {
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start();
        rest = if let Some(comment) = trimmed.strip_prefix("/*") {
            let unclosed = || Wrong::new(at + text.len() - trimmed.len(), "a comment that does not end", "`*/`");
            &comment[comment.find("*/").ok_or_else(unclosed)? + 2..]
        } else if trimmed.starts_with("//") {
            &trimmed[trimmed.find('\n').unwrap_or(trimmed.len())..]
        } else {
            return Ok(text.len() - trimmed.len());
        };
    }
}

pub(crate) fn is_letter(c: char) -> bool {
    c == '_' || c == '$' || c.is_alphanumeric()
}
