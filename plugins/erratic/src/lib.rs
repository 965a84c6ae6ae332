//! The directive `erratic`: the same answer to every question, and some of them late, cut or missing, to test clients with.

mod spec;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract::wire::{Composer, Flags, Rcode, RecordType, Section};
use contract::{Answer, Boxed, Failure, Next, Plugin, Query, Reply, Served, Source, Storing, What};

pub use spec::{DelaySpec, ErraticSpec, check};

/// The directive's name.
const NAME: &str = "erratic";

/// 192.0.2.53, as CoreDNS answers A.
const V4: [u8; 4] = [192, 0, 2, 53];
/// 2001:db8::53, as CoreDNS answers AAAA.
const V6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53];
/// How many times a large answer has its record.
const LARGE: usize = 30;
/// So many questions have come while it says that it is ready, as CoreDNS's does.
const READY_AFTER: std::ops::Range<u64> = 3..5;

/// Answers, more or less.
#[derive(Debug)]
pub(crate) struct Erratic {
    /// Questions so far.
    questions: AtomicU64,
    /// One in so many is dropped; none if 0.
    drop: u64,
    /// One in so many is late; none if 0.
    delay: u64,
    /// By so much.
    late_by: Duration,
    /// Which are cut, see [`Erratic::is_cut`]; none if 0.
    truncate: u64,
    large: bool,
}

impl Plugin for Erratic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve<'a>(&'a self, query: &'a Query, _next: Next<'a>) -> Boxed<'a, Served> {
        let number = self.questions.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            if is_one_in(self.drop, number) {
                query.tell(|| What::Plugin { name: NAME, text: format!("question {number}: dropped").into() });
                return Err(Failure::Silent);
            }
            if is_one_in(self.delay, number) {
                query.tell(|| What::Plugin { name: NAME, text: format!("question {number}: delayed").into() });
                tokio::time::sleep(self.late_by).await;
            }
            Ok(Reply::fresh(self.answer(query, self.is_cut(number)), Source::Plugin(NAME)).unstored())
        })
    }

    fn storing(&self) -> Storing {
        Storing::PerReply
    }

    /// For the fourth question and the fifth: whoever watches readiness is to be tested too.
    fn is_ready(&self) -> bool {
        READY_AFTER.contains(&self.questions.load(Ordering::Relaxed))
    }
}

impl Erratic {
    /// CoreDNS asks for no bit in common with the number, where the others ask for a multiple; for 1, 2 and other powers of two
    /// that is every second answer, in stretches.
    fn is_cut(&self, number: u64) -> bool {
        self.truncate > 0 && number & self.truncate == 0
    }

    fn answer(&self, query: &Query, is_cut: bool) -> Answer {
        let (address, times) = match query.rtype {
            RecordType::A => (&V4[..], if self.large { LARGE } else { 1 }),
            RecordType::AAAA => (&V6[..], 1),
            _ => return Answer::empty(&query.name, query.rtype, query.class, Rcode::SERVFAIL),
        };
        let mut composer = Composer::new(&query.name, query.rtype, query.class);
        composer.flags(Flags::AA | if is_cut { Flags::TC } else { 0 });
        for _ in 0..times {
            composer
                .record(Section::Answer, &query.name, query.rtype, 0, |to| to.octets(address))
                .expect("a question and thirty short records fit into a message");
        }
        Answer::composed(composer.finish(), Rcode::NOERROR)
    }
}

fn is_one_in(many: u64, number: u64) -> bool {
    many > 0 && number.is_multiple_of(many)
}
