//! Places inside a word: for directives whose words are texts in a language of their own.

use crate::report::Report;
use crate::syntax::{Span, Word};

impl Report {
    /// The place of the character at `offset` (octets) in a word's text; behind its last one if the text ends there. The
    /// whole word if its text is not what the file has: an environment variable stands in it.
    #[must_use]
    pub fn inside(&self, word: &Word, offset: usize) -> Span {
        self.found(word, offset).unwrap_or(word.span)
    }

    fn found(&self, word: &Word, offset: usize) -> Option<Span> {
        let quote = usize::from(word.quoted);
        let (start, end) = (word.span.start as usize + quote, (word.span.end as usize).checked_sub(quote)?);
        let mut written = self.text(word.span.source).get(start..end)?;
        let mut said = word.text.as_str();
        let mut place = None;
        loop {
            if word.text.len() - said.len() == offset {
                let at = end - written.len();
                let width = written.chars().next().map_or(1, char::len_utf8);
                let offset = |at: usize| u32::try_from(at).ok();
                place = Some(Span { start: offset(at)?, end: offset(at + width)?, ..word.span });
            }
            let Some(next) = said.chars().next() else { break };
            // what the lexer leaves out: the backslash before a quote in quotes, carriage returns outside
            let hidden = match (word.quoted, next) {
                (true, '"') => "\\",
                (true, _) => "",
                (false, _) => "\r",
            };
            written = written.strip_prefix(hidden).unwrap_or(written);
            (written, said) = (written.strip_prefix(next)?, &said[next.len_utf8()..]);
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Memory;

    /// Where an offset in the first argument stands, as column and the text from there.
    fn place(argument: &str, offset: usize) -> (usize, String) {
        let mut report = Report::new();
        let host = Memory::new();
        let corefile = crate::parse("f", &format!(".\ntest {argument}\n"), &host, &mut report);
        let word = &corefile.blocks[0].statements[0].arguments[0];
        let span = report.inside(word, offset);
        let text = report.text(span.source)[span.start as usize..span.end as usize].to_owned();
        (report.place(span).column, text)
    }

    #[test]
    fn an_offset_of_the_text_is_found_in_the_file() {
        assert_eq!(place("abc", 1), (7, "b".to_owned()));
        assert_eq!(place("abc", 3).0, 9, "behind the last one");
        assert_eq!(place("\"a b\"", 2), (9, "b".to_owned()));
        assert_eq!(place(r#""a\"b\\c""#, 2), (10, "b".to_owned()), "an escaped quote is two characters in the file");
        assert_eq!(place(r#""a\"b\\c""#, 5), (13, "c".to_owned()), "other backslashes are what they are");
        assert_eq!(place("\"äöü\"", 2), (8, "ö".to_owned()));
        assert_eq!(place("abc", 9), (6, "abc".to_owned()), "no such place: the word");
    }

    #[test]
    fn where_a_variable_stands_the_word_is_the_place() {
        assert_eq!(place("a{$UNSET}b", 1).0, 6);
    }
}
