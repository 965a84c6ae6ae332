//! Where the lines of `tracing` go: standard error, one line per event, `[LEVEL] message` as CoreDNS writes them.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Starts logging for the process. `RUST_LOG` overrides the level. What the API server's client would say of each request
/// that fails, the watch says once.
pub fn start(level: &str) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{level},kube_client=off")));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).event_format(Lines).with_writer(std::io::stderr);
    // a second start (tests in one process) keeps the first one's place
    let _ = lines.try_init();
}

struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "INFO",
            Level::DEBUG | Level::TRACE => "DEBUG",
        };
        write!(to, "[{level}] ")?;
        context.field_format().format_fields(to.by_ref(), event)?;
        writeln!(to)
    }
}
