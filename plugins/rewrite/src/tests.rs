//! What is asked in place of a question, and what comes back: each rule in CoreDNS's terms, before a stub that answers.

mod grammar;
mod memory;
mod options;
mod questions;
mod replies;
mod targets;

use std::sync::{Arc, Mutex};

use contract::testing::{all_checked, context, query};
use contract::wire::{Composer, Name, Rcode, RecordType, Section};
use contract::{Answer, Blocks, Boxed, Failure, Next, Plugin, Query, Reply, Served, Source, Spec};

use crate::{RewriteSpec, check};

/// The plugin of these statements, which are right.
fn plugin(statements: &str) -> Arc<dyn Plugin> {
    plugin_of(statements, &context())
}

fn plugin_of(statements: &str, context: &contract::Context) -> Arc<dyn Plugin> {
    let (specs, report) = all_checked(statements, &[Name::root()], check);
    let specs: Option<Vec<RewriteSpec>> = specs.into_iter().collect();
    let joined = specs.unwrap_or_else(|| panic!("{report}")).into_iter().reduce(RewriteSpec::then).unwrap();
    joined.build(context).unwrap()
}

/// What stands behind: notes what it is asked, and answers from a zone.
#[derive(Debug)]
struct Zone {
    asked: Mutex<Vec<Query>>,
    /// `OWNER TTL TYPE VALUE` in sections that a line `--` divides; `$` is the name that is asked.
    records: String,
    rcode: Result<Rcode, Failure>,
}

impl Zone {
    fn new(records: &str) -> Arc<Self> {
        Self::saying(records, Ok(Rcode::NOERROR))
    }

    fn saying(records: &str, rcode: Result<Rcode, Failure>) -> Arc<Self> {
        Arc::new(Self { asked: Mutex::default(), records: records.to_owned(), rcode })
    }

    fn answer(&self, query: &Query) -> Served {
        self.asked.lock().unwrap().push(query.clone());
        let rcode = self.rcode.clone()?;
        let mut composer = Composer::new(&query.name, query.rtype, query.class);
        composer.rcode(rcode);
        let mut sections = [Section::Answer, Section::Authority, Section::Additional].into_iter();
        let mut section = sections.next().unwrap();
        for line in self.records.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line {
                "--" => section = sections.next().unwrap(),
                line => compose(&mut composer, section, &line.replace('$', &query.name.to_string())),
            }
        }
        Ok(Reply::fresh(Answer::composed(composer.finish(), rcode), Source::Plugin("zone")))
    }

    /// What it was asked, as `NAME TYPE CLASS`.
    fn was_asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|query| format!("{} {} {}", query.name, query.rtype, query.class)).collect()
    }

    /// The options of the last question.
    fn was_told(&self) -> Option<Vec<u8>> {
        self.asked.lock().unwrap().last().unwrap().options.sent.as_ref().map(|sent| sent.to_vec())
    }

    /// True if memory may answer the last question.
    fn was_shared(&self) -> bool {
        self.asked.lock().unwrap().last().unwrap().options.are_shared()
    }
}

impl Plugin for Zone {
    fn name(&self) -> &'static str {
        "zone"
    }

    fn serve<'a>(&'a self, query: &'a Query, _next: Next<'a>) -> Boxed<'a, Served> {
        Box::pin(async move { self.answer(query) })
    }
}

impl Blocks for Zone {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { self.answer(&query) })
    }
}

/// Octets before the name in RDATA, and behind it.
fn around(rtype: RecordType) -> (&'static [u8], &'static [u8]) {
    match rtype {
        RecordType::MX => (&[0, 10], &[]),
        RecordType::SRV | RecordType::SVCB => (&[0, 1, 0, 2, 0, 53], &[]),
        RecordType::HTTPS => (&[0, 1], &[]),
        RecordType::NAPTR => (b"\0\x01\0\x02\x01S\x03SIP\0", &[]),
        RecordType::SOA => (&[], b"\x04host\x05admin\0\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05"),
        _ => (&[], &[]),
    }
}

fn compose(composer: &mut Composer, section: Section, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [owner, ttl, rtype, value] = words[..] else { panic!("{line}") };
    let (owner, rtype) = (Name::parse(owner).unwrap(), RecordType::parse(rtype).unwrap());
    let write = |to: &mut Composer| match value.parse::<std::net::Ipv4Addr>() {
        Ok(address) => to.octets(&address.octets()),
        Err(_) => {
            let (before, behind) = around(rtype);
            to.octets(before);
            to.octets(&spelled(value));
            to.octets(behind);
        }
    };
    composer.record(section, &owner, rtype, ttl.parse().unwrap(), write).unwrap();
}

/// A name in wire form as it is spelled.
fn spelled(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut wire: Vec<u8> = labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    wire.push(0);
    wire
}

/// The records of a reply as [`Zone`] has them, one line each.
fn lines(reply: &Reply) -> Vec<String> {
    let message = reply.answer.message();
    let mut lines = Vec::new();
    let mut section = Section::Answer;
    for record in message.records().map(Result::unwrap) {
        while section != record.section {
            lines.push("--".to_owned());
            section = if section == Section::Answer { Section::Authority } else { Section::Additional };
        }
        let rdata = message.rdata(&record);
        let value = match record.rtype {
            RecordType::A => std::net::Ipv4Addr::from(<[u8; 4]>::try_from(rdata).unwrap()).to_string(),
            rtype => {
                let (before, behind) = around(rtype);
                assert_eq!(&rdata[..before.len()], before);
                let tail = behind.len().min(20); // numbers; names before them may be pointers
                assert_eq!(&rdata[rdata.len() - tail..], &behind[behind.len() - tail..]);
                message.name(record.rdata + before.len()).unwrap().to_string()
            }
        };
        lines.push(format!("{} {} {} {value}", message.name(record.owner).unwrap(), record.ttl, record.rtype));
    }
    lines
}

/// What the rules and the zone behind them reply.
async fn ask(rules: &str, zone: &Arc<Zone>, query: &Query) -> Served {
    ask_plugin(&plugin(rules), zone, query).await
}

async fn ask_plugin(plugin: &Arc<dyn Plugin>, zone: &Arc<Zone>, query: &Query) -> Served {
    let chain = [Arc::clone(plugin), Arc::clone(zone) as Arc<dyn Plugin>];
    let reply = Next::new(&chain, zone.as_ref()).serve(query).await?;
    assert!(reply.answer.message().asks(&query.name, query.rtype, query.class), "the question is the asker's");
    Ok(reply)
}

/// True if the rules say that they touch the question.
fn touched(plugin: &Arc<dyn Plugin>, name: &str, rtype: RecordType) -> bool {
    let asked = query(name, rtype);
    plugin.ahead().unwrap().touches(asked.name.as_wire(), asked.rtype, asked.class)
}
