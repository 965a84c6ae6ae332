//! The setting `view`: which questions a server block is for, beside its zones.
//!
//! ```text
//!   expr ... --lexer, parser--> Expr --compile: types, constants--> Code --evaluate, for each question--> is it ours?
//!            (places)                (addresses, types and regular expressions read once)
//! ```
//!
//! The language is expr-lang's, as far as views need it; what is beyond is refused where it stands. An expression that fails
//! for a question (an address that is none, a division by zero) says no.

mod code;
mod compile;
mod constants;
mod evaluate;
mod facts;
mod functions;
mod lexer;
mod literal;
mod parser;
mod spec;
#[cfg(test)]
mod tests;
mod tree;

pub use spec::{ViewSpec, check};

/// The directive's name.
const NAME: &str = "view";

/// What is wrong with an expression, and where: octets into its text.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    at: usize,
    message: String,
    expected: String,
    /// The word that may be mistyped.
    word: Option<String>,
}

impl Wrong {
    fn new(at: usize, message: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { at, message: message.into(), expected: expected.into(), word: None }
    }
}
