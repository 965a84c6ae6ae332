//! Puts environment variables into a word: `{$NAME}` and `{%NAME%}`, in quotes too; an unset one is empty.

use crate::host::Host;

/// Variables replaced in one word: one whose value names itself would never end.
const REPLACED_MAX: usize = 100;

/// Bytes that a word may grow to.
const WORD_BYTES_MAX: usize = 64 * 1024;

/// How a reference opens and closes, in the order in which they are replaced.
const REFERENCES: [(&str, &str); 2] = [("{%", "%}"), ("{$", "}")];

/// A word with its variables replaced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    /// Variables that are not set.
    pub(crate) unset: Vec<String>,
    /// Whether it was given up because it would not end.
    pub(crate) endless: bool,
}

/// Replaces every variable, and those in the values of variables.
pub(crate) fn expand(text: &str, host: &dyn Host) -> Expanded {
    let mut expanded = Expanded { text: text.to_owned(), ..Expanded::default() };
    let mut replaced = 0;
    for (opening, closing) in REFERENCES {
        while let Some((reference, name)) = first_reference(&expanded.text, opening, closing) {
            replaced += 1;
            if replaced > REPLACED_MAX || expanded.text.len() > WORD_BYTES_MAX {
                expanded.endless = true;
                return expanded;
            }
            let value = host.variable(&name).unwrap_or_else(|| {
                expanded.unset.push(name);
                String::new()
            });
            expanded.text = expanded.text.replace(&reference, &value);
        }
    }
    expanded
}

/// The first reference and the name in it. A name of no characters ends the search, as in CoreDNS.
fn first_reference(text: &str, opening: &str, closing: &str) -> Option<(String, String)> {
    let start = text.find(opening)?;
    let end = start + text[start..].find(closing)?;
    let name = text.get(start + opening.len()..end).filter(|name| !name.is_empty())?;
    Some((text[start..end + closing.len()].to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Memory;

    fn expanded(text: &str) -> Expanded {
        let host =
            Memory::new().with_variable("A", "one").with_variable("B", "<{$A}>").with_variable("SELF", "{$SELF}");
        expand(text, &host)
    }

    #[test]
    fn both_spellings_are_replaced() {
        assert_eq!(expanded("{$A}-{%A%}-{$A}").text, "one-one-one");
        assert_eq!(expanded("{$B}").text, "<one>");
        assert_eq!(expanded("a").text, "a");
    }

    #[test]
    fn an_unset_variable_is_empty_and_named() {
        let word = expanded("x{$NONE}y");
        assert_eq!((word.text.as_str(), word.unset), ("xy", vec!["NONE".to_owned()]));
    }

    #[test]
    fn what_is_no_reference_stays() {
        for text in ["{$}", "{%%}", "{%}", "{$A", "{A}", "$A", "{}"] {
            assert_eq!(expanded(text).text, text);
        }
    }

    #[test]
    fn a_variable_that_names_itself_ends() {
        assert!(expanded("{$SELF}").endless);
    }
}
