//! The directive `header`: flags of the header that a server block sets or clears, of the questions that it hands on and of
//! the replies that come back.

mod spec;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use contract::{Answer, Boxed, Next, Plugin, Query, Reply, Served, What};

pub use spec::{Change, HeaderSpec, check};

/// The directive's name.
const NAME: &str = "header";

/// Changes flags on the way in and on the way out.
#[derive(Debug)]
pub(crate) struct Header {
    query: Change,
    response: Change,
}

impl Plugin for Header {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        query.tell(|| What::Plugin { name: NAME, text: "flags as the server block has them".into() });
        if self.query.is_nothing() {
            return Box::pin(async move { next.serve(query).await.map(|reply| self.flagged(reply)) });
        }
        let (id, flags) = query.header;
        let changed = Query { header: (id, self.query.apply(flags)), ..query.clone() };
        Box::pin(async move { next.serve(&changed).await.map(|reply| self.flagged(reply)) })
    }
}

impl Header {
    /// The reply with the flags that are forced. Failures are no replies of the chain and keep the flags that they get.
    fn flagged(&self, mut reply: Reply) -> Reply {
        let Change { set, clear } = self.response;
        if !self.response.is_nothing() {
            reply.answer = Arc::new(Answer::clone(&reply.answer).with_flags(set, clear));
        }
        reply
    }
}
