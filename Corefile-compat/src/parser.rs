//! Groups tokens into blocks and statements, by the rules of the parser that CoreDNS uses (Caddy 1), and goes on after
//! an error, so that all errors of a file come in one run.
//!
//! An import puts the tokens of a file or snippet in its place, so imports are a stack of token lists (`stream`).

mod import;
mod stream;
#[cfg(test)]
mod tests;

pub use import::{IMPORT_DEPTH_MAX, IMPORTS_MAX};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use crate::host::Host;
use crate::key;
use crate::lexer::{self, Token};
use crate::report::{Diagnostic, Report};
use crate::syntax::{Block, Corefile, Span, Statement, Word};
use crate::variable;
use stream::Stream;

/// Bytes of one file; a ConfigMap holds a quarter of it.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of all files together.
pub const ALL_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Tokens read in all, those of a snippet once per import.
pub const TOKENS_MAX: usize = 500_000;

/// Braces inside braces.
pub const NESTING_MAX: usize = 16;

const _: () = assert!(FILE_BYTES_MAX <= ALL_BYTES_MAX, "the main file alone must fit");
const _: () = assert!(ALL_BYTES_MAX < u32::MAX as usize, "a span's offsets are 32 bits");

/// Reads a Corefile. Whatever is wrong goes to the report; what could be understood is returned all the same.
///
/// `name` is what messages call the file, and imports are relative to its folder.
pub fn parse(name: &str, text: &str, host: &dyn Host, report: &mut Report) -> Corefile {
    let mut parser = Parser {
        host,
        report,
        stream: Stream::default(),
        snippets: BTreeMap::new(),
        files: BTreeMap::new(),
        bytes: 0,
        imports: 0,
        given_up: false,
        suspect: None,
        ended_at: None,
    };
    parser.begin(name, text);
    parser.corefile()
}

struct Parser<'h, 'r> {
    host: &'h dyn Host,
    report: &'r mut Report,
    stream: Stream,
    snippets: BTreeMap<String, Snippet>,
    /// Files that were read: each is read once, however often it is imported.
    files: BTreeMap<PathBuf, Rc<[Token]>>,
    bytes: usize,
    imports: usize,
    /// Whether a bound was reached: the rest is not read, and that it is missing is not an error of the file.
    given_up: bool,
    /// The first brace that was closed by one standing further left than its line.
    suspect: Option<Span>,
    /// Where the head of another block ended a body.
    ended_at: Option<Span>,
}

struct Snippet {
    name: Span,
    tokens: Rc<[Token]>,
}

impl Parser<'_, '_> {
    fn begin(&mut self, name: &str, text: &str) {
        let too_long = text.len() > FILE_BYTES_MAX;
        let source = self.report.add_source(name, if too_long { "" } else { text });
        if too_long {
            let start = Span { source, start: 0, end: 0 };
            self.report.error(start, format!("a file of {} bytes; {FILE_BYTES_MAX} are possible", text.len()));
        }
        self.bytes = text.len();
        let tokens: Rc<[Token]> = lexer::tokens(source, self.report).into();
        self.stream.push(tokens, stream::Origin::File(PathBuf::from(name)));
    }

    fn corefile(&mut self) -> Corefile {
        let mut corefile = Corefile::default();
        while let Some(token) = self.stream.peek().cloned() {
            match token.text.as_str() {
                "}" => self.stray_closing_brace(),
                "import" if token.new_line => self.import(),
                _ => corefile.blocks.extend(self.block(&token)),
            }
            self.check_bounds(token.span);
        }
        corefile
    }

    /// A server block, or none if it is a snippet.
    fn block(&mut self, first: &Token) -> Option<Block> {
        let words = self.keys();
        if let [only] = words.as_slice()
            && let Some(name) = only.text.strip_prefix('(').and_then(|name| name.strip_suffix(')'))
        {
            self.snippet(name, only.span);
            return None;
        }
        let span = match words.as_slice() {
            [first, .., last] => first.span.to(last.span),
            [only] => only.span,
            [] => first.span,
        };
        let opening = self.stream.take_if(|token| token.text == "{").map(|token| token.span);
        if let Some(opening) = opening.filter(|_| words.is_empty()) {
            self.report.error(opening, "a server block without a name").expected("a zone such as `.` before the brace");
        }
        let keys = words.iter().flat_map(|word| key::keys(word, self.report)).collect();
        let statements = self.statements(opening, 1);
        Some(Block { keys, statements, span })
    }

    /// The words before a block's brace. A comma lets the list go on, on the next line too.
    fn keys(&mut self) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        let mut comma: Option<Span> = None;
        let mut first = true;
        while let Some(token) = self.stream.peek().cloned() {
            let ends = token.new_line && !first && comma.is_none();
            if ends || token.text == "{" || token.text == "}" {
                break;
            }
            first = false;
            if token.text == "import" && token.new_line {
                self.import();
                continue;
            }
            self.stream.take();
            let mut word = self.word(&token);
            comma = None;
            if let Some(name) = word.text.strip_suffix(',') {
                word.text = name.to_owned();
                comma = Some(word.span);
            }
            if !word.text.is_empty() {
                words.push(word);
            }
        }
        if let Some(comma) = comma {
            self.report
                .error(comma.after(), "nothing behind the comma")
                .expected("another zone")
                .help("remove the comma");
        }
        words
    }

    /// Keeps the tokens between a snippet's braces for its imports.
    fn snippet(&mut self, name: &str, span: Span) {
        let Some(opening) = self.stream.take_if(|token| token.text == "{") else {
            self.report.error(span.after(), format!("the snippet `{name}` has no body")).expected("`{`");
            return;
        };
        let mut tokens = self.skip_body(opening.span);
        if let Some(first) = tokens.first_mut() {
            first.new_line = true;
        }
        if let Some(known) = self.snippets.get(name) {
            let place = self.report.place(known.name).to_string();
            self.report.error(span, format!("the snippet `{name}` is defined twice")).help(format!("first at {place}"));
            return;
        }
        self.snippets.insert(name.to_owned(), Snippet { name: span, tokens: tokens.into() });
    }

    /// Takes the tokens up to the closing brace, which it takes too.
    fn skip_body(&mut self, opening: Span) -> Vec<Token> {
        let mut tokens = Vec::new();
        let mut depth = 1;
        while let Some(token) = self.stream.take() {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return tokens;
            }
            tokens.push(token);
        }
        self.unclosed(opening);
        tokens
    }

    /// The lines of a body up to its closing brace, or to the end of the file for a block without braces.
    fn statements(&mut self, opening: Option<Span>, depth: usize) -> Vec<Statement> {
        let mut statements: Vec<Statement> = Vec::new();
        while let Some(token) = self.stream.peek().cloned() {
            self.check_bounds(token.span);
            match token.text.as_str() {
                "}" if opening.is_some() => {
                    self.stream.take();
                    return statements;
                }
                "}" => self.stray_closing_brace(),
                "{" => self.brace_on_its_own(&token, &mut statements, depth),
                "import" => self.import(),
                _ if self.another_block_begins() => {
                    self.block_inside(opening, &token);
                    return statements;
                }
                _ => statements.push(self.statement(&token, depth)),
            }
        }
        if let Some(opening) = opening {
            self.unclosed(opening);
        }
        statements
    }

    /// One line and its body.
    fn statement(&mut self, name: &Token, depth: usize) -> Statement {
        self.stream.take();
        let mut statement = Statement { name: self.word(name), arguments: Vec::new(), body: None };
        while let Some(token) = self.stream.peek().filter(|token| !token.new_line).cloned() {
            match token.text.as_str() {
                "{" => {
                    self.stream.take();
                    statement.body = Some(self.body(token.span, name.span, depth));
                    self.nothing_behind_body();
                    return statement;
                }
                "}" => {
                    if depth == 1 {
                        let error =
                            self.report.error(token.span, "the closing brace of a server block on a directive's line");
                        error.help("put the brace on a line of its own");
                    }
                    return statement;
                }
                _ => {
                    self.stream.take();
                    let word = self.word(&token);
                    statement.arguments.push(word);
                }
            }
        }
        statement
    }

    /// What stands between the braces of a statement whose opening brace has been taken.
    fn body(&mut self, opening: Span, name: Span, depth: usize) -> Vec<Statement> {
        if depth >= NESTING_MAX {
            self.report.error(opening, format!("braces inside braces, more than {NESTING_MAX} deep"));
            self.skip_body(opening);
            return Vec::new();
        }
        let statements = self.statements(Some(opening), depth + 1);
        if let Some(closing) = self.stream.last()
            && closing.new_line
            && closing.span.source == name.source
            && self.report.place(closing.span).column < self.report.place(name).column
        {
            self.suspect.get_or_insert(opening);
        }
        statements
    }

    /// Reports words between a closing brace and the end of its line.
    fn nothing_behind_body(&mut self) {
        let Some(token) = self.stream.peek().filter(|token| !token.new_line && token.text != "}").cloned() else {
            return;
        };
        self.report
            .error(token.span, format!("`{}` behind a closing brace", token.text))
            .expected("the end of the line");
        self.skip_line();
    }

    fn skip_line(&mut self) {
        while self.stream.take_if(|token| !token.new_line && token.text != "}").is_some() {}
    }

    /// An opening brace at the beginning of a line: it belongs to the line before.
    fn brace_on_its_own(&mut self, brace: &Token, statements: &mut [Statement], depth: usize) {
        self.stream.take();
        let error = self.report.error(brace.span, "an opening brace on a line of its own");
        error.help("put the brace at the end of the line that it belongs to");
        let body = self.body(brace.span, brace.span, depth);
        if let Some(last) = statements.last_mut() {
            last.body.get_or_insert(body);
        }
        self.nothing_behind_body();
    }

    /// Whether an unindented line that can only be the head of a server block or a snippet comes next.
    fn another_block_begins(&self) -> bool {
        let Some(first) = self.stream.peek().filter(|token| token.new_line) else {
            return false;
        };
        let snippet = first.text.starts_with('(') && first.text.ends_with(')');
        let named_like_a_block = snippet || first.text.contains(['.', ':']);
        named_like_a_block
            && self.stream.line().last().is_some_and(|last| last.text == "{")
            && self.report.place(first.span).column == 1
    }

    /// Ends a body because the head of another block stands in it. The bodies around end there too, without a word.
    fn block_inside(&mut self, opening: Option<Span>, next: &Token) {
        if self.ended_at.replace(next.span) == Some(next.span) {
            return;
        }
        match opening {
            Some(opening) => {
                let help = format!("another block begins at {}", self.report.place(next.span));
                self.never_closed(opening).help(help);
            }
            None => {
                let error = self.report.error(next.span, "a second block, but the first has no braces");
                error.help("only a file of one block may leave them out");
            }
        }
    }

    /// The file ends inside braces: said of the innermost only.
    fn unclosed(&mut self, opening: Span) {
        if !std::mem::replace(&mut self.given_up, true) {
            self.never_closed(opening);
        }
    }

    fn never_closed(&mut self, opening: Span) -> &mut Diagnostic {
        let suspect = self.suspect.take().map(|span| self.report.place(span).to_string());
        let error = self.report.error(opening, "a brace that is never closed").expected("`}`");
        match suspect {
            Some(place) => error.help(format!("or the one at {place}: the brace that closes it stands further left")),
            None => error,
        }
    }

    fn stray_closing_brace(&mut self) {
        if let Some(token) = self.stream.take() {
            self.report.error(token.span, "a closing brace that nothing opened");
        }
    }

    /// A token with its environment variables replaced.
    fn word(&mut self, token: &Token) -> Word {
        let expanded = variable::expand(&token.text, self.host);
        for name in &expanded.unset {
            self.report
                .warning(token.span, format!("the environment variable `{name}` is not set; it is read as empty"));
        }
        if expanded.endless {
            self.report.error(token.span, "environment variables whose values name each other without end");
        }
        Word { text: expanded.text, span: token.span, quoted: token.quoted }
    }

    fn check_bounds(&mut self, at: Span) {
        if self.stream.taken() > TOKENS_MAX {
            self.report.error(at, format!("more than {TOKENS_MAX} words, imports included"));
            self.stream.clear();
            self.given_up = true;
        }
    }
}
