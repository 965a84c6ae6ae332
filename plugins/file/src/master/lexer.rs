//! A zone file cut into entries of words: comments, quotes, and parentheses that join lines (RFC 1035 5.1).

/// A word as it stands, its escapes kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) octets: Vec<u8>,
    pub(super) is_quoted: bool,
}

/// What stands on one line, or on several within parentheses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Of its first word, from 1.
    pub(super) line: usize,
    /// It begins with a blank: its owner is that of the entry before.
    pub(super) starts_blank: bool,
    /// At least one.
    pub(super) words: Vec<Word>,
}

impl Word {
    /// As text, for numbers and mnemonics.
    pub(super) fn text(&self) -> Result<&str, String> {
        str::from_utf8(&self.octets).map_err(|_| format!("`{}` is no UTF-8", self.octets.escape_ascii()))
    }
}

/// Reads entries.
pub(super) struct Lexer<'f> {
    octets: &'f [u8],
    at: usize,
    line: usize,
}

impl<'f> Lexer<'f> {
    pub(super) fn new(octets: &'f [u8]) -> Self {
        Self { octets, at: 0, line: 1 }
    }

    /// Where it has come to, from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The next entry; `None` at the end. An error has its line.
    pub(super) fn entry(&mut self) -> Result<Option<Entry>, (usize, String)> {
        let mut entry = Entry { line: self.line, starts_blank: false, words: Vec::new() };
        let (mut open, mut at_start) = (None, true);
        while let Some(&octet) = self.octets.get(self.at) {
            match octet {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    if open.is_some() {
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
                    open = match (octet, open) {
                        (b'(', None) => Some(self.line),
                        (b')', Some(_)) => None,
                        (b'(', Some(_)) => return Err((self.line, "a parenthesis inside parentheses".to_owned())),
                        _ => return Err((self.line, "a parenthesis that was not opened".to_owned())),
                    };
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
        match open {
            Some(line) => Err((line, "a parenthesis that is never closed".to_owned())),
            None => Ok((!entry.words.is_empty()).then_some(entry)),
        }
    }

    /// Up to the closing quote, on the same line or not.
    fn quoted(&mut self) -> Result<Word, (usize, String)> {
        let opened = self.line;
        let start = self.at + 1;
        let mut at = start;
        while let Some(&octet) = self.octets.get(at) {
            match octet {
                b'"' => {
                    self.at = at + 1;
                    return Ok(Word { octets: self.octets[start..at].to_vec(), is_quoted: true });
                }
                b'\\' => at += 1,
                b'\n' => self.line += 1,
                _ => {}
            }
            at += 1;
        }
        Err((opened, "a quote that is never closed".to_owned()))
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
