//! `any` as it is written: a mere word.

use std::sync::Arc;

use contract::corefile::{Report, Statement, no_arguments};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::{Any, NAME};

/// A checked `any`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnySpec;

/// Reads the statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<AnySpec> {
    let before = report.errors();
    no_arguments(statement, report);
    (report.errors() == before).then_some(AnySpec)
}

impl Spec for AnySpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        "answers ANY with one HINFO record (RFC 8482)".to_owned()
    }

    fn build(&self, _context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        Ok(Arc::new(Any))
    }
}
