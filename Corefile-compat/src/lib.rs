//! The Corefile language, read as CoreDNS 1.14 reads it: lexer, parser, located errors, support table.
//!
//! ```text
//! text --lexer--> tokens --parser--> Corefile (blocks, statements, spans) --Reader--> a specification per directive
//!                    ^                   |
//!          import, snippets, Host        +--check_directives, check_overlap--> Report
//! ```
//!
//! Two steps that never mix. This crate turns text into a tree whose every word keeps its place; what a directive
//! means is read from the tree by the directive's own crate, through [`Reader`]. Nothing here knows a plugin, opens
//! a socket, or reads a file but through [`Host`]. All errors of all files are collected in one [`Report`].

#[cfg(test)]
mod corpus;
pub mod differences;
pub mod host;
mod inside;
mod key;
mod lexer;
mod nearest;
mod overlap;
pub mod parser;
pub mod reader;
pub mod report;
pub mod support;
pub mod syntax;
pub mod value;
mod variable;

pub use host::{Disk, Host, Memory};
pub use overlap::{bound_to, check_overlap, check_overlap_on};
pub use parser::parse;
pub use reader::{Reader, no_arguments, no_body, repeated, unknown_property};
pub use report::{Diagnostic, Place, Report, Severity};
pub use support::{Row, Support, check_directives, lookup};
pub use syntax::{Block, Corefile, Key, Scheme, SourceId, Span, Statement, Word, Zone};
