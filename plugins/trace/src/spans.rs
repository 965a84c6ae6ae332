//! A story as spans: one for the query, and below it one for each step.
//!
//! ```text
//!   query                          from its arrival to its reply
//!     block, memory, upstream      steps of the asked name
//!     candidate                    of AutoPath
//!       block, memory, upstream    steps of the candidate's name
//! ```

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use contract::wire::{Name, Rcode, RecordType};
use contract::{Client, Step, What};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};

/// A story with its end, as it waits to be sent.
#[derive(Debug)]
pub(crate) struct Told {
    /// The server block.
    pub(crate) server: Arc<str>,
    pub(crate) name: Name,
    pub(crate) rtype: RecordType,
    pub(crate) client: Client,
    pub(crate) rcode: Rcode,
    /// What went wrong, in words.
    pub(crate) failure: Option<String>,
    pub(crate) began: SystemTime,
    pub(crate) took: Duration,
    pub(crate) steps: Vec<Step>,
    /// Steps that there was no room for.
    pub(crate) left_out: usize,
}

impl Told {
    /// How many spans it makes.
    pub(crate) fn spans(&self) -> usize {
        self.steps.len() + 1
    }

    /// Makes them, the query's first.
    pub(crate) fn into_spans(self) -> Vec<SpanData> {
        let ids = RandomIdGenerator::default();
        let trace = ids.new_trace_id();
        let own: Vec<SpanId> = (0..self.spans()).map(|_| ids.new_span_id()).collect();
        let mut spans = vec![self.root(trace, own[0])];
        for (at, step) in self.steps.iter().enumerate() {
            let parent = parent(&self.steps, at).map_or(own[0], |parent| own[parent + 1]);
            spans.push(self.child(step, trace, own[at + 1], parent));
        }
        spans
    }

    fn root(&self, trace: TraceId, id: SpanId) -> SpanData {
        let mut attributes = vec![
            KeyValue::new("dns.question.name", self.name.to_string()),
            KeyValue::new("dns.question.type", self.rtype.to_string()),
            KeyValue::new("dns.response.code", self.rcode.to_string()),
            KeyValue::new("client.address", self.client.ip().to_string()),
            KeyValue::new("client.port", i64::from(self.client.address.port())),
            KeyValue::new("nearpath.transport", self.client.transport.label()),
            KeyValue::new("nearpath.server", self.server.to_string()),
        ];
        if self.left_out > 0 {
            attributes.push(KeyValue::new("nearpath.steps_left_out", i64::try_from(self.left_out).unwrap_or(i64::MAX)));
        }
        SpanData {
            span_kind: SpanKind::Server,
            end_time: self.began + self.took,
            status: status(self.failure.clone()),
            ..span(trace, id, SpanId::INVALID, "query", self.began, attributes)
        }
    }

    fn child(&self, step: &Step, trace: TraceId, id: SpanId, parent: SpanId) -> SpanData {
        let (kind, text, failure) = read(&step.what);
        let attributes = vec![
            KeyValue::new("dns.question.name", step.name.to_string()),
            KeyValue::new("dns.question.type", step.rtype.to_string()),
            KeyValue::new("nearpath.kind", kind),
            KeyValue::new("nearpath.text", text),
        ];
        let began = self.began + step.begun;
        SpanData {
            span_kind: if kind == "upstream" { SpanKind::Client } else { SpanKind::Internal },
            end_time: began + step.took,
            status: status(failure),
            ..span(trace, id, parent, kind, began, attributes)
        }
    }
}

/// The step that a step is a part of: the candidate that it was asked for, or else whatever of the depth above was under way,
/// if that began last. `None`: the query itself.
fn parent(steps: &[Step], at: usize) -> Option<usize> {
    let step = &steps[at];
    let above = step.depth.checked_sub(1)?;
    let holds = |outer: &Step| outer.begun <= step.begun && step.begun + step.took <= outer.begun + outer.took;
    let outer = steps.iter().enumerate().filter(|(place, outer)| *place != at && outer.depth == above && holds(outer));
    let is_for = |outer: &Step| matches!(&outer.what, What::Candidate { name, .. } if *name == step.name);
    let candidate = outer.clone().find(|(_, outer)| is_for(outer));
    let chosen =
        candidate.or_else(|| outer.filter(|(_, outer)| !outer.took.is_zero()).max_by_key(|(_, outer)| outer.begun));
    chosen.map(|(place, _)| place)
}

/// A step in words: its kind, what happened, and what went wrong if something did.
fn read(what: &What) -> (&'static str, String, Option<String>) {
    match what {
        What::Block { zones } => ("block", format!("block {zones}"), None),
        What::Gate { verdict } => ("gate", format!("{verdict:?}").to_lowercase(), None),
        What::Remembered(recall) => {
            let state = format!("{:?}", recall.state).to_lowercase();
            ("memory", format!("{state}, age {}s of {}", recall.age.as_secs(), recall.life.as_secs()), None)
        }
        What::Coalesced => ("coalesced", "waited for the same question of somebody else".to_owned(), None),
        What::Plugin { name, text } => (name, text.to_string(), None),
        What::Candidate { position, of, name, result } => {
            let failure = result.starts_with("failed").then(|| result.to_string());
            ("candidate", format!("{position} of {of}: {name} {result}"), failure)
        }
        What::Asked { upstream, protocol, hedge, outcome } => {
            let beside = if *hedge { ", beside a slow one" } else { "" };
            match outcome {
                Ok(rcode) => ("upstream", format!("{protocol} {upstream}{beside}: {rcode}"), None),
                Err(reason) => ("upstream", format!("{protocol} {upstream}{beside}: {reason}"), Some(reason.clone())),
            }
        }
    }
}

fn status(failure: Option<String>) -> Status {
    failure.map_or(Status::Unset, |reason| Status::Error { description: reason.into() })
}

fn span(
    trace: TraceId,
    id: SpanId,
    parent: SpanId,
    name: &'static str,
    start_time: SystemTime,
    attributes: Vec<KeyValue>,
) -> SpanData {
    SpanData {
        span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::NONE),
        parent_span_id: parent,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into(),
        start_time,
        end_time: start_time,
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("nearpath")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::client;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn step(of: &str, depth: u8, (begun, took): (u64, u64), what: What) -> Step {
        let (begun, took) = (Duration::from_millis(begun), Duration::from_millis(took));
        Step { name: name(of), rtype: RecordType::A, depth, begun, took, what }
    }

    fn candidate(position: u8, of: &str, result: &'static str) -> What {
        What::Candidate { position, of: 2, name: name(of), result: result.into() }
    }

    fn asked(outcome: Result<Rcode, &str>) -> What {
        let outcome = outcome.map_err(str::to_owned);
        What::Asked { upstream: "192.0.2.53:53".parse().unwrap(), protocol: "tcp", hedge: false, outcome }
    }

    fn told(steps: Vec<Step>) -> Vec<SpanData> {
        let told = Told {
            server: "dns://.:53".into(),
            name: name("www.example.com.shop.svc.cluster.local"),
            rtype: RecordType::A,
            client: client("192.0.2.7"),
            rcode: Rcode::NOERROR,
            failure: None,
            began: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
            took: Duration::from_millis(40),
            steps,
            left_out: 0,
        };
        assert_eq!(told.spans(), told.steps.len() + 1);
        told.into_spans()
    }

    /// The place of each span's parent.
    fn parents(spans: &[SpanData]) -> Vec<Option<usize>> {
        let place = |id: SpanId| spans.iter().position(|span| span.span_context.span_id() == id);
        spans.iter().map(|span| place(span.parent_span_id)).collect()
    }

    #[test]
    fn candidates_that_are_asked_at_once_have_their_own_steps() {
        let (first, second) = ("www.example.com.svc.cluster.local", "www.example.com");
        let spans = told(vec![
            step("www.example.com.shop.svc.cluster.local", 0, (0, 0), What::Block { zones: "cluster.local".into() }),
            step(first, 1, (1, 0), What::Block { zones: "cluster.local".into() }),
            step(second, 1, (1, 0), What::Block { zones: ".".into() }),
            step(first, 1, (1, 9), asked(Ok(Rcode::NXDOMAIN))),
            step("www.example.com.shop.svc.cluster.local", 0, (1, 10), candidate(1, first, "does not exist")),
            step("cdn.example.net", 2, (21, 8), asked(Ok(Rcode::NOERROR))),
            step(second, 1, (1, 30), asked(Ok(Rcode::NOERROR))),
            step("www.example.com.shop.svc.cluster.local", 0, (1, 31), candidate(2, second, "answers")),
        ]);
        let expected = [None, Some(0), Some(5), Some(8), Some(5), Some(0), Some(7), Some(8), Some(0)];
        assert_eq!(parents(&spans), expected, "a target's question is a part of the longer one that led to it");
        let (root, question) = (&spans[0], &spans[7]);
        assert_eq!(question.start_time, root.start_time + Duration::from_millis(1));
        assert_eq!(question.end_time, root.start_time + Duration::from_millis(31));
        assert_eq!(root.end_time, root.start_time + Duration::from_millis(40));
        assert!(spans.iter().all(|span| span.span_context.trace_id() == root.span_context.trace_id()));
        let mut ids: Vec<_> = spans.iter().map(|span| span.span_context.span_id().to_bytes()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), spans.len(), "each span has an id of its own");
    }

    #[test]
    fn a_step_that_failed_says_so() {
        let spans = told(vec![
            step("www.example.com", 0, (0, 5), asked(Err("no answer"))),
            step("www.example.com", 0, (5, 1), candidate(1, "www.example.com", "failed")),
            step("www.example.com", 0, (6, 1), asked(Ok(Rcode::NXDOMAIN))),
        ]);
        let failed = spans.iter().map(|span| matches!(span.status, Status::Error { .. })).collect::<Vec<_>>();
        assert_eq!(failed, [false, true, true, false]);
    }
}
