//! The templates of a server block at work.

use std::sync::Arc;
use std::time::Duration;

use contract::metrics::Metrics;
use contract::wire::{self, Class, Composer, Flags, Full, Message, Name, Rcode, RecordType};
use contract::{Age, Answer, Boxed, Context, LabelBook, Next, Plugin, Query, Reply, Served, Source as From, What};
use contract::{limits, told};
use records::Record;

use crate::language::Data;
use crate::rule::{Match, Rule, Source};
use crate::{NAME, Section, names};

/// All `template` of a server block.
#[derive(Debug)]
pub(crate) struct Templates {
    rules: Vec<Rule>,
    metrics: Arc<Metrics>,
    labels: Arc<LabelBook>,
    server: String,
}

/// A record of the answer section, or the records that somebody else has for a CNAME's target.
enum Piece {
    Own(Section, Record),
    Chased(Reply),
}

/// What is to be replied, and how long and for whom it holds.
struct Draft {
    pieces: Vec<Piece>,
    lifetime: Option<Duration>,
    storable: bool,
    personal: bool,
    /// What is said of records that are past their end, if some are.
    stale: Option<(Age, Option<wire::Ede>)>,
}

impl Plugin for Templates {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        match self.rules.iter().any(|rule| rule.zone(query).is_some()) {
            true => Box::pin(self.answer(query, next)),
            false => next.serve(query),
        }
    }
}

impl Templates {
    pub(crate) fn new(rules: Vec<Rule>, context: &Context) -> Self {
        let (metrics, labels) = (Arc::clone(&context.metrics), Arc::clone(&context.labels));
        Self { rules, metrics, labels, server: context.server.clone() }
    }

    async fn answer(&self, query: &Query, next: Next<'_>) -> Served {
        let name = query.name.to_string();
        for rule in &self.rules {
            let Some((_, zone)) = rule.zone(query) else { continue };
            match rule.judge(zone, &name, query, &self.labels) {
                Match::GoOn => {}
                Match::No => {
                    query.tell(|| What::Plugin { name: NAME, text: "no `match` fits, and no fallthrough".into() });
                    return Ok(failed(query, told::TEMPLATE_UNMATCHED.plain()));
                }
                Match::Yes(data) => return self.reply(rule, &data, next).await,
            }
        }
        query.tell(|| What::Plugin { name: NAME, text: "no `match` fits: handed on".into() });
        next.serve(query).await
    }

    async fn reply(&self, rule: &Rule, data: &Data<'_>, next: Next<'_>) -> Served {
        let query = data.query;
        self.count("coredns_template_matches_total", "Questions that a template fitted.", data, &[]);
        query.tell(|| What::Plugin { name: NAME, text: format!("`{}` fits", data.regex).into() });
        let personal = rule.is_personal();
        if rule.rcode == Rcode::SERVFAIL {
            let answer = Answer::empty(&query.name, query.rtype, query.class, rule.rcode);
            return Ok(Reply { personal, ..brief(Reply::fresh(answer, From::Plugin(NAME))) });
        }
        let mut draft = Draft { pieces: Vec::new(), lifetime: None, storable: true, personal, stale: None };
        for source in &rule.records {
            let record = match self.record(source, data) {
                Ok(record) => record,
                Err(reason) => {
                    let reply = failed(query, told::TEMPLATE_FAILED.with(&[("reason", &reason)]));
                    return Ok(Reply { personal, ..reply });
                }
            };
            let target = target(&record).filter(|_| source.section == Section::Answer);
            draft.pieces.push(Piece::Own(source.section, record));
            if let Some(target) = target
                && matches!(query.rtype, RecordType::A | RecordType::AAAA)
            {
                draft.chase(query, target, next).await;
            }
        }
        let mut answer = match draft.compose(rule, query) {
            Ok(answer) => answer,
            Err(Full) => return Err(contract::Bound::MessageSize.reached()),
        };
        if let Some(ede) = &rule.ede {
            answer = answer.with_ede(ede.clone());
        }
        let Draft { lifetime, storable, personal, stale, .. } = draft;
        let (age, ede) = stale.unwrap_or((Age::Fresh(0), None));
        let reply = Reply { lifetime, storable, personal, ede, ..Reply::fresh(answer, From::Plugin(NAME)) };
        Ok(reply.as_old_as(age))
    }

    /// The record of a template, or why there is none.
    fn record(&self, source: &Source, data: &Data<'_>) -> Result<Record, String> {
        if let Some(record) = &source.constant {
            return Ok(record.clone());
        }
        let text = || source.program.to_string();
        let section = source.section.label();
        let failed = |counter: &'static str, help: &'static str, reason: String| {
            self.count(counter, help, data, &[("section", section), ("template", &text())]);
            tracing::debug!(name = data.name, template = text(), reason, "a template made no record");
            reason
        };
        let made = source.program.text(data).map_err(|error| {
            failed("coredns_template_template_failures_total", "Templates that failed.", error.to_string())
        })?;
        Record::parse(&made)
            .map_err(|reason| failed("coredns_template_rr_failures_total", "Templates that made no record.", reason))
    }

    fn count(&self, name: &'static str, help: &'static str, data: &Data<'_>, more: &[(&str, &str)]) {
        let (class, rtype) = (names::class_name(data.class), names::type_name(data.rtype));
        let view = self.labels.view();
        let mut labels = vec![
            ("server", self.server.as_str()),
            ("zone", data.zone),
            ("view", view),
            ("class", class),
            ("type", rtype),
        ];
        labels.extend(more);
        self.metrics.counter(name, help, &labels).increment();
    }
}

/// SERVFAIL, and why.
fn failed(query: &Query, why: wire::Ede) -> Reply {
    let answer = Answer::empty(&query.name, query.rtype, query.class, Rcode::SERVFAIL);
    brief(Reply::fresh(answer.with_ede(why), From::Plugin(NAME)))
}

/// Memorised no longer than failures are.
fn brief(reply: Reply) -> Reply {
    Reply { lifetime: Some(limits::SERVFAIL_MAX), ..reply }
}

impl Draft {
    /// Adds what the server blocks have for the target of a CNAME. If that fails the CNAME stands alone.
    async fn chase(&mut self, query: &Query, target: Name, next: Next<'_>) {
        let chased = query.chase(std::slice::from_ref(&query.name), target);
        let reply = match chased {
            Ok(question) => next.blocks().resolve(Query { class: Class::IN, ..question }).await,
            Err(failure) => Err(failure),
        };
        let Ok(reply) = reply.map(Reply::settled) else {
            self.storable = false;
            return;
        };
        let true_for = reply.true_for();
        self.lifetime = [self.lifetime, true_for].into_iter().flatten().min();
        let is_failure = ![Rcode::NOERROR, Rcode::NXDOMAIN].contains(&reply.answer.rcode());
        self.storable &= reply.storable && !is_failure && true_for != Some(Duration::ZERO);
        self.personal |= reply.personal;
        if reply.is_stale() {
            self.stale = Some((reply.age, reply.ede.clone()));
        }
        self.pieces.push(Piece::Chased(reply));
    }

    fn compose(&self, rule: &Rule, query: &Query) -> Result<Answer, Full> {
        let mut composer = Composer::new(&query.name, query.rtype, query.class);
        composer.rcode(rule.rcode).flags(Flags::AA);
        let sections = [
            (Section::Answer, wire::Section::Answer),
            (Section::Authority, wire::Section::Authority),
            (Section::Additional, wire::Section::Additional),
        ];
        for (section, to) in sections {
            for piece in &self.pieces {
                match piece {
                    Piece::Own(own, record) if *own == section => write(record, to, &mut composer)?,
                    Piece::Chased(reply) if section == Section::Answer => append(reply, &mut composer)?,
                    Piece::Own(..) | Piece::Chased(_) => {}
                }
            }
        }
        Ok(Answer::composed(composer.finish(), rule.rcode))
    }
}

/// The records of an answer, and whether it was cut.
fn append(reply: &Reply, composer: &mut Composer) -> Result<(), Full> {
    let message = reply.answer.message();
    if reply.answer.is_truncated() {
        composer.flags(Flags::TC);
    }
    for record in message.section(wire::Section::Answer) {
        composer.copy(&message, &record, record.ttl)?;
    }
    Ok(())
}

/// The name that a record leads to, if it is a CNAME.
fn target(record: &Record) -> Option<Name> {
    if record.rtype == RecordType::CNAME { Name::from_wire(&record.rdata) } else { None }
}

/// Adds the record. The composer takes records of any class from messages alone, and compresses their names.
fn write(own: &Record, section: wire::Section, composer: &mut Composer) -> Result<(), Full> {
    let mut message = vec![0, 0, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
    message[7 + 2 * section as usize] = 1;
    message.extend_from_slice(&own.owner);
    message.extend(own.rtype.0.to_be_bytes());
    message.extend(own.class.0.to_be_bytes());
    message.extend(own.ttl.to_be_bytes());
    message.extend(u16::try_from(own.rdata.len()).map_err(|_| Full)?.to_be_bytes());
    message.extend_from_slice(&own.rdata);
    let message = Message::parse(&message).map_err(|_| Full)?;
    for record in message.section(section) {
        composer.copy(&message, &record, record.ttl)?;
    }
    Ok(())
}
