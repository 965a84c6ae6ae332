//! `template` as it is written.

use std::sync::Arc;

use contract::corefile::{Report, Statement, Word, no_body, repeated, unknown_property, value};
use contract::wire::{Class, Ede, Name, Rcode, RecordType};
use contract::{BuildError, Context, Pattern, Plugin, Spec};
use records::Record;

use crate::language::{Field, Groups, Program};
use crate::reply::Templates;
use crate::rule::{Rule, Source};
use crate::{NAME, names};

/// The checked `template` statements of a server block, in order.
#[derive(Clone, Debug)]
pub struct TemplateSpec {
    pub(crate) rules: Vec<Rule>,
}

/// Which part of a reply a record goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // RFC 1035's names
pub enum Section {
    Answer,
    Additional,
    Authority,
}

impl Section {
    /// As the Corefile and metrics name it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Additional => "additional",
            Self::Authority => "authority",
        }
    }
}

/// In the order in which their records are made.
const SECTIONS: [Section; 3] = [Section::Answer, Section::Additional, Section::Authority];

const PROPERTIES: [&str; 7] = ["match", "answer", "additional", "authority", "rcode", "ederror", "fallthrough"];

/// Reads one statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<TemplateSpec> {
    let before = report.errors();
    let mut reader = statement.reader(report);
    let class = reader.value("a class: `IN`, `CH` or `ANY`", names::class);
    if statement.arguments.is_empty() {
        return None;
    }
    let rtype = reader.word("a type such as `A`, or `ANY`").map(|word| (word, names::record_type(&word.text)));
    let named = reader.values("a zone such as `example.org` or `10.0.0.0/8`", value::zone);
    let has_zones = statement.arguments.len() > 2;
    if let Some((word, None)) = rtype {
        let error = report.error(word.span, format!("wrong value `{word}`: not a type"));
        error.expected("a type such as `A`, or `ANY`").nearest(&word.text, names::COMMON_TYPES);
    }
    if class == Some(Class::CH) {
        let warning =
            report.warning(statement.arguments[0].span, "questions of class CHAOS are answered by the daemon");
        warning.help("no such question comes here unless a `rewrite` finds it, or makes it one");
    }
    let zones = if has_zones { self::zones(&named) } else { zones.to_vec() };
    let mut rule = Rule {
        class: class.unwrap_or(Class::ANY),
        rtype: rtype.and_then(|(_, rtype)| rtype).unwrap_or(RecordType::ANY),
        zones: zones.into_iter().map(|zone| (zone.clone(), zone.to_string())).collect(),
        patterns: Vec::new(),
        records: Vec::new(),
        rcode: Rcode::NOERROR,
        ede: None,
        fallthrough: Vec::new(),
    };
    let lines = || statement.properties().iter();
    for line in lines() {
        setting(&mut rule, statement, line, report);
    }
    let groups = groups(&rule.patterns);
    for section in SECTIONS {
        for line in lines().filter(|line| line.name == section.label()) {
            for word in line.reader(report).rest_or_missing("a record such as `\"{{ .Name }} 60 IN A 192.0.2.1\"`") {
                let record = record(section, word, &groups, &rule, report);
                rule.records.extend(record);
            }
        }
    }
    (report.errors() == before).then(|| TemplateSpec { rules: vec![rule] })
}

/// Whatever is no record.
fn setting(rule: &mut Rule, statement: &Statement, line: &Statement, report: &mut Report) {
    no_body(line, report);
    let mut reader = line.reader(report);
    match line.name.as_str() {
        "match" => {
            let patterns = reader.some_values("a regular expression such as `^www[.]example[.]$`", Pattern::parse);
            rule.patterns.extend(patterns);
        }
        "answer" | "additional" | "authority" | "upstream" => {}
        "rcode" => {
            let Some(word) = reader.word("a response code such as `NXDOMAIN`") else { return };
            reader.finish();
            match names::rcode(&word.text) {
                Some(rcode) => rule.rcode = rcode,
                None => {
                    let error = report.error(word.span, format!("wrong value `{word}`: not a response code"));
                    error.expected("one such as `NXDOMAIN`").nearest(&word.text, names::rcodes());
                }
            }
            repeated(statement, line, report);
        }
        "ederror" => {
            let code = reader.value("the code of an Extended DNS Error, from 0 to 65535", code);
            let reason = reader.optional().map_or_else(String::new, |word| word.text.clone());
            reader.finish();
            rule.ede = code.map(|code| Ede::new(code, reason));
            repeated(statement, line, report);
        }
        "fallthrough" => {
            let named = reader.values("a zone such as `example.org` or `10.0.0.0/8`", value::zone);
            rule.fallthrough = if line.arguments.is_empty() { vec![Name::root()] } else { zones(&named) };
            repeated(statement, line, report);
        }
        _ => unknown_property(line, &PROPERTIES, report),
    }
}

fn code(text: &str) -> Result<u16, String> {
    if text.starts_with('+') { Err("not a number".to_owned()) } else { value::number(text) }
}

fn zones(named: &[Vec<contract::corefile::Zone>]) -> Vec<Name> {
    named.iter().flatten().map(|zone| Name::parse(zone.as_str()).expect("a checked zone is a name")).collect()
}

/// The groups of which a template may speak.
fn groups(patterns: &[Pattern]) -> Groups {
    if patterns.is_empty() {
        return Groups { names: vec!["0".to_owned()], most: 1 };
    }
    let most = patterns.iter().map(|pattern| pattern.groups().count()).max().unwrap_or(0);
    let mut names: Vec<String> = patterns.iter().flat_map(|one| one.groups().flatten()).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names.extend((0..most).map(|number| number.to_string()));
    Groups { names, most }
}

/// The template of one record. What no question can make a record of it is an error.
fn record(section: Section, word: &Word, groups: &Groups, rule: &Rule, report: &mut Report) -> Option<Source> {
    let program = match Program::parse(&word.text, groups) {
        Ok(program) => program,
        Err(wrong) => {
            let at = report.inside(word, wrong.at);
            report.error(at, wrong.message).expected(wrong.expected);
            return None;
        }
    };
    let is_constant = program.constant().is_some();
    let samples = match program.constant() {
        Some(text) => vec![text.to_owned()],
        None => samples(&program, rule),
    };
    let mut tried = samples.into_iter().map(|text| Record::parse(&text).map_err(|reason| (text, reason)));
    let first = tried.next().map(|first| first.or_else(|wrong| tried.find_map(Result::ok).ok_or(wrong)));
    let constant = match first {
        None => None,
        Some(Ok(record)) => Some(record).filter(|_| is_constant),
        Some(Err((text, reason))) => {
            let error = report.error(word.span, format!("`{text}` is no record: {reason}"));
            error.expected("a record such as `www.example.org. 60 IN A 192.0.2.1`");
            return None;
        }
    };
    Some(Source { section, program: Arc::new(program), constant })
}

/// What a template makes of the names of the rule's own zones and of a name in each, if it puts nothing but what is surely
/// known into the record: if none of these is a record, no question will make one.
fn samples(program: &Program, rule: &Rule) -> Vec<String> {
    let class = if rule.class == Class::ANY { Class::IN } else { rule.class };
    let filled = |name: &str, zone: &str| {
        program.filled(|field| match field {
            Field::Name => Some(name.to_owned()),
            Field::Zone => Some(zone.to_owned()),
            Field::Class => Some(names::class_name(class).to_owned()),
            Field::Type if rule.rtype != RecordType::ANY => Some(names::type_name(rule.rtype).to_owned()),
            _ => None,
        })
    };
    let names = |zone: &str| [zone.to_owned(), format!("a.{}", zone.trim_start_matches('.'))];
    let zones = rule.zones.iter().map(|(_, zone)| zone);
    zones.flat_map(|zone| names(zone).map(|name| filled(&name, zone))).flatten().collect()
}

impl TemplateSpec {
    /// Adds a later `template` of the same server block. All of a block are one plugin: a question that no `match` of one
    /// fits is not the next plugin's but SERVFAIL, or the next template's.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        self.rules.extend(later.rules);
        self
    }
}

impl Spec for TemplateSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let records: usize = self.rules.iter().map(|rule| rule.records.len()).sum();
        let personal = self.rules.iter().filter(|rule| rule.is_personal()).count();
        let memorised = match personal {
            0 => String::new(),
            some => format!("; replies of {some} are made anew for each client"),
        };
        let of = |count: usize, what| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        format!("answers by {} with {}{memorised}", of(self.rules.len(), "template"), of(records, "record"))
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        Ok(Arc::new(Templates::new(self.rules.clone(), context)))
    }
}
