//! `import`: a file, the files of a pattern, or a snippet, in place of the line.

use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::stream::Origin;
use super::{ALL_BYTES_MAX, FILE_BYTES_MAX, Parser};
use crate::lexer::{self, Token};
use crate::syntax::{Span, Word};

/// Imports of one run, the repeated ones counted (CoreDNS has the same bound).
pub const IMPORTS_MAX: usize = 1000;

/// Imports inside imports.
pub const IMPORT_DEPTH_MAX: usize = 32;

impl Parser<'_, '_> {
    /// Reads the import that comes next and puts what it names in its place.
    pub(super) fn import(&mut self) {
        let Some(import) = self.stream.take() else {
            return;
        };
        let argument = self.stream.take_if(|token| !token.new_line && token.text != "{" && token.text != "}");
        let word = argument.map(|token| self.word(&token)).filter(|word| !word.text.is_empty());
        let Some(word) = word else {
            let error = self.report.error(import.span.after(), "missing argument of `import`");
            error.expected("a file, a pattern of files, or a snippet's name");
            return;
        };
        if let Some(more) = self.stream.peek().filter(|token| !token.new_line && token.text != "}").cloned() {
            let error = self.report.error(more.span, format!("unexpected argument `{}`", more.text));
            error.expected("one file, pattern or snippet");
            self.skip_line();
        }
        self.imports += 1;
        if self.imports > IMPORTS_MAX || self.stream.depth() > IMPORT_DEPTH_MAX {
            let bound = format!("at most {IMPORTS_MAX} imports, at most {IMPORT_DEPTH_MAX} inside each other");
            self.report.error(word.span, "too many imports").expected(bound);
            return;
        }
        match self.snippets.get(&word.text).map(|snippet| Rc::clone(&snippet.tokens)) {
            Some(tokens) => self.enter(tokens, Origin::Snippet(word.text.clone()), word.span),
            None => self.import_files(&word),
        }
    }

    fn enter(&mut self, tokens: Rc<[Token]>, origin: Origin, at: Span) {
        if self.stream.is_open(&origin) {
            let what = match &origin {
                Origin::File(path) => format!("the file `{}`", path.display()),
                Origin::Snippet(name) => format!("the snippet `{name}`"),
            };
            self.report.error(at, format!("{what} imports itself"));
            return;
        }
        self.stream.push(tokens, origin);
    }

    fn import_files(&mut self, word: &Word) {
        let folder = Path::new(self.report.name(word.span.source)).parent().unwrap_or(Path::new(""));
        let path = plain(&folder.join(&word.text));
        let text = &word.text;
        if text.contains('[') || text.matches('*').count() > 1 || text.matches('?').count() > 1 {
            let error = self.report.error(word.span, "a pattern with several wildcards");
            error.expected("at most one `*` and one `?`");
            return;
        }
        if !text.contains(['*', '?']) {
            self.import_file(path, word);
            return;
        }
        match self.host.glob(&path.to_string_lossy()) {
            Ok(files) if files.is_empty() => {
                self.report.warning(word.span, format!("no file matches `{text}`; nothing is imported"));
            }
            // The first file is read first, so it goes on top of the stack.
            Ok(files) => files.into_iter().rev().for_each(|file| self.import_file(file, word)),
            Err(error) => {
                self.report.error(word.span, format!("cannot list `{}`: {error}", path.display()));
            }
        }
    }

    fn import_file(&mut self, path: PathBuf, word: &Word) {
        let tokens = match self.files.get(&path) {
            Some(tokens) => Some(Rc::clone(tokens)),
            None => self.read_file(&path, word),
        };
        if let Some(tokens) = tokens {
            self.enter(tokens, Origin::File(path), word.span);
        }
    }

    fn read_file(&mut self, path: &Path, word: &Word) -> Option<Rc<[Token]>> {
        let text = match self.host.read(path) {
            Ok(text) => text,
            Err(error) => {
                let snippets: Vec<String> = self.snippets.keys().cloned().collect();
                let error = self.report.error(word.span, format!("cannot import `{}`: {error}", path.display()));
                error.nearest(&word.text, snippets).expected("a file, or a snippet defined above");
                return None;
            }
        };
        self.bytes += text.len();
        if text.len() > FILE_BYTES_MAX || self.bytes > ALL_BYTES_MAX {
            let error = self.report.error(word.span, format!("`{}` is too long", path.display()));
            error.expected(format!("at most {FILE_BYTES_MAX} bytes a file and {ALL_BYTES_MAX} in all"));
            return None;
        }
        let source = self.report.add_source(path.to_string_lossy(), text);
        let tokens: Rc<[Token]> = lexer::tokens(source, self.report).into();
        self.files.insert(path.to_owned(), Rc::clone(&tokens));
        Some(tokens)
    }
}

/// The path without `.` components, so that a file has one name.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|component| *component != Component::CurDir).collect()
}
