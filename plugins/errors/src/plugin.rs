//! The directive at work: sees failures, and writes lines beside the queries.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use contract::wire::Name;
use contract::{Boxed, Clock, Context, Event, Failure, Observer, Plugin, limits};
use tokio::sync::{Notify, mpsc};
use tracing::Dispatch;

use crate::spec::{Consolidate, ErrorsSpec, Level};
use crate::tally::{Line, Tally};

/// Says failures of one server block.
#[derive(Debug)]
pub struct Errors {
    rules: Vec<Consolidate>,
    clock: Arc<dyn Clock>,
    tally: Mutex<Tally>,
    lines: mpsc::Sender<Line>,
    /// Locked by the writer alone, for as long as it runs.
    written: tokio::sync::Mutex<mpsc::Receiver<Line>>,
    /// Wakes the writer when a period begins.
    begun: Notify,
}

impl Errors {
    /// The plugin of a block.
    pub fn new(spec: ErrorsSpec, context: &Context) -> Self {
        let (lines, written) = mpsc::channel(limits::ERROR_LINES_MAX);
        Self {
            tally: Mutex::new(Tally::new(spec.consolidate.clone())),
            rules: spec.consolidate,
            clock: Arc::clone(&context.clock),
            lines,
            written: tokio::sync::Mutex::new(written),
            begun: Notify::new(),
        }
    }

    fn tally<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first rule that a failure belongs to, by its own words or by those that CoreDNS has for it.
    fn rule(&self, text: &str, failure: &Failure) -> Option<usize> {
        if self.rules.is_empty() {
            return None;
        }
        let other = coredns_words(failure);
        let matches = |rule: &Consolidate| {
            rule.pattern.is_match(text) || other.as_ref().is_some_and(|other| rule.pattern.is_match(other))
        };
        self.rules.iter().position(matches)
    }

    async fn write(self: Arc<Self>) {
        let Ok(mut written) = self.written.try_lock() else { return };
        loop {
            let now = self.clock.now();
            let (due, next) = self.tally(|tally| (tally.due(now), tally.next_due()));
            off_the_runtime(due).await;
            let period = async {
                match next {
                    Some(end) => tokio::time::sleep(end.since(now)).await,
                    None => std::future::pending().await,
                }
            };
            let mut lines = Vec::new();
            tokio::select! {
                _ = written.recv_many(&mut lines, limits::ERROR_LINES_MAX) => off_the_runtime(lines).await,
                () = period => {}
                () = self.begun.notified() => {}
            }
        }
    }
}

impl Plugin for Errors {
    fn name(&self) -> &'static str {
        "errors"
    }

    fn observer(&self) -> Option<&dyn Observer> {
        Some(self)
    }

    fn run(self: Arc<Self>) -> Boxed<'static, ()> {
        Box::pin(self.write())
    }
}

impl Observer for Errors {
    fn replied(&self, event: &Event<'_>) {
        let Some(failure) = event.failure else { return };
        if matches!(failure, Failure::Prohibited | Failure::Silent) {
            return; // an access list at work is no error
        }
        let text = without_controls(&failure.to_string());
        let rule = self.rule(&text, failure);
        let now = self.clock.now();
        let (level, waits) = self.tally(|tally| {
            let before = tally.next_due();
            (tally.failed(rule, now), tally.next_due() != before)
        });
        if waits {
            self.begun.notify_one();
        }
        let Some(level) = level else { return };
        let name = Name::from_wire(event.name).map_or_else(String::new, |name| name.to_string());
        let text = format!("plugin/errors: {} {name} {}: {text}", failure.told().0.0, event.question.0);
        if self.lines.try_send(Line { level, text }).is_err() {
            self.tally(|tally| tally.left_out(now));
        }
    }

    fn wants_all(&self) -> bool {
        false
    }
}

impl Drop for Errors {
    /// What was counted is said before the block goes.
    fn drop(&mut self) {
        let mut lines = Vec::new();
        while let Ok(line) = self.written.get_mut().try_recv() {
            lines.push(line);
        }
        lines.extend(self.tally(Tally::rest));
        if lines.is_empty() {
            return;
        }
        let dispatch = tracing::dispatcher::get_default(Dispatch::clone);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || say(&lines, &dispatch))),
            Err(_) => say(&lines, &dispatch),
        }
    }
}

/// A log that is not read (a full pipe) stops the thread that writes to it: one that serves nobody.
async fn off_the_runtime(lines: Vec<Line>) {
    if lines.is_empty() {
        return;
    }
    let dispatch = tracing::dispatcher::get_default(Dispatch::clone);
    // An error means that the runtime ends, and the log with it.
    let _ = tokio::task::spawn_blocking(move || say(&lines, &dispatch)).await;
}

fn say(lines: &[Line], dispatch: &Dispatch) {
    tracing::dispatcher::with_default(dispatch, || {
        for Line { level, text } in lines {
            match level {
                Level::Error => tracing::error!(target: "errors", "{text}"),
                Level::Warning => tracing::warn!(target: "errors", "{text}"),
                Level::Info => tracing::info!(target: "errors", "{text}"),
                Level::Debug => tracing::debug!(target: "errors", "{text}"),
            }
        }
    });
}

/// What CoreDNS says in the same case, so that patterns written for it hold on.
fn coredns_words(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Timeout { upstream, .. } => Some(format!("read udp 0.0.0.0:0->{upstream}: i/o timeout")),
        Failure::TooLate { .. } => Some("read udp 0.0.0.0:0->0.0.0.0:0: i/o timeout".to_owned()),
        Failure::Unreachable { upstream, reason } => Some(format!("dial tcp {upstream}: connect: {reason}")),
        Failure::AllDown { .. } | Failure::NoneAnswered { .. } => Some("no healthy proxies".to_owned()),
        Failure::BrokenReply { .. }
        | Failure::CnameLoop { .. }
        | Failure::CnameTooLong { .. }
        | Failure::Bound { .. }
        | Failure::NoBlock { .. }
        | Failure::EndOfChain { .. }
        | Failure::Prohibited
        | Failure::Silent
        | Failure::NotReady { .. }
        | Failure::Panicked
        | Failure::Memorised { .. } => None,
    }
}

/// One line stays one line, whatever an upstream said.
fn without_controls(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut kept, c| {
        match c.is_control() {
            true => write!(kept, "{}", c.escape_default()).expect("a string takes every text"),
            false => kept.push(c),
        }
        kept
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use contract::testing;
    use contract::wire::{Class, RecordType};
    use contract::{Client, RuntimeClock, Transport};
    use tracing::field::{Field, Visit};
    use tracing::span;

    use super::*;

    /// Keeps what is logged: level, target, message.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl Visit for Kept {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            assert_eq!(field.name(), "message");
            self.0.lock().unwrap().last_mut().unwrap().push_str(&format!("{value:?}"));
        }
    }

    impl tracing::Subscriber for Kept {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            let metadata = event.metadata();
            self.0.lock().unwrap().push(format!("{} {}: ", metadata.level(), metadata.target()));
            event.record(&mut self.clone());
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    impl Kept {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    fn errors(text: &str) -> Arc<Errors> {
        let (spec, report) = testing::checked(text, crate::check);
        let context = Context { clock: Arc::new(RuntimeClock::start()), ..testing::context() };
        Arc::new(Errors::new(spec.unwrap_or_else(|| panic!("{report}")), &context))
    }

    fn upstream() -> SocketAddr {
        "10.0.0.10:53".parse().unwrap()
    }

    fn timeout() -> Failure {
        Failure::Timeout { upstream: upstream(), waited: Duration::from_millis(2_000) }
    }

    fn fail(errors: &Errors, name: &str, failure: &Failure) {
        let client = "10.1.0.7:40000".parse().unwrap();
        errors.replied(&Event {
            client: Client { address: client, local: upstream(), transport: Transport::Udp },
            header: (1, 0x0100),
            name: Name::parse(name).unwrap().as_wire(),
            question: (RecordType::A, Class::IN),
            edns: None,
            query_len: 40,
            reply: &[],
            upstream: None,
            failure: Some(failure),
            took: Duration::from_millis(2_000),
        });
    }

    /// Runs the plugin for a while of paused time, and returns what was logged.
    async fn said(errors: &Arc<Errors>, kept: &Kept, wait: Duration) -> Vec<String> {
        let _ = tokio::time::timeout(wait, Arc::clone(errors).run()).await;
        kept.take()
    }

    const MOMENT: Duration = Duration::from_millis(10);

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_said_as_coredns_says_it() {
        let kept = Kept::default();
        let _guard = tracing::subscriber::set_default(kept.clone());
        let errors = errors("errors");
        fail(&errors, "Example.ORG", &timeout());
        fail(&errors, "refused.org", &Failure::Prohibited);
        fail(&errors, "none.org", &Failure::NoBlock { name: "none.org.".to_owned() });
        assert_eq!(
            said(&errors, &kept, MOMENT).await,
            [
                "ERROR errors: plugin/errors: 2 example.org. A: 10.0.0.10:53 did not answer within 2000 ms",
                "ERROR errors: plugin/errors: 5 none.org. A: no server block answers for none.org.",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_upstream_says_cannot_begin_a_line() {
        let kept = Kept::default();
        let _guard = tracing::subscriber::set_default(kept.clone());
        let errors = errors("errors");
        fail(&errors, "a\\010b", &Failure::BrokenReply { upstream: upstream(), reason: "x\n[INFO] y".into() });
        assert_eq!(
            said(&errors, &kept, MOMENT).await,
            [r"ERROR errors: plugin/errors: 2 a\010b. A: 10.0.0.10:53 sent a broken reply: x\n[INFO] y"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_consolidated_is_counted_and_said_at_the_end_of_its_period() {
        let kept = Kept::default();
        let _guard = tracing::subscriber::set_default(kept.clone());
        let errors = errors(
            "errors {\n consolidate 30s \".* i/o timeout$\" warning show_first\n consolidate 5m healthy info\n}",
        );
        for _ in 0..3 {
            fail(&errors, "example.org", &timeout());
        }
        fail(&errors, "example.org", &Failure::AllDown { count: 2, longest: None });
        fail(&errors, "example.org", &Failure::Panicked);
        assert_eq!(
            said(&errors, &kept, Duration::from_secs(29)).await,
            [
                "WARN errors: plugin/errors: 2 example.org. A: 10.0.0.10:53 did not answer within 2000 ms",
                "ERROR errors: plugin/errors: 2 example.org. A: internal error in this query",
            ]
        );
        assert_eq!(
            said(&errors, &kept, Duration::from_secs(2)).await,
            ["WARN errors: plugin/errors: 3 errors like '.* i/o timeout$' occurred in last 30s"]
        );
        assert_eq!(
            said(&errors, &kept, Duration::from_secs(300)).await,
            ["INFO errors: plugin/errors: 1 errors like 'healthy' occurred in last 5m0s"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_period_that_begins_while_the_writer_sleeps_ends_in_time() {
        let kept = Kept::default();
        let _guard = tracing::subscriber::set_default(kept.clone());
        let errors = errors("errors {\n consolidate 1s down\n}");
        let writer = tokio::spawn(Arc::clone(&errors).run());
        tokio::time::sleep(MOMENT).await;
        fail(&errors, "example.org", &Failure::AllDown { count: 2, longest: None });
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(kept.take(), ["ERROR errors: plugin/errors: 1 errors like 'down' occurred in last 1s"]);
        writer.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_is_cut_and_its_size_is_said() {
        let kept = Kept::default();
        let _guard = tracing::subscriber::set_default(kept.clone());
        let errors = errors("errors");
        for _ in 0..5_000 {
            fail(&errors, "example.org", &timeout());
        }
        let lines = said(&errors, &kept, Duration::from_secs(2)).await;
        assert_eq!(lines.len(), 101);
        assert!(
            lines[100].ends_with("4900 more errors left out: at most 100 lines a second are written"),
            "{}",
            lines[100]
        );
    }

    #[test]
    fn what_was_counted_is_said_when_the_block_goes() {
        let kept = Kept::default();
        let _guard = tracing::subscriber::set_default(kept.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let errors = runtime.block_on(async { errors("errors {\n consolidate 1h down\n}") });
        runtime.block_on(async { fail(&errors, "example.org", &Failure::AllDown { count: 1, longest: None }) });
        runtime.block_on(async { fail(&errors, "example.org", &Failure::Panicked) });
        drop(errors);
        assert_eq!(
            kept.take(),
            [
                "ERROR errors: plugin/errors: 2 example.org. A: internal error in this query",
                "ERROR errors: plugin/errors: 1 errors like 'down' occurred in last 1h0m0s",
            ]
        );
    }
}
