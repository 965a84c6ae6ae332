//! What `trace` says.

use std::sync::Arc;
use std::time::Duration;

use contract::corefile::reader::repeated;
use contract::corefile::{Reader, Report, Statement, unknown_property, value};
use contract::limits::{TRACE_BACKLOG, TRACE_BACKLOG_MAX, TRACE_BATCH, TRACE_BATCH_INTERVAL};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::address::{Address, EXPECTED};
use crate::pipe::{Key, Pipe};
use crate::plugin::Trace;

const PROPERTIES: [&str; 6] = [
    "every",
    "service",
    "client_server",
    "zipkin_max_backlog_size",
    "zipkin_max_batch_size",
    "zipkin_max_batch_interval",
];

/// What to write where CoreDNS speaks another protocol.
const INSTEAD: &str = "write `trace otlp http://HOST:4318`: an OpenTelemetry collector takes that, and hands it on to";

/// A `trace` as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSpec {
    /// Where the collector is.
    pub address: Address,
    /// One of so many misses is traced.
    pub every: u64,
    /// By which name collectors know us.
    pub service: String,
    /// Spans that may wait.
    pub backlog: usize,
    /// Spans that make a request.
    pub batch: usize,
    /// How long they wait to become so many.
    pub interval: Duration,
}

/// Reads `trace [ENDPOINT-TYPE] [ENDPOINT] { ... }`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<TraceSpec> {
    let before = report.errors();
    let mut reader = statement.reader(report);
    let address = endpoint(&mut reader);
    reader.finish();
    let mut spec = TraceSpec {
        address: address.unwrap_or_default(),
        every: 1,
        service: "nearpath".to_owned(),
        backlog: TRACE_BACKLOG,
        batch: TRACE_BATCH,
        interval: TRACE_BATCH_INTERVAL,
    };
    for property in statement.properties() {
        let name = property.name.as_str();
        if name == "datadog_analytics_rate" {
            let error = report.error(property.name.span, "`datadog_analytics_rate` is Datadog's, which is not served");
            error.help(format!("{INSTEAD} Datadog"));
        } else if !PROPERTIES.contains(&name) {
            unknown_property(property, &PROPERTIES, report);
        } else if !repeated(statement, property, report) {
            read(property, &mut spec, report);
        }
    }
    if spec.batch > spec.backlog {
        let at = statement.property("zipkin_max_batch_size").or(statement.property("zipkin_max_backlog_size"));
        let message = format!("a batch of {} spans is larger than the backlog, {}", spec.batch, spec.backlog);
        report.error(at.unwrap_or(statement).span(), message).expected("a backlog that a batch fits in");
    }
    (report.errors() == before).then_some(spec)
}

/// One word may be the type or the endpoint.
fn endpoint(reader: &mut Reader<'_, '_>) -> Option<Address> {
    let first = reader.peek()?;
    let is_only = reader.statement().arguments.len() == 1;
    match first.text.to_lowercase().as_str() {
        "otlp" => {
            reader.optional();
        }
        other @ ("zipkin" | "datadog") => {
            reader.rest();
            let theirs = if other == "zipkin" { "Zipkin" } else { "Datadog" };
            let error = reader.report().error(first.span, format!("spans are not sent in the format of {theirs}"));
            error.help(format!("{INSTEAD} {theirs}"));
            return None;
        }
        word if !is_only => {
            reader.rest();
            let error = reader.report().error(first.span, format!("no type of endpoint is called `{word}`"));
            error.expected("`otlp`").nearest(word, ["otlp"]);
            return None;
        }
        _ => {}
    }
    let at = reader.span();
    let address = reader.optional_value(EXPECTED, Address::parse)?;
    if address.is_zipkins() {
        let warning = reader.report().warning(at, "this looks like Zipkin, which does not know OTLP");
        warning.help(format!("{INSTEAD} Zipkin"));
    }
    Some(address)
}

fn read(property: &Statement, spec: &mut TraceSpec, report: &mut Report) {
    let mut reader = property.reader(report);
    let spans = format!("a number of spans from 1 to {TRACE_BACKLOG_MAX}");
    match property.name.as_str() {
        "every" => {
            if let Some(every) = reader.value("AMOUNT: one of so many misses", value::number::<u64>) {
                spec.every = every.max(1); // CoreDNS takes 0 for 1
            }
        }
        "service" => {
            if let Some(name) = reader.word("a name such as `nearpath`") {
                spec.service.clone_from(&name.text);
            }
        }
        "client_server" => {
            let is_bare = reader.peek().is_none();
            if is_bare || reader.choice(&[("true", true), ("false", false)]) == Some(true) {
                let warning = reader.report().warning(property.name.span, "`client_server` has no effect");
                warning.help("in OTLP no two spans have the same id");
            }
        }
        "zipkin_max_backlog_size" => {
            spec.backlog = reader.value(&spans, value::number_in(1..=TRACE_BACKLOG_MAX)).unwrap_or(spec.backlog);
        }
        "zipkin_max_batch_size" => {
            spec.batch = reader.value(&spans, value::number_in(1..=TRACE_BACKLOG_MAX)).unwrap_or(spec.batch);
        }
        _ => {
            let interval = reader.value("a duration such as `1s`", value::positive_duration);
            spec.interval = interval.unwrap_or(spec.interval);
        }
    }
    reader.finish();
}

impl Spec for TraceSpec {
    fn name(&self) -> &'static str {
        "trace"
    }

    fn describe(&self) -> String {
        match self.every {
            1 => format!("sends a trace of every miss to {}", self.address),
            every => format!("sends a trace of one of {every} misses to {}", self.address),
        }
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let key = Key {
            address: self.address.clone(),
            service: self.service.clone(),
            backlog: self.backlog,
            batch: self.batch,
            interval: self.interval,
        };
        Ok(Arc::new(Trace::new(self.every, &context.server, Pipe::of(&key, context)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::testing::checked;

    #[test]
    fn endpoints() {
        for (text, said) in [
            ("trace", "every miss to http://localhost:4318/v1/traces"),
            ("trace otlp", "every miss to http://localhost:4318/v1/traces"),
            ("trace collector:4318", "every miss to http://collector:4318/v1/traces"),
            ("trace OTLP collector", "every miss to http://collector:4318/v1/traces"),
            ("trace {\n every 10000\n}", "one of 10000 misses to http://localhost:4318/v1/traces"),
            ("trace {\n every 0\n}", "every miss to http://localhost:4318/v1/traces"),
        ] {
            let (spec, report) = checked(text, check);
            assert_eq!(report, "", "{text}");
            assert_eq!(spec.unwrap().describe(), format!("sends a trace of {said}"));
        }
    }

    #[test]
    fn properties() {
        let text = "trace {\n service dnsproxy\n client_server false\n zipkin_max_backlog_size 1000\n \
                    zipkin_max_batch_size 100\n zipkin_max_batch_interval 250ms\n}";
        let (spec, report) = checked(text, check);
        assert_eq!(report, "");
        let spec = spec.unwrap();
        assert_eq!((spec.service.as_str(), spec.backlog, spec.batch), ("dnsproxy", 1_000, 100));
        assert_eq!(spec.interval, Duration::from_millis(250));
    }

    #[test]
    fn what_has_no_effect_is_warned_of() {
        for (text, place, reason) in [
            ("trace {\n client_server\n}", "3:2", "`client_server` has no effect"),
            ("trace tracinghost:9411", "2:7", "this looks like Zipkin"),
            ("trace http://tracinghost:80/api/v2/spans", "2:7", "hands it on to Zipkin"),
        ] {
            let (spec, report) = checked(text, check);
            assert!(spec.is_some() && report.starts_with(&format!("Corefile:{place}: warning")), "{report}");
            assert!(report.contains(reason), "{report}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("trace zipkin", "2:7", "write `trace otlp http://HOST:4318`"),
            ("trace zipkin tracinghost:9411", "2:7", "hands it on to Zipkin"),
            ("trace datadog localhost:8126", "2:7", "hands it on to Datadog"),
            ("trace oltp localhost", "2:7", "did you mean `otlp`"),
            ("trace otlp https://collector", "2:12", "plain HTTP"),
            ("trace otlp localhost more", "2:22", "unexpected argument `more`"),
            ("trace {\n every\n}", "3:7", "AMOUNT"),
            ("trace {\n every -1\n}", "3:8", "wrong value `-1`"),
            ("trace {\n evry 1\n}", "3:2", "did you mean `every`"),
            ("trace {\n every 1\n every 2\n}", "4:2", "`every` stands twice"),
            ("trace {\n client_server yes\n}", "3:16", "`true` or `false`"),
            ("trace {\n datadog_analytics_rate 1\n}", "3:2", "is Datadog's"),
            ("trace {\n zipkin_max_backlog_size 0\n}", "3:26", "from 1 to 1000000"),
            ("trace {\n zipkin_max_batch_interval 0s\n}", "3:28", "a duration of nothing"),
            ("trace {\n zipkin_max_batch_size 9000\n}", "3:2", "larger than the backlog, 8192"),
        ] {
            let (spec, report) = checked(text, check);
            assert_eq!(spec, None, "{text}");
            assert!(report.contains(&format!("Corefile:{place}: error")), "{text}: {report}");
            assert!(report.contains(reason), "{text}: {report}");
            assert_eq!(report.matches(": error: ").count(), 1, "{report}");
        }
    }
}
