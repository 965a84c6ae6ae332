//! The Corefile language: lexer, parser, located errors, support table.
