//! `minimal` as it is written: a mere word.

use std::sync::Arc;

use contract::corefile::{Report, Statement, no_arguments};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::{Minimal, NAME};

/// A checked `minimal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinimalSpec;

/// Reads the statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<MinimalSpec> {
    let before = report.errors();
    no_arguments(statement, report);
    (report.errors() == before).then_some(MinimalSpec)
}

impl Spec for MinimalSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        "leaves out authority and additional records of positive answers".to_owned()
    }

    fn build(&self, _context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        Ok(Arc::new(Minimal))
    }
}
