//! `dns64` as it is written.

use std::sync::Arc;

use contract::corefile::{Report, Statement, no_arguments, no_body, unknown_property};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::{Dns64, NAME, Prefix};

/// The checked `dns64` statements of a server block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns64Spec {
    /// The prefix, if one is written; else the well-known one.
    pub prefix: Option<Prefix>,
    /// `translate_all`: also where there is AAAA.
    pub translate_all: bool,
    /// `allow_ipv4`: also for clients that ask over IPv4.
    pub allow_ipv4: bool,
}

const PROPERTIES: [&str; 3] = ["prefix", "translate_all", "allow_ipv4"];
const EXPECTED: &str = "a prefix such as `64:ff9b::/96`: IPv6, of 32 to 96 bits, whole octets";

/// Reads one statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<Dns64Spec> {
    let before = report.errors();
    let mut spec = Dns64Spec::default();
    if !statement.arguments.is_empty() {
        prefix(&mut spec, statement, report);
    }
    for line in statement.properties() {
        no_body(line, report);
        match line.name.as_str() {
            "prefix" => prefix(&mut spec, line, report),
            "translate_all" => {
                no_arguments(line, report);
                spec.translate_all = true;
            }
            "allow_ipv4" => {
                no_arguments(line, report);
                spec.allow_ipv4 = true;
            }
            _ => unknown_property(line, &PROPERTIES, report),
        }
    }
    (report.errors() == before).then_some(spec)
}

/// The prefix behind the directive or the property; the last one counts.
fn prefix(spec: &mut Dns64Spec, line: &Statement, report: &mut Report) {
    let mut reader = line.reader(report);
    let at = reader.span();
    let Some(prefix) = reader.value(EXPECTED, Prefix::parse) else { return };
    reader.finish();
    if !prefix.is_standard() {
        report
            .warning(at, format!("no translator knows the length of {prefix} (RFC 6052 2.2)"))
            .expected("32, 40, 48, 56, 64 or 96 bits");
    }
    spec.prefix = Some(prefix);
}

impl Dns64Spec {
    /// Adds a later `dns64` of the same server block, which are one plugin: its prefix counts, and what either allows.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self {
            prefix: later.prefix.or(self.prefix),
            translate_all: self.translate_all || later.translate_all,
            allow_ipv4: self.allow_ipv4 || later.allow_ipv4,
        }
    }
}

impl Spec for Dns64Spec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let prefix = self.prefix.unwrap_or(Prefix::WELL_KNOWN);
        let clients = if self.allow_ipv4 { "all clients" } else { "clients that ask over IPv6" };
        let names = if self.translate_all { "" } else { " for names without AAAA" };
        format!("makes AAAA behind {prefix} of A{names}, for {clients}")
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let translated = context.metrics.counter(
            "coredns_dns64_requests_translated_total",
            "Queries answered with AAAA made of A.",
            &[("server", &context.server)],
        );
        Ok(Arc::new(Dns64 {
            prefix: self.prefix.unwrap_or(Prefix::WELL_KNOWN),
            translate_all: self.translate_all,
            allow_ipv4: self.allow_ipv4,
            translated,
        }))
    }
}
