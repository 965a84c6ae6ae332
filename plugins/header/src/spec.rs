//! What `header` says.

use std::sync::Arc;

use contract::corefile::{Report, Statement, no_body, value};
use contract::wire::{Flags, Name};
use contract::{BuildError, Context, Plugin, Spec};

use crate::{Header, NAME};

/// The flags that can be named, as [`Flags`] has them.
const FLAGS: [(&str, u16); 3] = [("aa", Flags::AA), ("ra", Flags::RA), ("rd", Flags::RD)];

/// What becomes of the flags of one kind of message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Flags that are set, as [`Flags`] has them.
    pub set: u16,
    /// Flags that are cleared; none of them is in `set`.
    pub clear: u16,
}

/// A checked `header`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderSpec {
    /// Of questions, for what stands behind.
    pub query: Change,
    /// Of replies.
    pub response: Change,
}

impl Change {
    /// True if no flag is named.
    pub fn is_nothing(self) -> bool {
        self.set | self.clear == 0
    }

    /// A header's flags as they are to be.
    pub fn apply(self, flags: u16) -> u16 {
        flags & !self.clear | self.set
    }

    /// Names one more flag; what was said of it before is over.
    fn note(&mut self, flag: u16, is_set: bool) {
        let (to, from) = if is_set { (&mut self.set, &mut self.clear) } else { (&mut self.clear, &mut self.set) };
        *to |= flag;
        *from &= !flag;
    }

    /// In words, or nothing.
    fn describe(self, of: &str) -> Option<String> {
        let names = |flags: u16| -> Vec<&str> {
            FLAGS.iter().filter(|(_, flag)| flags & flag != 0).map(|(name, _)| *name).collect()
        };
        let part = |verb: &str, flags: u16| (flags != 0).then(|| format!("{verb} {}", names(flags).join(" ")));
        let parts: Vec<String> = [part("sets", self.set), part("clears", self.clear)].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("{} in {of}", parts.join(" and ")))
    }
}

/// Reads `header { query|response set|clear FLAG... }`. The words may be in upper case, as in CoreDNS.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<HeaderSpec> {
    let before = report.errors();
    statement.reader(report).finish();
    let mut spec = HeaderSpec { query: Change::default(), response: Change::default() };
    for property in statement.properties() {
        check_rule(property, &mut spec, report);
    }
    if statement.properties().is_empty() {
        report
            .error(statement.span().after(), "`header` changes nothing")
            .expected("a line such as `response set ra` between braces");
    }
    (report.errors() == before).then_some(spec)
}

fn check_rule(property: &Statement, spec: &mut HeaderSpec, report: &mut Report) {
    let change = match property.name.text.to_lowercase().as_str() {
        "query" => &mut spec.query,
        "response" => &mut spec.response,
        selector => {
            let error = report.error(property.name.span, format!("no messages are called `{}`", property.name));
            error.nearest(selector, ["query", "response"]);
            error.expected("`query` or `response`");
            return;
        }
    };
    let mut reader = property.reader(report);
    let action = reader.value("`set` or `clear`", action);
    let flags = reader.some_values("flags, of `aa`, `ra` and `rd`", flag);
    if let Some(is_set) = action {
        flags.into_iter().for_each(|flag| change.note(flag, is_set));
    }
    no_body(property, report);
}

/// True for `set`.
fn action(text: &str) -> Result<bool, String> {
    match value::text(text)?.to_lowercase().as_str() {
        "set" => Ok(true),
        "clear" => Ok(false),
        _ => Err("no such action".to_owned()),
    }
}

fn flag(text: &str) -> Result<u16, String> {
    let lower = text.to_lowercase();
    let found = FLAGS.iter().find(|(name, _)| *name == lower).map(|(_, flag)| *flag);
    found.ok_or_else(|| "not a flag that can be changed".to_owned())
}

impl Spec for HeaderSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let parts = [self.query.describe("questions that are handed on"), self.response.describe("replies")];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn build(&self, _context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        Ok(Arc::new(Header { query: self.query, response: self.response }))
    }
}
