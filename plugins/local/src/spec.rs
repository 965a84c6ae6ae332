//! `local` as it is written.

use std::sync::Arc;

use contract::corefile::{Report, Statement, no_body, unknown_property};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::{Local, NAME};

/// A checked `local`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSpec {
    /// `localhost_prefix`: whether `localhost.` in front of any domain means this host. On unless written `off`.
    pub localhost_prefix: bool,
}

/// Reads the statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<LocalSpec> {
    let before = report.errors();
    let mut spec = LocalSpec { localhost_prefix: true };
    statement.reader(report).finish();
    for property in statement.properties() {
        if property.name != "localhost_prefix" {
            unknown_property(property, &["localhost_prefix"], report);
            continue;
        }
        let mut reader = property.reader(report);
        if let Some(on) = reader.choice(&[("on", true), ("off", false)]) {
            spec.localhost_prefix = on;
            reader.finish();
        }
        no_body(property, report);
    }
    (report.errors() == before).then_some(spec)
}

impl Spec for LocalSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let prefix = if self.localhost_prefix { ", also `localhost.` before any domain" } else { "" };
        format!("answers for localhost and the loopback's reverse zones{prefix}")
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let help = "Queries for names around localhost, localhost itself not counted.";
        let counter = context.metrics.counter("coredns_local_localhost_requests_total", help, &[]);
        Ok(Arc::new(Local::new(self.localhost_prefix, counter)))
    }
}
