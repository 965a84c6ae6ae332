//! The language of Go's templates, as far as records need it: what is beyond is refused where it stands.
//!
//! ```text
//!   text --lexer--> pieces (text, tokens) --parser--> Program --evaluate--> the text of a record
//!                                             ^          |
//!                  groups of the `match` lines+          +--Display--> as metrics name it
//! ```
//!
//! What is known at the start is judged at the start: fields, functions, how many arguments, groups. What is left for a
//! question is what values say.

mod ast;
mod evaluate;
mod fields;
mod format;
mod functions;
mod lexer;
mod literal;
mod parser;
mod pipes;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use ast::{Field, Program};
pub(crate) use evaluate::Data;
pub(crate) use parser::Groups;

/// What is wrong with a template, and where: octets into its text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) at: usize,
    pub(crate) message: String,
    pub(crate) expected: String,
}

impl Wrong {
    pub(crate) fn new(at: usize, message: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { at, message: message.into(), expected: expected.into() }
    }
}

/// Why a template makes no text for a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failed {
    /// A group that the regular expression which fits does not have.
    #[error("`{of}` is given a value that there is none of")]
    Missing {
        /// The function.
        of: &'static str,
    },
    /// The function takes other kinds of values.
    #[error("`{of}` takes {wanted}")]
    Kind {
        /// The function.
        of: &'static str,
        /// What it takes.
        wanted: &'static str,
    },
    /// No such element.
    #[error("`{of}` is given the index {index}, which is out of range")]
    Range {
        /// The function.
        of: &'static str,
        /// The index.
        index: i128,
    },
    /// Not a number of that base and size.
    #[error("`parseInt` is given `{text}`, which is no such number")]
    Number {
        /// What was to be read.
        text: String,
    },
    /// Values that cannot be printed.
    #[error("a {kind} cannot be printed")]
    Print {
        /// What it is.
        kind: &'static str,
    },
    /// More than [`contract::limits::TEMPLATE_TEXT_MAX`].
    #[error("the text is longer than {} octets", contract::limits::TEMPLATE_TEXT_MAX)]
    Long,
}
