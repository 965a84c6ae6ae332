//! One event as it is written: `[LEVEL] message field=value` as CoreDNS writes lines, or an object of JSON.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::see::tap::rfc3339;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `[LEVEL] message field=value`, as CoreDNS writes them.
    #[default]
    Text,
    /// An object with `time`, `level`, `target`, `message` and the event's fields.
    Json,
}

/// An event.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) level: Level,
    pub(super) target: &'static str,
    pub(super) message: String,
    pub(super) fields: Vec<(&'static str, Value)>,
    pub(super) at: SystemTime,
    /// How often the same came again and was not written.
    pub(super) repeated: u64,
}

impl Line {
    pub(super) fn of(event: &Event<'_>, at: SystemTime) -> Self {
        let metadata = event.metadata();
        let (level, target) = (*metadata.level(), metadata.target());
        let mut line = Self { level, target, message: String::new(), fields: Vec::new(), at, repeated: 0 };
        event.record(&mut line);
        line
    }

    /// One of the log itself.
    pub(super) fn warning(message: String) -> Self {
        let (target, at) = ("nearpath::logging", SystemTime::now());
        Self { level: Level::WARN, target, message, fields: Vec::new(), at, repeated: 0 }
    }

    /// The line with its end.
    pub(super) fn written(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Json => self.json() + "\n",
        }
    }

    fn text(&self) -> String {
        let level = match self.level {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "INFO",
            Level::DEBUG | Level::TRACE => "DEBUG",
        };
        let mut line = format!("[{level}] {}", self.message);
        for (name, value) in &self.fields {
            let written = match value {
                Value::String(text) => write!(line, " {name}={text}"),
                other => write!(line, " {name}={other}"),
            };
            written.expect("a string takes every text");
        }
        if self.repeated > 0 {
            write!(line, " ({} times more in the last {} s)", self.repeated, super::repeats::PERIOD.as_secs())
                .expect("a string takes every text");
        }
        line.push('\n');
        line
    }

    fn json(&self) -> String {
        let mut object: Map<String, Value> =
            self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        object.insert("time".to_owned(), json!(rfc3339(self.at)));
        object.insert("level".to_owned(), json!(self.level.as_str().to_lowercase()));
        object.insert("target".to_owned(), json!(self.target));
        object.insert("message".to_owned(), json!(self.message));
        if self.repeated > 0 {
            object.insert("repeated".to_owned(), json!(self.repeated));
        }
        Value::Object(object).to_string()
    }

    fn keep(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, Value::String(value.to_owned()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, json!(value));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::UNIX_EPOCH;

    use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
    use tracing_subscriber::registry;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<Line>>>);

    impl<S: tracing::Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(Line::of(event, UNIX_EPOCH));
        }
    }

    fn said(say: impl FnOnce()) -> Line {
        let kept = Kept::default();
        tracing::subscriber::with_default(registry().with(kept.clone()), say);
        kept.0.lock().unwrap().remove(0)
    }

    #[test]
    fn an_event_is_one_line_with_its_fields() {
        let path = std::path::Path::new("/etc/hosts");
        let line =
            said(|| tracing::warn!(target: "hosts", path = %path.display(), records = 7, whole = true, "a {}", "b"));
        assert_eq!(line.written(Format::Text), "[WARNING] a b path=/etc/hosts records=7 whole=true\n");
        assert_eq!(
            line.written(Format::Json),
            "{\"level\":\"warn\",\"message\":\"a b\",\"path\":\"/etc/hosts\",\"records\":7,\"target\":\"hosts\",\
             \"time\":\"1970-01-01T00:00:00.000Z\",\"whole\":true}\n"
        );
    }

    #[test]
    fn json_is_one_line_whatever_is_said() {
        let text = "a\nb \"c\" \\ \u{1b}[31m";
        let written = said(|| tracing::error!(reason = text, "{text}")).written(Format::Json);
        assert_eq!(written.matches('\n').count(), 1, "{written}");
        let read: Value = serde_json::from_str(&written).unwrap();
        assert_eq!((read["message"].as_str(), read["reason"].as_str()), (Some(text), Some(text)));
    }

    #[test]
    fn a_count_is_said_in_both_forms() {
        let mut line = said(|| tracing::info!("down"));
        line.repeated = 41;
        assert_eq!(line.written(Format::Text), "[INFO] down (41 times more in the last 10 s)\n");
        assert!(line.written(Format::Json).contains("\"repeated\":41"));
    }
}
