//! The directive at work: chooses misses, and drops their stories into the pipe.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use contract::wire::Rcode;
use contract::{Boxed, Plugin, Query, Served, Story, Tracer};

use crate::pipe::Pipe;
use crate::spans::Told;

/// The `trace` of one server block.
#[derive(Debug)]
pub struct Trace {
    every: u64,
    /// Misses so far.
    misses: AtomicU64,
    server: Arc<str>,
    pipe: Arc<Pipe>,
}

impl Trace {
    pub(crate) fn new(every: u64, server: &str, pipe: Arc<Pipe>) -> Self {
        Self { every: every.max(1), misses: AtomicU64::new(0), server: server.into(), pipe }
    }
}

impl Plugin for Trace {
    fn name(&self) -> &'static str {
        "trace"
    }

    fn tracer(&self) -> Option<&dyn Tracer> {
        Some(self)
    }

    fn run(self: Arc<Self>) -> Boxed<'static, ()> {
        Box::pin(async move { self.pipe.work().await })
    }
}

impl Tracer for Trace {
    fn wants(&self) -> bool {
        (self.misses.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(self.every)
    }

    fn told(&self, query: &Query, story: &Story, served: &Served, rcode: Rcode) {
        let took = story.begun().elapsed();
        let (steps, left_out) = story.steps();
        let failure = served.as_ref().err().map(ToString::to_string);
        let failure = failure.or_else(|| (rcode == Rcode::SERVFAIL).then(|| rcode.to_string()));
        let began = now().checked_sub(took).unwrap_or(SystemTime::UNIX_EPOCH);
        self.pipe.put(Told {
            server: Arc::clone(&self.server),
            name: query.name.clone(),
            rtype: query.rtype,
            client: query.client,
            rcode,
            failure,
            began,
            took,
            steps,
            left_out,
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "a stamp for people, and no logic")]
fn now() -> SystemTime {
    SystemTime::now()
}
