//! Cuts the first line of a zone file into tokens. Lines may go on inside parentheses and quotes.

use super::NoRecord;

/// A token; escapes (`\.`, `\059`) are left in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    /// Whether it stood in quotes.
    pub(super) quoted: bool,
    /// Whether a blank stands before it.
    pub(super) after_blank: bool,
}

/// The tokens of the first line that has any.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, NoRecord> {
    let mut line = Line { tokens: Vec::new(), word: String::new(), after_blank: false, depth: 0 };
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\n' if line.depth == 0 => {
                line.end_word();
                if !line.tokens.is_empty() {
                    return Ok(line.tokens);
                }
                line.after_blank = false;
            }
            ' ' | '\t' | '\n' => {
                line.end_word();
                line.after_blank = true;
            }
            '\r' => {}
            ';' => {
                line.end_word();
                line.after_blank = true;
                let comment = rest.as_str();
                rest = comment[comment.find('\n').unwrap_or(comment.len())..].chars();
            }
            '"' => {
                line.end_word();
                line.word = quoted(&mut rest)?;
                line.push(true);
            }
            '(' | ')' => line.parenthesis(c)?,
            '\\' => {
                line.word.push(c);
                line.word.push(rest.next().ok_or_else(|| NoRecord::new("a backslash with nothing behind it"))?);
            }
            c => line.word.push(c),
        }
    }
    line.end_word();
    if line.depth > 0 {
        return Err(NoRecord::new("a `(` that is never closed"));
    }
    Ok(line.tokens)
}

/// What stands up to the closing quote.
fn quoted(rest: &mut std::str::Chars<'_>) -> Result<String, NoRecord> {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        match c {
            '"' => return Ok(text),
            '\\' => {
                text.push(c);
                text.extend(rest.next());
            }
            c => text.push(c),
        }
    }
    Err(NoRecord::new("a quote that is never closed"))
}

struct Line {
    tokens: Vec<Token>,
    word: String,
    after_blank: bool,
    depth: usize,
}

impl Line {
    fn end_word(&mut self) {
        if !self.word.is_empty() {
            self.push(false);
        }
    }

    fn push(&mut self, quoted: bool) {
        let text = std::mem::take(&mut self.word);
        self.tokens.push(Token { text, quoted, after_blank: self.after_blank });
        self.after_blank = false;
    }

    fn parenthesis(&mut self, c: char) -> Result<(), NoRecord> {
        self.end_word();
        self.after_blank |= !self.tokens.is_empty();
        if c == '(' {
            self.depth += 1;
            return Ok(());
        }
        self.depth = self.depth.checked_sub(1).ok_or_else(|| NoRecord::new("a `)` without `(`"))?;
        Ok(())
    }
}
