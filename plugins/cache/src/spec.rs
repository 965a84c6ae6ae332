//! `cache` as it is written, CoreDNS's properties: from the statement to a [`Policy`].

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use contract::corefile::value::{duration, number, number_in, percentage, zone};
use contract::corefile::{Reader, Report, Statement, Word, reader, unknown_property};
use contract::limits::{EXCHANGE_WITHIN, STALE_AFTER};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::capacity::BlockLabels;
use crate::policy::{ClassPolicy, PREFETCH_GAP, PREFETCH_SHARE, Policy, Prefetch, StaleMode};

/// The directive's name.
const NAME: &str = "cache";
/// Its properties.
const PROPERTIES: [&str; 8] =
    ["success", "denial", "prefetch", "serve_stale", "serve_stale_policy", "servfail", "disable", "keepttl"];
/// CoreDNS keeps 256 shards of at least 4 answers; a capacity is a multiple of the one, and at least both together.
const CAPACITY_STEP: usize = 256;
const CAPACITY_MIN: usize = 1_024;
/// The longest TTL (RFC 2181 8), seconds.
const TTL_MAX: u32 = i32::MAX as u32;
/// The longest that a failure is memorised (RFC 9520 3.2), and a failed refresh put off (RFC 8767 5).
const FAILURE_MAX: Duration = Duration::from_secs(300);

/// A checked `cache`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSpec {
    /// What the store is to do.
    pub policy: Policy,
    /// The zones that are memorised, as they are named in metrics.
    pub zones: Box<[Name]>,
}

/// The directive as a step of a chain that has one: it only hands on, because the daemon asks the store itself.
#[derive(Clone, Copy, Debug)]
pub struct Cache;

impl Plugin for Cache {
    fn name(&self) -> &'static str {
        NAME
    }
}

impl Spec for CacheSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let Policy { success, denial, stale, .. } = &self.policy;
        let mut text = format!(
            "memorises {} answers for at most {} s and {} denials for at most {} s",
            success.capacity, success.ttl_max, denial.capacity, denial.ttl_max
        );
        let when = match stale.mode {
            StaleMode::Failing => "when upstream fails or is slow",
            StaleMode::Immediate => "at once, while they are fetched anew",
            StaleMode::Verify => "when upstream, asked first, fails or is slow",
        };
        if stale.max.is_zero() {
            text.push_str("; serves nothing stale");
        } else {
            let _ = write!(text, "; serves answers up to {} s past their end {when}", stale.max.as_secs());
        }
        text
    }

    fn build(&self, _context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        Ok(Arc::new(Cache))
    }
}

impl CacheSpec {
    /// How metrics name the block.
    pub fn labels(&self, server: &str, view: &str) -> BlockLabels {
        let zones: Vec<String> = self.zones.iter().map(Name::to_string).collect();
        BlockLabels { server: server.to_owned(), zones: zones.join(","), view: view.to_owned() }
    }
}

/// Reads the statement; whatever is wrong goes to the report. `zones` are the block's.
pub fn check(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<CacheSpec> {
    let before = report.errors();
    let mut policy = Policy::default();
    let mut cached = zones.to_vec();
    let mut arguments = statement.reader(report);
    if arguments.peek().is_some_and(|word| number::<i64>(&word.text).is_ok())
        && let Some(ttl) = arguments.value("a TTL in seconds, at least 1", number_in(1..=TTL_MAX))
    {
        policy.success.ttl_max = ttl;
        policy.denial.ttl_max = ttl;
    }
    let listed = names(&mut arguments);
    if !listed.is_empty() {
        let all = zones.iter().all(|zone| listed.iter().any(|name| name.encloses(zone)));
        policy.zones = (!all).then(|| listed.clone().into());
        cached = listed;
    }
    for property in statement.properties() {
        read_property(statement, property, &mut policy, report);
    }
    if let Some(property) = statement.property("serve_stale_policy").filter(|_| !has(statement, "serve_stale")) {
        report
            .error(property.name.span, "`serve_stale_policy` without `serve_stale`")
            .help("add a line `serve_stale`, or remove this one");
    }
    (report.errors() == before).then(|| CacheSpec { policy, zones: cached.into() })
}

fn has(statement: &Statement, name: &str) -> bool {
    statement.property(name).is_some()
}

fn read_property(statement: &Statement, property: &Statement, policy: &mut Policy, report: &mut Report) {
    let name = property.name.text.as_str();
    if PROPERTIES.contains(&name) {
        reader::no_body(property, report);
        // `disable` stands once for each class: see there
        if name != "disable" && reader::repeated(statement, property, report) {
            return;
        }
    }
    match name {
        "success" => read_class(property, &mut policy.success, report),
        "denial" => read_class(property, &mut policy.denial, report),
        "prefetch" => policy.prefetch = read_prefetch(property, report),
        "serve_stale" => read_serve_stale(property, policy, report),
        "serve_stale_policy" => read_stale_policy(property, policy, report),
        "servfail" => {
            let mut arguments = property.reader(report);
            if let Some(time) = arguments.value("a duration up to 5m; 0 memorises no failures", up_to_failure_max) {
                policy.servfail = time;
            }
            arguments.finish();
        }
        "disable" => read_disable(statement, property, policy, report),
        "keepttl" => {
            property.reader(report).finish();
            policy.keep_ttl = true;
        }
        _ => unknown_property(property, &PROPERTIES, report),
    }
}

/// `success CAPACITY [TTL] [MINTTL]`, and `denial` alike.
fn read_class(property: &Statement, class: &mut ClassPolicy, report: &mut Report) {
    let mut arguments = property.reader(report);
    let at = arguments.span();
    if let Some(capacity) = arguments.value("how many answers are memorised", number::<u32>) {
        let capacity = capacity as usize;
        if capacity < CAPACITY_MIN {
            let warning =
                arguments.report().warning(at, format!("a capacity of {capacity} is raised to {CAPACITY_MIN}"));
            warning.help(format!("to memorise none, write `disable {}`", property.name));
        }
        class.capacity = (capacity / CAPACITY_STEP * CAPACITY_STEP).max(CAPACITY_MIN);
    }
    if let Some(ttl) = arguments.optional_value("the longest TTL in seconds, at least 1", number_in(1..=TTL_MAX)) {
        class.ttl_max = ttl;
    }
    if let Some(ttl) = arguments.optional_value("the shortest TTL in seconds", number_in(0..=TTL_MAX)) {
        class.ttl_min = ttl;
    }
    arguments.finish();
}

/// `prefetch AMOUNT [[DURATION] [PERCENTAGE%]]`
fn read_prefetch(property: &Statement, report: &mut Report) -> Option<Prefetch> {
    let mut arguments = property.reader(report);
    let amount = arguments.value("how many questions make a name popular; 0: none is", number::<u32>);
    let gap = arguments.optional_value("the longest gap between two of them, such as `1m`", duration);
    let share = arguments.optional_value("the share of its life that is left, from `10%` to `90%`", |text| {
        percentage(text).and_then(|share| match share {
            10..=90 => Ok(share),
            _ => Err("out of range, at least 10%, at most 90%".to_owned()),
        })
    });
    arguments.finish();
    let amount = amount.filter(|&amount| amount > 0)?;
    Some(Prefetch { amount, gap: gap.unwrap_or(PREFETCH_GAP), share: share.unwrap_or(PREFETCH_SHARE) })
}

/// `serve_stale [DURATION] [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]`
fn read_serve_stale(property: &Statement, policy: &mut Policy, report: &mut Report) {
    let stale = &mut policy.stale;
    stale.mode = StaleMode::Immediate;
    let mut arguments = property.reader(report);
    if let Some(max) = arguments.optional_value("how long past its end an answer is served, such as `1h`", duration) {
        stale.max = max;
    }
    if let Some(word) = arguments.optional() {
        match read_mode(word, arguments.report()) {
            Some(mode) => stale.mode = mode,
            None => return, // what follows depends on it
        }
    }
    if stale.mode == StaleMode::Verify
        && let Some(timeout) = arguments.optional_value("how long upstream is waited for, such as `100ms`", duration)
    {
        stale.patience = if timeout.is_zero() { STALE_AFTER } else { timeout };
        if timeout > EXCHANGE_WITHIN {
            let longest = EXCHANGE_WITHIN.as_millis();
            let text = format!("upstream is never waited for longer than {longest} ms");
            arguments.report().warning(property.span(), text);
        }
    }
    if let Some(ttl) =
        arguments.optional_value("the TTL of stale records in whole seconds, such as `30s`", whole_seconds)
    {
        stale.ttl = ttl;
    }
    if let Some(recheck) =
        arguments.optional_value("how long upstream is left alone after a failure", up_to_failure_max)
    {
        stale.recheck = recheck;
    }
    arguments.finish();
}

fn read_mode(word: &Word, report: &mut Report) -> Option<StaleMode> {
    match word.text.to_ascii_lowercase().as_str() {
        "immediate" => Some(StaleMode::Immediate),
        "verify" => Some(StaleMode::Verify),
        other => {
            let error = report.error(word.span, format!("wrong value `{word}`"));
            error.expected("`immediate` or `verify`").nearest(other, ["immediate", "verify"]);
            None
        }
    }
}

/// `serve_stale_policy prefer_positive`
fn read_stale_policy(property: &Statement, policy: &mut Policy, report: &mut Report) {
    let mut arguments = property.reader(report);
    policy.prefer_positive = match arguments.peek() {
        Some(word) if word.text.eq_ignore_ascii_case("prefer_positive") => arguments.optional().is_some(),
        _ => arguments.choice(&[("prefer_positive", true)]).unwrap_or(false),
    };
    arguments.finish();
}

/// `disable success|denial [ZONES...]`, once for each class: CoreDNS would silently keep the last one's zones.
fn read_disable(statement: &Statement, property: &Statement, policy: &mut Policy, report: &mut Report) {
    let mut arguments = property.reader(report);
    let success = arguments.choice(&[("success", true), ("denial", false)]);
    let mut zones = names(&mut arguments);
    if property.arguments.len() == 1 {
        zones.push(Name::root());
    }
    let class = match success {
        Some(true) => &mut policy.success,
        Some(false) => &mut policy.denial,
        None => return,
    };
    let (word, first) = first_disable(statement, property);
    if std::ptr::eq(first, property) {
        class.disabled = zones.into();
        return;
    }
    let first = report.place(first.name.span).to_string();
    let error = report.error(property.name.span, format!("`disable {word}` stands twice"));
    error.help(format!("first at {first}")).help(format!("name all zones behind one `disable {word}`"));
}

/// The class of a `disable` that has one, and the first `disable` of this class.
fn first_disable<'s>(statement: &'s Statement, property: &'s Statement) -> (&'s Word, &'s Statement) {
    let class = &property.arguments[0];
    let alike =
        |one: &&Statement| one.name == "disable" && one.arguments.first().is_some_and(|word| *word == *class.text);
    (class, statement.properties().iter().find(alike).unwrap_or(property))
}

/// All arguments that are left, as names; a prefix stands for its reverse zones.
fn names(arguments: &mut Reader<'_, '_>) -> Vec<Name> {
    let parse = |text: &str| {
        let zones = zone(text)?;
        zones.iter().map(|zone| Name::parse(zone.as_str()).map_err(|error| error.to_string())).collect()
    };
    let zones: Vec<Vec<Name>> = arguments.values("a zone, such as `example.org`", parse);
    zones.into_iter().flatten().collect()
}

fn up_to_failure_max(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time > FAILURE_MAX { Err("longer than 5m".to_owned()) } else { Ok(time) }
}

fn whole_seconds(text: &str) -> Result<u32, String> {
    let time = duration(text)?;
    if time.subsec_nanos() > 0 {
        return Err("no whole number of seconds".to_owned());
    }
    u32::try_from(time.as_secs()).map_err(|_| "longer than a TTL can be".to_owned())
}
