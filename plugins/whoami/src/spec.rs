//! `whoami` as it is written: a mere word.

use std::sync::Arc;

use contract::corefile::{Report, Statement, no_arguments};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::{NAME, Whoami};

/// A checked `whoami`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhoamiSpec;

/// Reads the statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<WhoamiSpec> {
    let before = report.errors();
    no_arguments(statement, report);
    (report.errors() == before).then_some(WhoamiSpec)
}

impl Spec for WhoamiSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        "tells every client its own address, port and transport".to_owned()
    }

    fn build(&self, _context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        Ok(Arc::new(Whoami))
    }
}
