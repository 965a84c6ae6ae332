//! `view` as it is written.

use std::sync::Arc;

use contract::corefile::{Report, Span, Statement, Word, no_body, unknown_property};
use contract::wire::Name;
use contract::{LabelBook, Looked, Selector};

use crate::code::Code;
use crate::facts::Facts;
use crate::functions::Function;
use crate::{NAME, Wrong};

/// A checked `view`. It may stand once in a server block.
#[derive(Clone, Debug)]
pub struct ViewSpec {
    /// As metrics, logs and the label `view/name` have it.
    pub name: String,
    /// The expressions as they are written. All of them must be true.
    pub expressions: Vec<String>,
    code: Arc<[Code]>,
}

/// Reads the statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<ViewSpec> {
    let before = report.errors();
    let mut reader = statement.reader(report);
    let name = reader.word("the name of the view, such as `internal`").map(|word| word.text.clone());
    reader.finish();
    let (mut expressions, mut code) = (Vec::new(), Vec::new());
    for line in statement.properties() {
        if line.name != "expr" {
            unknown_property(line, &["expr"], report);
            continue;
        }
        no_body(line, report);
        let words = line.reader(report).rest_or_missing("an expression such as `type() == 'A'`");
        if words.is_empty() {
            continue;
        }
        let text = joined(words);
        match Code::compile(&text) {
            Ok(compiled) => code.push(compiled),
            Err(wrong) => told(wrong, words, report),
        }
        expressions.push(text);
    }
    if statement.properties().is_empty() {
        let warning = report.warning(statement.name.span, format!("a `{NAME}` without `expr` is for every question"));
        warning.help("add a line such as `expr incidr(client_ip(), '10.0.0.0/8')`");
    }
    let name = name.filter(|_| report.errors() == before)?;
    Some(ViewSpec { name, expressions, code: code.into() })
}

/// An expression is all words of its line, with blanks between them.
fn joined(words: &[Word]) -> String {
    words.iter().map(Word::as_str).collect::<Vec<_>>().join(" ")
}

fn told(wrong: Wrong, words: &[Word], report: &mut Report) {
    let error_at = place(wrong.at, words, report);
    let error = report.error(error_at, wrong.message);
    error.expected(wrong.expected);
    if let Some(word) = &wrong.word {
        error.nearest(word, Function::names());
    }
    if words.len() > 1 && words.iter().any(|word| word.quoted) {
        error.help("write texts in single quotes: the Corefile takes double quotes for its own");
    }
}

/// Where an octet of the expression stands in the file.
fn place(at: usize, words: &[Word], report: &Report) -> Span {
    let mut start = 0;
    let mut found = (&words[0], 0);
    for word in words {
        if start <= at {
            found = (word, at - start);
        }
        start += word.text.len() + 1;
    }
    let (word, offset) = found;
    report.inside(word, offset.min(word.text.len()))
}

impl ViewSpec {
    /// What it does, in plain words.
    pub fn describe(&self) -> String {
        match self.expressions.as_slice() {
            [] => format!("view {}: every question", self.name),
            expressions => {
                let all: Vec<String> = expressions.iter().map(|one| format!("`{one}`")).collect();
                format!("view {}: questions for which {} is true", self.name, all.join(" and "))
            }
        }
    }

    /// The view at work, with the labels of its server block.
    pub fn selector(&self, labels: Arc<LabelBook>) -> Arc<dyn Selector> {
        Arc::new(View { name: self.name.clone(), code: Arc::clone(&self.code), labels })
    }
}

#[derive(Debug)]
struct View {
    name: String,
    code: Arc<[Code]>,
    labels: Arc<LabelBook>,
}

impl Selector for View {
    fn view(&self) -> &str {
        &self.name
    }

    fn is_personal(&self) -> bool {
        self.code.iter().any(Code::is_personal)
    }

    fn selects(&self, looked: &Looked<'_>) -> bool {
        let facts = Facts::new(looked, &self.labels);
        self.code.iter().all(|code| code.is_true(&facts))
    }
}
