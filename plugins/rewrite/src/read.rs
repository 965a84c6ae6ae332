//! The grammar: `rewrite [continue|stop] FIELD ...`, on one line or its words spread over the lines between braces.

mod edns;
mod fields;
mod kind;
mod name;

use contract::corefile::{Reader, Report, Statement, Word};

use crate::rule::{Action, Rule};

const FIELDS: [&str; 7] = ["name", "type", "class", "cname", "ttl", "rcode", "edns0"];

/// Reads one statement. `None` after an error was reported.
pub(crate) fn rule(statement: &Statement, report: &mut Report) -> Option<Rule> {
    let line = one_line(statement, report)?;
    let mut words = line.reader(report);
    let mode = words.peek().map(|word| word.text.to_lowercase());
    let is_last = match mode.as_deref() {
        Some("continue") => false,
        Some("stop") => true,
        _ => return action(&mut words).map(|action| Rule { is_last: true, action }),
    };
    words.optional();
    action(&mut words).map(|action| Rule { is_last, action })
}

fn action(words: &mut Reader<'_, '_>) -> Option<Action> {
    let field = words.word("`name`, `type`, `class`, `cname`, `ttl`, `rcode` or `edns0`")?;
    match field.text.to_lowercase().as_str() {
        "name" => name::read(words),
        "type" => fields::rtype(words),
        "class" => fields::class(words),
        "cname" => fields::cname(words),
        "ttl" => fields::ttl(words),
        "rcode" => fields::rcode(words),
        "edns0" => edns::read(words),
        "answer" => {
            let error = words.report().error(field.span, "`answer` stands alone");
            error.help("put it behind a `name` rule, on its line or between the same braces");
            None
        }
        _ => {
            let error = words.report().error(field.span, format!("`{field}` is no field that can be rewritten"));
            error.expected("`name`, `type`, `class`, `cname`, `ttl`, `rcode` or `edns0`");
            error.nearest(&field.text, FIELDS.iter().chain(&["continue", "stop"]));
            None
        }
    }
}

/// The words of a statement in one line: those between its braces follow those before.
fn one_line(statement: &Statement, report: &mut Report) -> Option<Statement> {
    let mut line = Statement { body: None, ..statement.clone() };
    let inner = statement.properties();
    if let (Some(_), [_, second, ..]) = (&statement.body, statement.arguments.as_slice()) {
        let error = report.error(second.span, "a rule stands either before the braces or between them");
        error.help("remove the braces, or move all but `continue` or `stop` between them");
        return None;
    }
    for property in inner {
        if property.body.is_some() {
            let error = report.error(property.name.span, "braces inside of the braces of `rewrite`");
            error.help("write one rule between the braces, and a `rewrite` for each further one");
            return None;
        }
        line.arguments.push(property.name.clone());
        line.arguments.extend(property.arguments.iter().cloned());
    }
    Some(line)
}

/// Reports words that a rule does not take.
fn superfluous(left: &[Word], words: &mut Reader<'_, '_>) {
    for word in left {
        let error = words.report().error(word.span, format!("unexpected argument `{word}`"));
        error.help("a `rewrite` is one rule; write another `rewrite` for a further one");
    }
}
