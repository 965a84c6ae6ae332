//! Metrics of both after the same questions: the same names, labels and counts for what both have.

use std::collections::{BTreeMap, BTreeSet};

use super::fragment::{Fragment, Step};
use super::run::Outcome;

/// Name and labels, as one text in the order of the labels, with the value.
type Samples = BTreeMap<String, f64>;

/// Where two pages deviate.
#[derive(Debug)]
struct Deviation<'p> {
    fragment: &'p Fragment,
    /// The metric.
    name: &'p str,
    /// Labels, with their braces.
    labels: &'p str,
    /// CoreDNS's figure, if it has the sample.
    coredns: Option<f64>,
    /// Nearpath's.
    nearpath: Option<f64>,
}

type Rule = (&'static str, fn(&Deviation<'_>) -> bool);

const RULES: &[Rule] = &[
    ("metrics-version", |it| it.name == "coredns_build_info"),
    ("metrics-plugin", |it| it.name == "coredns_dns_responses_total"),
    ("metrics-plugin-enabled", |it| {
        it.name == "coredns_plugin_enabled"
            && it.labels.contains("name=bind,")
            && it.coredns.is_none()
            && it.nearpath == Some(1.0)
    }),
    ("metrics-reply-size", |it| it.name == "coredns_dns_response_size_bytes_sum"),
    ("gates-first", |it| it.name == "coredns_dns_responses_total:sum" && it.has("local") && it.has("acl")),
    ("gates-first", |it| it.name.starts_with("coredns_acl_") && it.has("local")),
    ("autopath-failed-candidate", |it| it.has("autopath") && it.name == "coredns_dns_responses_total:sum"),
    ("metrics-autopath-asks", |it| it.has("autopath") && it.name.starts_with("coredns_proxy_")),
    ("metrics-memorised-failures", |it| {
        matches!(it.name, "coredns_cache_hits_total" | "coredns_cache_misses_total") && it.asks("servfail-")
    }),
    ("metrics-udp-sockets", |it| it.name.starts_with("coredns_proxy_conn_cache_") && it.labels.contains("proto=udp")),
];

impl Deviation<'_> {
    fn has(&self, directive: &str) -> bool {
        self.fragment.corefile.split_whitespace().any(|word| word == directive)
    }

    fn asks(&self, beginning: &str) -> bool {
        let asked =
            |step: &Step| matches!(step, Step::Ask(all) if all.iter().any(|one| one.text.starts_with(beginning)));
        self.fragment.steps.iter().any(asked)
    }
}

/// Compares two pages.
pub(crate) fn compare(fragment: &Fragment, pages: &[String; 2], known: &BTreeSet<&str>, outcome: &mut Outcome) {
    let [theirs, ours] = [samples(&pages[0]), samples(&pages[1])];
    let all: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let shared = |name: &str| {
        let has = |samples: &Samples| samples.keys().any(|sample| family(sample) == name);
        has(&theirs) && has(&ours)
    };
    for sample in all {
        let name = family(sample);
        if !shared(name) {
            continue;
        }
        outcome.samples += 1;
        let (coredns, nearpath) = (theirs.get(sample).copied(), ours.get(sample).copied());
        // what was never counted may be shown as nothing or not at all
        if coredns.unwrap_or(0.0) == nearpath.unwrap_or(0.0) {
            continue;
        }
        let deviation = Deviation { fragment, name, labels: &sample[name.len()..], coredns, nearpath };
        let id = RULES.iter().find(|(_, is)| is(&deviation)).map(|(id, _)| *id);
        outcome.takes(id, known, |_| {
            let Deviation { labels, .. } = deviation;
            let place = format!("{}: {}", fragment.place, fragment.title);
            format!("{place}\nmetric {name}{labels}: CoreDNS {coredns:?}, nearpath {nearpath:?}")
        });
    }
}

/// The name of a sample.
fn family(sample: &str) -> &str {
    sample.split('{').next().unwrap_or(sample)
}

/// The samples that count something: no buckets, and no sums of seconds.
fn samples(page: &str) -> Samples {
    let mut all = Samples::new();
    for line in page.lines().filter(|line| line.starts_with("coredns_")) {
        let Some((sample, value)) = line.rsplit_once(' ') else { continue };
        let name = family(sample);
        if name.ends_with("_bucket") || name.ends_with("seconds_sum") || name.ends_with("_timestamp_seconds") {
            continue;
        }
        let labels = sample[name.len()..].trim_matches(['{', '}']);
        // no label value of these has a comma with a quote after it
        let mut labels: Vec<&str> = labels.split("\",").map(|label| label.trim_end_matches('"')).collect();
        labels.sort_unstable();
        let Ok(value) = value.parse() else { continue };
        let value: f64 = value;
        if name == "coredns_dns_responses_total" {
            // by plugin, and together: the plugin is another one, the sum is not
            let together: Vec<&str> = labels.iter().filter(|label| !label.starts_with("plugin=")).copied().collect();
            *all.entry(written("coredns_dns_responses_total:sum", &together)).or_default() += value;
        }
        all.insert(written(name, &labels), value);
    }
    all
}

fn written(name: &str, labels: &[&str]) -> String {
    format!("{name}{{{}}}", labels.join(", ").replace("=\"", "="))
}

/// The differences that rules here recognise.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(id, _)| *id)
}
