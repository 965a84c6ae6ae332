//! `rewrite` as it is written: all of a server block are one list of rules.

use std::sync::Arc;

use contract::corefile::{Report, Statement};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::rule::Rule;
use crate::serve::Rewrite;
use crate::{NAME, read};

/// So many rules are named where the directive is described.
const SHOWN_MAX: usize = 8;

/// The checked `rewrite` statements of a server block, in order.
#[derive(Clone, Debug)]
pub struct RewriteSpec {
    rules: Vec<Rule>,
}

/// Reads one statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<RewriteSpec> {
    let before = report.errors();
    let rule = read::rule(statement, report);
    rule.filter(|_| report.errors() == before).map(|rule| RewriteSpec { rules: vec![rule] })
}

impl RewriteSpec {
    /// Adds a later `rewrite` of the same server block. All of a block are one plugin, because what one of them does decides
    /// which later ones are asked.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        self.rules.extend(later.rules);
        self
    }
}

impl Spec for RewriteSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let fields: Vec<_> = self.rules.iter().map(|rule| rule.action.field()).collect();
        let shown = &fields[..fields.len().min(SHOWN_MAX)];
        let more = if shown.len() < fields.len() { " ..." } else { "" };
        let rules = if fields.len() == 1 { "rule" } else { "rules, in order" };
        format!("rewrites questions and replies by {} {rules}: {}{more}", fields.len(), shown.join(", "))
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        Ok(Arc::new(Rewrite::new(&self.rules, context)))
    }
}
