//! The counters of one upstream, named as CoreDNS's proxy names them where it has them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use contract::metrics::{Counter, Histogram, Metrics, SECONDS};
use contract::wire::Rcode;

use crate::question::Foreign;

/// RCODEs that have a histogram of their own; the others share the last one.
const RCODES: usize = 17;

/// The counters of one upstream.
#[derive(Debug)]
pub(crate) struct Tally {
    metrics: Arc<Metrics>,
    directive: &'static str,
    to: String,
    durations: [OnceLock<Arc<Histogram>>; RCODES + 1],
    pub(crate) check_failures: Arc<Counter>,
    pub(crate) hedges: Arc<Counter>,
    pub(crate) retries: Arc<Counter>,
    /// Times that it fell silent.
    pub(crate) silences: Arc<Counter>,
    /// Sockets opened for datagrams.
    pub(crate) datagrams: Arc<Counter>,
    /// Questions that found a connection open.
    pub(crate) hits: Arc<Counter>,
    /// Connections opened.
    pub(crate) misses: Arc<Counter>,
    malformed: Arc<Counter>,
    id: Arc<Counter>,
    question: Arc<Counter>,
}

impl Tally {
    /// `directive` is the label `proxy_name`; `to` names the upstream; `stream` is the label `proto` of connections: `tcp`
    /// or `tcp-tls`.
    pub(crate) fn new(metrics: &Arc<Metrics>, directive: &'static str, to: String, stream: &'static str) -> Arc<Self> {
        let ours = |name, help| metrics.counter(name, help, &[("to", to.as_str())]);
        let discarded = |reason| {
            let help = "Messages from an upstream that answer no question outstanding.";
            metrics.counter("nearpath_upstream_discarded_total", help, &[("to", to.as_str()), ("reason", reason)])
        };
        let connections = |name, help, proto| {
            metrics.counter(name, help, &[("proxy_name", directive), ("to", to.as_str()), ("proto", proto)])
        };
        let (opened, opened_help) = ("coredns_proxy_conn_cache_misses_total", "Connections opened to an upstream.");
        let (reused, reused_help) =
            ("coredns_proxy_conn_cache_hits_total", "Questions that found a connection to the upstream open.");
        Arc::new(Self {
            check_failures: metrics.counter(
                "coredns_proxy_healthcheck_failures_total",
                "Health checks that failed.",
                &[("proxy_name", directive), ("to", to.as_str())],
            ),
            hedges: ours("nearpath_upstream_hedges_total", "Questions asked here as another upstream was slow."),
            retries: ours("nearpath_upstream_retries_total", "Questions asked again of the same upstream."),
            silences: ours(
                "nearpath_upstream_silences_total",
                "Times that an upstream fell silent with questions waiting.",
            ),
            datagrams: connections(opened, opened_help, "udp"),
            hits: connections(reused, reused_help, stream),
            misses: connections(opened, opened_help, stream),
            malformed: discarded("malformed"),
            id: discarded("id"),
            question: discarded("question"),
            metrics: Arc::clone(metrics),
            directive,
            durations: std::array::from_fn(|_| OnceLock::new()),
            to,
        })
    }

    /// A message that answers nothing was thrown away.
    pub(crate) fn discard(&self, why: Foreign) {
        match why {
            Foreign::Malformed => self.malformed.increment(),
            Foreign::Id => self.id.increment(),
            Foreign::Question => self.question.increment(),
        }
    }

    /// A reply came.
    pub(crate) fn replied(&self, rcode: Rcode, took: Duration) {
        let slot = usize::from(rcode.0).min(RCODES);
        let histogram = self.durations[slot].get_or_init(|| {
            let rcode = if slot == RCODES { "other".to_owned() } else { rcode.to_string() };
            let labels = [("proxy_name", self.directive), ("to", self.to.as_str()), ("rcode", rcode.as_str())];
            let help = "How long upstreams take to answer.";
            self.metrics.histogram("coredns_proxy_request_duration_seconds", help, &labels, SECONDS)
        });
        histogram.observe(took.as_secs_f64());
    }
}
