//! `erratic` as it is written.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use contract::corefile::{Report, Statement, no_arguments, no_body, unknown_property, value};
use contract::limits::CHAIN_WITHIN;
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::{Erratic, NAME};

/// The checked `erratic` statements of a server block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErraticSpec {
    /// `drop`, if written: one in so many; none if 0.
    pub drop: Option<u32>,
    /// `delay`, if written.
    pub delay: Option<DelaySpec>,
    /// `truncate`, if written; none if 0.
    pub truncate: Option<u32>,
    /// `large`: thirty A records.
    pub large: bool,
}

/// Which answers are late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelaySpec {
    /// One in so many; none if 0.
    pub one_in: u32,
    /// By so much.
    pub by: Duration,
}

/// One in so many, unless written.
const ONE_IN: u32 = 2;
/// How late, unless written.
const LATE_BY: Duration = Duration::from_millis(100);
/// The largest number that is read.
const ONE_IN_MAX: u32 = i32::MAX as u32;
const PROPERTIES: [&str; 4] = ["drop", "truncate", "delay", "large"];

/// Reads one statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<ErraticSpec> {
    let before = report.errors();
    statement.reader(report).finish();
    let mut spec = ErraticSpec::default();
    for line in statement.properties() {
        no_body(line, report);
        match line.name.as_str() {
            "drop" => spec.drop = only_amount(line, report).or(spec.drop),
            "truncate" => spec.truncate = only_amount(line, report).or(spec.truncate),
            "delay" => spec.delay = delay(line, report).or(spec.delay),
            "large" => {
                no_arguments(line, report);
                spec.large = true;
            }
            _ => unknown_property(line, &PROPERTIES, report),
        }
    }
    (report.errors() == before).then_some(spec)
}

fn only_amount(line: &Statement, report: &mut Report) -> Option<u32> {
    let mut reader = line.reader(report);
    if reader.peek().is_none() {
        return Some(ONE_IN);
    }
    let amount = reader.value("a number; `0` for none", value::number_in(0..=ONE_IN_MAX))?;
    reader.finish();
    Some(amount)
}

fn delay(line: &Statement, report: &mut Report) -> Option<DelaySpec> {
    let mut reader = line.reader(report);
    let mut spec = DelaySpec { one_in: ONE_IN, by: LATE_BY };
    if reader.peek().is_some() {
        spec.one_in = reader.value("a number; `0` for none", value::number_in(0..=ONE_IN_MAX))?;
    }
    let at = reader.span();
    if reader.peek().is_some() {
        spec.by = reader.value("a duration such as `100ms`", value::duration)?;
    }
    reader.finish();
    if spec.by >= CHAIN_WITHIN {
        let warning = format!("nobody waits longer than {} ms: such answers are failures", CHAIN_WITHIN.as_millis());
        report.warning(at, warning).help("use `drop` for answers that never come");
    }
    Some(spec)
}

impl ErraticSpec {
    /// Adds a later `erratic` of the same server block, which are one plugin: what it says counts.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self {
            drop: later.drop.or(self.drop),
            delay: later.delay.or(self.delay),
            truncate: later.truncate.or(self.truncate),
            large: later.large || self.large,
        }
    }

    /// Every second one is dropped unless something else is said.
    fn dropped(&self) -> u32 {
        let is_otherwise = self.delayed().one_in > 0 || self.truncate.is_some_and(|one_in| one_in > 0);
        self.drop.unwrap_or(if is_otherwise { 0 } else { ONE_IN })
    }

    fn delayed(&self) -> DelaySpec {
        self.delay.unwrap_or(DelaySpec { one_in: 0, by: Duration::ZERO })
    }
}

impl Spec for ErraticSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let mut kinds = Vec::new();
        if self.dropped() > 0 {
            kinds.push(format!("1 in {} dropped", self.dropped()));
        }
        if self.delayed().one_in > 0 {
            kinds.push(format!("1 in {} late by {:?}", self.delayed().one_in, self.delayed().by));
        }
        if self.truncate.is_some_and(|one_in| one_in > 0) {
            kinds.push("some cut".to_owned());
        }
        let kinds = if kinds.is_empty() { "as they should be".to_owned() } else { kinds.join(", ") };
        format!("answers A and AAAA with one fixed address, for tests: {kinds}")
    }

    fn build(&self, _context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let delay = self.delayed();
        Ok(Arc::new(Erratic {
            questions: AtomicU64::new(0),
            drop: self.dropped().into(),
            delay: delay.one_in.into(),
            late_by: delay.by,
            truncate: self.truncate.unwrap_or(0).into(),
            large: self.large,
        }))
    }
}
