//! Counters by name and labels, which outlive a reload, and their text form for Prometheus.
//!
//! Labels are never a client's words. What else they may come from (addresses of endpoints, paths) comes and goes, so a family
//! has a bound: over it, series that nobody counts in any more go first, and then new ones are counted and not told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::SERIES_PER_FAMILY_MAX;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Several more.
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// The count.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Sets it.
    pub fn set(&self, to: i64) {
        self.0.store(to, Ordering::Relaxed);
    }

    /// Adds, or takes away.
    pub fn add(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// The number.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts of observations up to each bound.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    buckets: Box<[AtomicU64]>,
    /// The sum in millionths of the unit.
    sum: AtomicU64,
}

impl Histogram {
    /// A histogram with these upper bounds in ascending order; a last bucket takes what is above.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, buckets: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    /// Adds one observation.
    pub fn observe(&self, value: f64) {
        let index = self.bounds.partition_point(|&bound| bound < value);
        self.buckets[index].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add((value * 1e6) as u64, Ordering::Relaxed);
    }
}

/// Seconds, as CoreDNS buckets durations.
pub const SECONDS: &[f64] = &[
    0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192,
];
/// Octets, as CoreDNS buckets message sizes.
pub const OCTETS: &[f64] =
    &[0.0, 100.0, 200.0, 300.0, 400.0, 511.0, 1023.0, 2047.0, 4095.0, 8291.0, 16000.0, 32000.0, 48000.0, 64000.0];

#[derive(Clone, Debug)]
enum Series {
    Counter(Arc<Counter>),
    Gauge(Arc<Gauge>),
    Histogram(Arc<Histogram>),
}

impl Series {
    fn kind(&self) -> &'static str {
        match self {
            Self::Counter(_) => "counter",
            Self::Gauge(_) => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }

    /// True if somebody beside the family still counts in it.
    fn is_held(&self) -> bool {
        let holders = match self {
            Self::Counter(counter) => Arc::strong_count(counter),
            Self::Gauge(gauge) => Arc::strong_count(gauge),
            Self::Histogram(histogram) => Arc::strong_count(histogram),
        };
        holders > 1
    }
}

#[derive(Debug)]
struct Family {
    kind: &'static str,
    help: &'static str,
    series: BTreeMap<String, Series>,
}

impl Family {
    /// The series of these labels; one that is not told, if there is no room.
    fn take(&mut self, labels: String, new: Series, refused: &Counter) -> Series {
        if let Some(series) = self.series.get(&labels) {
            return series.clone();
        }
        if self.series.len() >= SERIES_PER_FAMILY_MAX {
            self.series.retain(|_, series| series.is_held());
        }
        match self.series.len() < SERIES_PER_FAMILY_MAX && new.kind() == self.kind {
            true => {
                self.series.insert(labels, new.clone());
            }
            false => refused.increment(),
        }
        new
    }
}

/// Names of labels and their values.
pub type Labels = Vec<(String, String)>;

/// All counters of the process. The same name and labels give the same counter.
#[derive(Debug, Default)]
pub struct Metrics {
    families: Mutex<BTreeMap<&'static str, Family>>,
    refused: Counter,
}

impl Metrics {
    /// A counter; its name ends with `_total`. Labels never come from a client.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Arc<Counter> {
        match self.series(name, help, labels, Series::Counter(Arc::default())) {
            Series::Counter(counter) => counter,
            Series::Gauge(_) | Series::Histogram(_) => Arc::default(),
        }
    }

    /// A gauge.
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Arc<Gauge> {
        match self.series(name, help, labels, Series::Gauge(Arc::default())) {
            Series::Gauge(gauge) => gauge,
            Series::Counter(_) | Series::Histogram(_) => Arc::default(),
        }
    }

    /// A histogram with upper bounds such as [`SECONDS`].
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        bounds: &'static [f64],
    ) -> Arc<Histogram> {
        match self.series(name, help, labels, Series::Histogram(Arc::new(Histogram::new(bounds)))) {
            Series::Histogram(histogram) => histogram,
            Series::Counter(_) | Series::Gauge(_) => Arc::new(Histogram::new(bounds)),
        }
    }

    /// A gauge that is 1 for these labels and for no others any more: what is told is in the labels.
    pub fn info(&self, name: &'static str, help: &'static str, sets: &[Vec<(&str, &str)>]) {
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        families.remove(name);
        let family = families.entry(name).or_insert_with(|| Family { kind: "gauge", help, series: BTreeMap::new() });
        for labels in sets {
            let gauge = Arc::new(Gauge::default());
            gauge.set(1);
            family.take(label_text(labels), Series::Gauge(gauge), &self.refused);
        }
    }

    fn series(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)], new: Series) -> Series {
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = new.kind();
        let family = families.entry(name).or_insert_with(|| Family { kind, help, series: BTreeMap::new() });
        family.take(label_text(labels), new, &self.refused)
    }

    /// The counters or gauges of a name, each with its labels. Histograms, and names that nobody has, give nothing.
    pub fn values(&self, name: &str) -> Vec<(Labels, f64)> {
        let families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        let series = families.get(name).into_iter().flat_map(|family| &family.series);
        let value = |series: &Series| match series {
            Series::Counter(counter) => Some(counter.value() as f64),
            Series::Gauge(gauge) => Some(gauge.value() as f64),
            Series::Histogram(_) => None,
        };
        series.filter_map(|(labels, series)| Some((labels_of(labels), value(series)?))).collect()
    }

    /// The text format of Prometheus, version 0.0.4.
    pub fn text(&self) -> String {
        let families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        for (name, family) in families.iter().filter(|(_, family)| !family.series.is_empty()) {
            write_head(&mut out, name, family.kind, family.help);
            for (labels, series) in &family.series {
                write_series(&mut out, name, labels, series);
            }
        }
        let name = "nearpath_metrics_series_refused_total";
        write_head(&mut out, name, "counter", "Series that are not told, since their family has too many.");
        let _ = writeln!(out, "{name} {}", self.refused.value());
        out
    }
}

/// Writes the two lines before a family's samples.
pub fn write_head(out: &mut String, name: &str, kind: &str, help: &str) {
    let help = help.replace('\\', r"\\").replace('\n', r"\n");
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Labels as they stand between the braces, their values escaped.
pub fn label_text(labels: &[(&str, &str)]) -> String {
    let escape = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect::<Vec<_>>().join(",")
}

/// Writes a histogram's samples: `buckets` are counts per bound and above the last, `sum` is in the metric's unit.
pub fn write_histogram(
    out: &mut String,
    name: &str,
    labels: &str,
    bounds: &[f64],
    buckets: impl Iterator<Item = u64>,
    sum: f64,
) {
    let (comma, braced) = match labels.is_empty() {
        true => ("", String::new()),
        false => (",", format!("{{{labels}}}")),
    };
    let mut total = 0;
    for (index, bucket) in buckets.enumerate() {
        total += bucket;
        let bound = bounds.get(index).map_or("+Inf".to_owned(), f64::to_string);
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {total}");
    }
    let _ = writeln!(out, "{name}_sum{braced} {sum}\n{name}_count{braced} {total}");
}

/// What [`label_text`] made its text of.
fn labels_of(text: &str) -> Labels {
    let mut labels = Labels::new();
    let mut rest = text;
    while let Some((name, value)) = rest.split_once("=\"") {
        let (mut plain, mut letters) = (String::new(), value.chars());
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => plain.extend(letters.next().map(|escaped| if escaped == 'n' { '\n' } else { escaped })),
                letter => plain.push(letter),
            }
        }
        labels.push((name.trim_start_matches(',').to_owned(), plain));
        rest = letters.as_str();
    }
    labels
}

fn write_series(out: &mut String, name: &str, labels: &str, series: &Series) {
    let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _ = match series {
        Series::Counter(counter) => writeln!(out, "{name}{braced} {}", counter.value()),
        Series::Gauge(gauge) => writeln!(out, "{name}{braced} {}", gauge.value()),
        Series::Histogram(histogram) => {
            let buckets = histogram.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
            let sum = histogram.sum.load(Ordering::Relaxed) as f64 / 1e6;
            write_histogram(out, name, labels, histogram.bounds, buckets, sum);
            Ok(())
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_labels_are_the_same_counter() {
        let metrics = Metrics::default();
        metrics.counter("x_total", "X.", &[("a", "b")]).increment();
        metrics.counter("x_total", "X.", &[("a", "b")]).increment();
        metrics.histogram("d_seconds", "D.", &[], SECONDS).observe(0.003);
        let text = metrics.text();
        assert!(text.contains("x_total{a=\"b\"} 2\n"), "{text}");
        assert!(text.contains("d_seconds_bucket{le=\"0.002\"} 0\nd_seconds_bucket{le=\"0.004\"} 1\n"), "{text}");
        assert!(text.contains("d_seconds_sum 0.003\nd_seconds_count 1\n"), "{text}");
    }

    #[test]
    fn whatever_stands_in_a_label_or_a_help_cannot_end_its_line() {
        let metrics = Metrics::default();
        metrics.counter("x_total", "A \\ and\na line.", &[("path", "a\"b\\c\nd")]).increment();
        let text = metrics.text();
        assert!(text.contains("# HELP x_total A \\\\ and\\na line.\n# TYPE x_total counter\n"), "{text}");
        assert!(text.contains("x_total{path=\"a\\\"b\\\\c\\nd\"} 1\n"), "{text}");
    }

    #[test]
    fn what_is_told_in_labels_is_replaced_as_a_whole() {
        let metrics = Metrics::default();
        metrics.info("v_info", "V.", &[vec![("v", "1")], vec![("v", "2")]]);
        metrics.info("v_info", "V.", &[vec![("v", "3")]]);
        let text = metrics.text();
        assert!(
            text.contains("v_info{v=\"3\"} 1\n") && !text.contains("v=\"1\"") && !text.contains("v=\"2\""),
            "{text}"
        );
    }

    #[test]
    fn a_family_has_a_bound_and_what_nobody_holds_makes_room() {
        let metrics = Metrics::default();
        let told = || metrics.text().lines().filter(|line| line.starts_with("x_total{")).count();
        let series = |number: usize| metrics.counter("x_total", "X.", &[("to", &number.to_string())]);
        let held: Vec<_> = (0..SERIES_PER_FAMILY_MAX).map(series).collect();
        series(SERIES_PER_FAMILY_MAX).increment();
        assert_eq!(told(), SERIES_PER_FAMILY_MAX);
        assert!(metrics.text().contains("nearpath_metrics_series_refused_total 1\n"));
        drop(held);
        series(SERIES_PER_FAMILY_MAX).increment();
        assert_eq!(told(), 1, "the others are nobody's");
    }

    #[test]
    fn a_name_has_one_kind() {
        let metrics = Metrics::default();
        let held = metrics.counter("x_total", "X.", &[]);
        metrics.gauge("x_total", "X.", &[]).set(7);
        metrics.gauge("x_total", "X.", &[("a", "b")]).set(7);
        held.increment();
        let text = metrics.text();
        assert!(text.contains("x_total 1\n") && !text.contains("x_total{"), "{text}");
    }

    #[test]
    fn values_come_with_their_labels_whatever_stands_in_them() {
        let metrics = Metrics::default();
        let odd = "a\"b\\c\nd,e=\"f";
        metrics.counter("x_total", "X.", &[("one", odd), ("two", "")]).add(3);
        metrics.counter("x_total", "X.", &[]).increment();
        metrics.histogram("d_seconds", "D.", &[], SECONDS).observe(0.003);
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(metrics.values("x_total"), [(vec![], 1.0), (vec![of("one", odd), of("two", "")], 3.0)]);
        assert!(metrics.values("d_seconds").is_empty() && metrics.values("y_total").is_empty());
    }
}
