//! `acl` as it is written: rules of policies.

use std::net::IpAddr;
use std::sync::Arc;

use contract::corefile::{Report, Statement, Word, no_body, unknown_property, value};
use contract::wire::{Name, RecordType};
use contract::{BuildError, Context, Plugin, Spec};

use crate::gate::Acl;
use crate::{NAME, Sources};

/// The checked `acl` statements of a server block, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclSpec {
    /// One for each statement.
    pub rules: Vec<Rule>,
}

/// One `acl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The zones for whose names it holds.
    pub zones: Vec<Name>,
    /// In order; the first that matches decides.
    pub policies: Vec<Policy>,
}

/// One line: what happens to whom asking what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What happens.
    pub action: Action,
    /// The types it holds for.
    pub types: Types,
    /// The clients it holds for.
    pub sources: Sources,
}

/// What happens to a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes on, and no later rule is asked.
    Allow,
    /// REFUSED.
    Block,
    /// NOERROR without records.
    Filter,
    /// Silence.
    Drop,
}

/// A set of query types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Types {
    /// Every type.
    All,
    /// These, sorted.
    Only(Box<[RecordType]>),
}

impl Types {
    /// Whether the type is one of them.
    pub fn contains(&self, rtype: RecordType) -> bool {
        match self {
            Self::All => true,
            Self::Only(types) => types.binary_search(&rtype).is_ok(),
        }
    }
}

const ACTIONS: [(&str, Action); 4] =
    [("allow", Action::Allow), ("block", Action::Block), ("filter", Action::Filter), ("drop", Action::Drop)];

/// The types that a mistyped one was probably meant to be.
const COMMON_TYPES: [&str; 12] = ["A", "AAAA", "ANY", "CNAME", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "SVCB", "TXT"];

/// Reads one statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<AclSpec> {
    let before = report.errors();
    let zones = if statement.arguments.is_empty() { zones.to_vec() } else { named_zones(statement, report) };
    let policies: Vec<_> = statement.properties().iter().filter_map(|line| policy(line, report)).collect();
    if statement.properties().is_empty() {
        report
            .warning(statement.name.span, "`acl` without a policy allows everything")
            .help("add a line such as `block net 192.0.2.0/24`");
    }
    (report.errors() == before).then(|| AclSpec { rules: vec![Rule { zones, policies }] })
}

impl AclSpec {
    /// Adds a later `acl` of the same server block. All of a block are one plugin, because what one of them allows no
    /// later one is asked about, and because an allowed query counts once.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        self.rules.extend(later.rules);
        self
    }
}

impl Spec for AclSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let count: usize = self.rules.iter().map(|rule| rule.policies.len()).sum();
        format!("asks {count} policies in {} rules before every query", self.rules.len())
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        Ok(Arc::new(Acl::new(self, &context.metrics, &context.server)))
    }
}

/// The zones behind the directive's name; a prefix stands for its reverse zones.
fn named_zones(statement: &Statement, report: &mut Report) -> Vec<Name> {
    let zones = statement.reader(report).values("a zone such as `example.org` or `10.0.0.0/8`", value::zone);
    zones.iter().flatten().map(|zone| Name::parse(zone.as_str()).expect("a checked zone is a name")).collect()
}

/// `ACTION [type QTYPE...] [net SOURCE...]`; sections in any order, and again.
fn policy(line: &Statement, report: &mut Report) -> Option<Policy> {
    no_body(line, report);
    let written = line.name.text.to_ascii_lowercase();
    let Some(&(_, action)) = ACTIONS.iter().find(|(word, _)| *word == written) else {
        unknown_property(line, &ACTIONS.map(|(word, _)| word), report);
        return None;
    };
    let (mut types, mut sources) = (Section::default(), Section::default());
    let mut rest = line.arguments.as_slice();
    while let Some((keyword, behind)) = rest.split_first() {
        let (words, next) = behind.split_at(behind.iter().position(is_keyword).unwrap_or(behind.len()));
        rest = next;
        match keyword.text.to_ascii_lowercase().as_str() {
            "type" => types.extend(keyword, words, "a query type such as `AAAA`, or `*`", report, record_type),
            "net" => {
                sources.extend(keyword, words, "a prefix such as `10.0.0.0/8`, an address, or `*`", report, prefix)
            }
            _ => {
                let error = report.error(keyword.span, format!("unexpected argument `{keyword}`"));
                error.expected("`type` or `net`").nearest(&keyword.text, ["type", "net"]);
            }
        }
    }
    Some(Policy { action, types: all_types(types), sources: all_sources(&sources) })
}

fn is_keyword(word: &Word) -> bool {
    ["type", "net"].iter().any(|keyword| word.text.eq_ignore_ascii_case(keyword))
}

/// A type, or why there is none and the words that might have been meant.
fn record_type(text: &str) -> Result<RecordType, Wrong> {
    let reason = "not a type; one without a name is written `TYPE65280`".to_owned();
    RecordType::parse(text).ok_or(Wrong { reason, valid: &COMMON_TYPES })
}

fn prefix(text: &str) -> Result<(IpAddr, u8), Wrong> {
    value::prefix(text).map_err(|reason| Wrong { reason, valid: &[] })
}

/// Why a word is no value, and the valid words nearest to which it may be.
struct Wrong {
    reason: String,
    valid: &'static [&'static str],
}

/// What `type` or `net` lists, all of its kind on the line together.
struct Section<T> {
    values: Vec<T>,
    is_written: bool,
    is_all: bool,
}

impl<T> Default for Section<T> {
    fn default() -> Self {
        Self { values: Vec::new(), is_written: false, is_all: false }
    }
}

impl<T> Section<T> {
    fn extend(
        &mut self,
        keyword: &Word,
        words: &[Word],
        expected: &str,
        report: &mut Report,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) {
        self.is_written = true;
        if words.is_empty() {
            report.error(keyword.span.after(), format!("nothing behind `{keyword}`")).expected(expected);
        }
        for word in words {
            match parse(&word.text) {
                _ if *word == "*" => self.is_all = true,
                Ok(value) => self.values.push(value),
                Err(Wrong { reason, valid }) => {
                    let error = report.error(word.span, format!("wrong value `{word}`: {reason}"));
                    error.expected(expected).nearest(&word.text, valid);
                }
            }
        }
    }
}

fn all_types(section: Section<RecordType>) -> Types {
    if section.is_all || !section.is_written {
        return Types::All;
    }
    let mut types = section.values;
    types.sort_unstable();
    types.dedup();
    Types::Only(types.into())
}

fn all_sources(section: &Section<(IpAddr, u8)>) -> Sources {
    if section.is_all || !section.is_written { Sources::all() } else { Sources::new(&section.values) }
}
