//! The directive `any`: one short HINFO record instead of everything there is, so that ANY is of no use to whoever
//! wants a large reply to a small question (RFC 8482 4.2).

mod spec;
#[cfg(test)]
mod tests;

use contract::wire::{Composer, Rcode, RecordType, Section};
use contract::{Answer, Boxed, Next, Plugin, Query, Reply, Served, Source, What};

pub use spec::{AnySpec, check};

/// The directive's name.
const NAME: &str = "any";

/// The TTL of the record, seconds; CoreDNS's.
const TTL: u32 = 8_482;

/// Answers ANY; hands everything else on.
#[derive(Debug)]
pub(crate) struct Any;

impl Plugin for Any {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        if query.rtype != RecordType::ANY {
            return next.serve(query);
        }
        query.tell(|| What::Plugin { name: NAME, text: "one HINFO record in place of ANY (RFC 8482)".into() });
        let mut composer = Composer::new(&query.name, query.rtype, query.class);
        composer
            .record(Section::Answer, &query.name, RecordType::HINFO, TTL, |to| {
                to.string(b"ANY obsoleted");
                to.string(b"See RFC 8482");
            })
            .expect("a question and one record fit into a message");
        let answer = Answer::composed(composer.finish(), Rcode::NOERROR);
        Box::pin(std::future::ready(Ok(Reply::fresh(answer, Source::Plugin(NAME)))))
    }
}
