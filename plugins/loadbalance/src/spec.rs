//! `loadbalance` as it is written.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contract::corefile::{Report, Statement, no_body, unknown_property, value};
use contract::limits::WEIGHT_RELOAD_MIN;
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::file::WeightFile;
use crate::policy::{Order, Policy, Subnet};
use crate::{LoadBalance, NAME};

/// The checked `loadbalance` statements of a server block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalanceSpec {
    /// How the first address is chosen.
    pub policy: PolicySpec,
    /// `prefer`: prefixes whose addresses come first, the most wanted one first.
    pub prefer: Vec<Subnet>,
}

/// How the first address is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySpec {
    /// All are shuffled.
    RoundRobin,
    /// By weights.
    Weighted(WeightedSpec),
}

/// Where weights are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightedSpec {
    /// WEIGHTFILE.
    pub file: PathBuf,
    /// `reload`; `None` for `0s`. 30 s unless written.
    pub reload: Option<Duration>,
}

const RELOAD: Duration = Duration::from_secs(30);

/// Reads one statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<LoadBalanceSpec> {
    let before = report.errors();
    let mut reader = statement.reader(report);
    let is_default = reader.peek().is_none();
    let policy = match reader.optional_choice(&[("round_robin", false), ("weighted", true)]) {
        Some(true) => reader.word("the file of weights").map(|word| {
            PolicySpec::Weighted(WeightedSpec { file: PathBuf::from(word.as_str()), reload: Some(RELOAD) })
        }),
        Some(false) => Some(PolicySpec::RoundRobin),
        None => is_default.then_some(PolicySpec::RoundRobin),
    };
    let policy = policy?;
    reader.finish();
    let mut spec = LoadBalanceSpec { policy, prefer: Vec::new() };
    for line in statement.properties() {
        property(&mut spec, line, report);
    }
    (report.errors() == before).then_some(spec)
}

/// Each policy has a property of its own.
fn property(spec: &mut LoadBalanceSpec, line: &Statement, report: &mut Report) {
    no_body(line, report);
    match (line.name.as_str(), &mut spec.policy) {
        ("reload", PolicySpec::Weighted(weighted)) => {
            if let Some(every) = reload(line, report) {
                weighted.reload = (!every.is_zero()).then(|| every.max(WEIGHT_RELOAD_MIN));
            }
        }
        ("prefer", PolicySpec::RoundRobin) => {
            spec.prefer.extend(line.reader(report).values("a prefix such as `10.0.0.0/8`", Subnet::parse));
        }
        ("reload", PolicySpec::RoundRobin) => {
            let error = report.error(line.name.span, "`reload` without `weighted`");
            error.help("nothing is read from a file here; remove the line");
        }
        ("prefer", PolicySpec::Weighted(_)) => {
            let error = report.error(line.name.span, "`prefer` together with `weighted`");
            error.help("use `round_robin`, or leave the choice to the weights");
        }
        (_, PolicySpec::Weighted(_)) => unknown_property(line, &["reload"], report),
        (_, PolicySpec::RoundRobin) => unknown_property(line, &["prefer"], report),
    }
}

fn reload(line: &Statement, report: &mut Report) -> Option<Duration> {
    let mut reader = line.reader(report);
    let at = reader.span();
    let every = reader.value("a duration such as `30s`; `0s` never reads again", value::duration)?;
    reader.finish();
    if !every.is_zero() && every < WEIGHT_RELOAD_MIN {
        report
            .warning(at, format!("the file is read every {} ms at most", WEIGHT_RELOAD_MIN.as_millis()))
            .help("`0s` never reads it again");
    }
    Some(every)
}

impl LoadBalanceSpec {
    /// Adds a later `loadbalance` of the same server block, which are one plugin: the last policy counts, and all preferred
    /// prefixes, unless it is by weights.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        match later.policy {
            PolicySpec::Weighted(_) => later,
            PolicySpec::RoundRobin => {
                self.prefer.extend(later.prefer);
                Self { policy: later.policy, prefer: self.prefer }
            }
        }
    }
}

impl Spec for LoadBalanceSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        match &self.policy {
            PolicySpec::Weighted(weighted) => {
                format!("puts one address first, by the weights in {}", weighted.file.display())
            }
            PolicySpec::RoundRobin if self.prefer.is_empty() => "shuffles A, AAAA and MX records".to_owned(),
            PolicySpec::RoundRobin => {
                format!("shuffles A, AAAA and MX records, addresses of {} preferred prefixes first", self.prefer.len())
            }
        }
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let policy = match &self.policy {
            PolicySpec::RoundRobin => Policy::RoundRobin,
            PolicySpec::Weighted(spec) => Policy::Weighted(WeightFile::open(&spec.file, spec.reload, context)?),
        };
        Ok(Arc::new(LoadBalance { order: Order { policy, prefer: self.prefer.clone().into() } }))
    }
}
