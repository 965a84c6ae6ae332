//! A text cut into entries of words: comments, quotes, and parentheses that join lines (RFC 1035 5.1).

use std::fmt;

/// A word as it stands, its escapes kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What stands there; in quotes, what stands between them.
    pub octets: Vec<u8>,
    /// It stands in quotes.
    pub is_quoted: bool,
}

/// What stands on one line, or on several within parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of its first word, from 1.
    pub line: usize,
    /// It begins with a blank: its owner is that of the entry before.
    pub starts_blank: bool,
    /// At least one.
    pub words: Vec<Word>,
}

impl Word {
    /// As text, for numbers and mnemonics; `None` if it is no UTF-8.
    pub fn text(&self) -> Option<&str> {
        str::from_utf8(&self.octets).ok()
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if self.is_quoted { "\"" } else { "" };
        write!(f, "{quote}{}{quote}", shown(&self.octets))
    }
}

/// A text for people: what no terminal shows is escaped.
pub(crate) fn shown(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for c in String::from_utf8_lossy(octets).chars() {
        match c.is_control() {
            true => text.extend(c.escape_default()),
            false => text.push(c),
        }
    }
    text
}

/// What is wrong with the text, and on which line of it, from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {reason}")]
pub struct Wrong {
    /// Where, from 1.
    pub line: usize,
    /// What, in words.
    pub reason: String,
}

fn wrong(line: usize, reason: &str) -> Wrong {
    Wrong { line, reason: reason.to_owned() }
}

/// Reads entries.
#[derive(Clone, Debug)]
pub struct Lexer<'f> {
    octets: &'f [u8],
    at: usize,
    line: usize,
}

impl<'f> Lexer<'f> {
    /// From the beginning of a text.
    pub fn new(octets: &'f [u8]) -> Self {
        Self { octets, at: 0, line: 1 }
    }

    /// The next entry; `None` at the end.
    pub fn entry(&mut self) -> Result<Option<Entry>, Wrong> {
        let mut entry = Entry { line: self.line, starts_blank: false, words: Vec::new() };
        // the lines of parentheses that are open
        let (mut open, mut at_start) = (Vec::new(), true);
        while let Some(&octet) = self.octets.get(self.at) {
            match octet {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    if !open.is_empty() {
                        continue;
                    }
                    if !entry.words.is_empty() {
                        return Ok(Some(entry));
                    }
                    entry.starts_blank = false;
                    at_start = true;
                    continue;
                }
                b' ' | b'\t' | b'\r' => {
                    entry.starts_blank |= at_start && octet != b'\r';
                    self.at += 1;
                }
                b';' => self.at += self.octets[self.at..].iter().take_while(|&&octet| octet != b'\n').count(),
                b'(' | b')' => {
                    if octet == b'(' {
                        open.push(self.line);
                    } else if open.pop().is_none() {
                        return Err(wrong(self.line, "a parenthesis that was not opened"));
                    }
                    self.at += 1;
                }
                _ => {
                    if entry.words.is_empty() {
                        entry.line = self.line;
                    }
                    let word = if octet == b'"' { self.quoted()? } else { self.word() };
                    entry.words.push(word);
                }
            }
            at_start = false;
        }
        match open.first() {
            Some(&line) => Err(wrong(line, "a parenthesis that is never closed")),
            None => Ok((!entry.words.is_empty()).then_some(entry)),
        }
    }

    /// Up to the closing quote, on the same line or not.
    fn quoted(&mut self) -> Result<Word, Wrong> {
        let start = self.at + 1;
        let mut rest = self.octets[start..].iter();
        loop {
            match rest.next() {
                None => return Err(wrong(self.line, "a quote that is never closed")),
                Some(b'"') => break,
                Some(b'\\') => drop(rest.next()),
                Some(_) => {}
            }
        }
        self.at = self.octets.len() - rest.len();
        let octets = self.octets[start..self.at - 1].to_vec();
        self.line += octets.iter().filter(|&&octet| octet == b'\n').count();
        Ok(Word { octets, is_quoted: true })
    }

    fn word(&mut self) -> Word {
        let start = self.at;
        while let Some(&octet) = self.octets.get(self.at) {
            match octet {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' | b'"' => break,
                b'\\' if self.octets.get(self.at + 1).is_some_and(|&next| next != b'\n') => self.at += 2,
                _ => self.at += 1,
            }
        }
        Word { octets: self.octets[start..self.at].to_vec(), is_quoted: false }
    }
}
