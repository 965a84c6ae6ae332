//! The plugin: what is asked in place of a question, and who may share the answer.
//!
//! What upstreams are told for all alike (options of fixed rules) changes no question: it is said inside of memory as well.
//! A question that comes by here ahead of memory has them said at once, marked as what all say; where they are not what all say
//! who ask the same, memory is passed by. With what depends on the client every question comes by here.

use std::sync::Arc;

use contract::wire::{Class, Rcode, RecordType};
use contract::{
    Ahead, Answer, Boxed, Client, Context, Failure, LabelBook, Next, Options, Plugin, Query, Reply, Served, Source,
    What,
};

use crate::NAME;
use crate::pass::{NoName, Pass};
use crate::reach::Reach;
use crate::reply;
use crate::rule::{Action, Due, Rule};

/// The rules of a server block at work.
#[derive(Debug)]
pub(crate) struct Rewrite {
    rules: Vec<Rule>,
    reach: Reach,
    /// A rule looks at who asks.
    is_personal: bool,
    /// A rule says something to upstreams.
    says_options: bool,
    labels: Arc<LabelBook>,
}

impl Rewrite {
    /// The plugin of these rules, in order. Those behind one that ends every way are never asked.
    pub(crate) fn new(rules: &[Rule], context: &Context) -> Self {
        let end = rules.iter().position(|rule| rule.is_last && rule.action.is_unconditional());
        let rules = rules[..end.map_or(rules.len(), |end| end + 1)].to_vec();
        Self {
            reach: Reach::of(&rules),
            is_personal: rules.iter().any(|rule| rule.action.is_personal()),
            says_options: rules.iter().any(|rule| matches!(rule.action, Action::Edns(_))),
            labels: Arc::clone(&context.labels),
            rules,
        }
    }

    async fn ask(&self, query: &Query, pass: Pass<'_>, next: Next<'_>) -> Served {
        let is_other = pass.asks_otherwise(query);
        let mut asked = Query { name: pass.name.clone(), rtype: pass.rtype, class: pass.class, ..query.clone() };
        if is_other {
            query.tell(|| What::Plugin {
                name: NAME,
                text: format!("asks for {} {} in its place", asked.name, asked.rtype).into(),
            });
        }
        self.say_options(&mut asked, &pass);
        let served = match next.serve(&asked).await {
            Ok(reply) if is_other || !pass.due.is_empty() => reply::told(query, &asked, &pass.due, reply, next).await,
            served => served,
        };
        let mut reply = match served {
            Ok(reply) => reply,
            Err(failure) => failed(query, failure, &pass.due)?,
        };
        reply.personal |= pass.is_personal;
        Ok(reply)
    }

    /// Says what upstreams are told. Memory holds for a question what comes of it with the options that whoever asks it directly
    /// says, be they none. Who says others must not share that answer; where that is nothing, options that are there but empty
    /// say so.
    fn say_options(&self, asked: &mut Query, pass: &Pass<'_>) {
        let directly = self.says_options.then(|| self.said_directly(asked)).flatten();
        let for_all = pass.sent == directly;
        let sent = if for_all { pass.sent.clone() } else { Some(pass.sent.clone().unwrap_or_default()) };
        asked.options = Options { sent, for_all, ..asked.options.clone() };
    }

    /// The options in memory's answer to a question: those of whoever asks it; none if they depend on who that is.
    fn said_directly(&self, asked: &Query) -> Option<Arc<[u8]>> {
        let directly = Pass::of(&self.rules, asked, &self.labels).ok()?;
        directly.sent.filter(|_| !directly.is_personal)
    }
}

impl Plugin for Rewrite {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        let pass = match Pass::of(&self.rules, query, &self.labels) {
            Ok(pass) => pass,
            Err(no_name) => {
                let reply = Reply { personal: self.is_personal, ..broken(query, &no_name) };
                return Box::pin(std::future::ready(Ok(reply)));
            }
        };
        let says_the_same = pass.sent == query.options.sent && !pass.is_personal;
        if says_the_same && pass.due.is_empty() && !pass.asks_otherwise(query) {
            return next.serve(query);
        }
        Box::pin(self.ask(query, pass, next))
    }

    fn reads_options(&self) -> bool {
        self.says_options
    }

    fn ahead(&self) -> Option<&dyn Ahead> {
        Some(self)
    }
}

impl Ahead for Rewrite {
    fn may_be_first(&self) -> bool {
        self.is_personal
    }

    fn always(&self, _client: &Client, _rtype: RecordType) -> bool {
        self.is_personal
    }

    fn is_personal(&self) -> bool {
        self.is_personal
    }

    fn touches(&self, name: &[u8], rtype: RecordType, class: Class) -> bool {
        self.reach.touches(name, rtype, class)
    }
}

/// A failure, or the reply with the RCODE that the rules make of its own. A bound that is reached stays a failure: as a reply
/// the daemon would no longer count it.
fn failed(query: &Query, failure: Failure, due: &[Due<'_>]) -> Served {
    if matches!(failure, Failure::Silent | Failure::Bound { .. }) {
        return Err(failure);
    }
    let (said, ede) = failure.told();
    let rcode = reply::rcode(said, due);
    if rcode == said {
        return Err(failure);
    }
    let answer = Answer::empty(&query.name, query.rtype, query.class, rcode).with_ede(ede);
    Ok(Reply::fresh(answer, Source::Plugin(NAME)).unstored())
}

/// The reply where a rule made a name that is none: SERVFAIL, as CoreDNS says.
pub(crate) fn broken(query: &Query, NoName(text): &NoName) -> Reply {
    query.tell(|| What::Plugin { name: NAME, text: format!("a rule made `{text}`, which is no domain name").into() });
    let answer = Answer::empty(&query.name, query.rtype, query.class, Rcode::SERVFAIL);
    Reply::fresh(answer, Source::Plugin(NAME)).unstored()
}
