//! Counters by name and labels, which outlive a reload, and their text form for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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

#[derive(Debug)]
struct Family {
    help: &'static str,
    series: BTreeMap<String, Series>,
}

/// Names of labels and their values.
pub type Labels = Vec<(String, String)>;

/// All counters of the process. The same name and labels give the same counter.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<BTreeMap<&'static str, Family>>);

impl Metrics {
    /// A counter; its name ends with `_total`. Labels never come from a client.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Arc<Counter> {
        match self.series(name, help, labels, || Series::Counter(Arc::default())) {
            Series::Counter(counter) => counter,
            Series::Gauge(_) | Series::Histogram(_) => Arc::default(),
        }
    }

    /// A gauge.
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Arc<Gauge> {
        match self.series(name, help, labels, || Series::Gauge(Arc::default())) {
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
        match self.series(name, help, labels, || Series::Histogram(Arc::new(Histogram::new(bounds)))) {
            Series::Histogram(histogram) => histogram,
            Series::Counter(_) | Series::Gauge(_) => Arc::new(Histogram::new(bounds)),
        }
    }

    fn series(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        new: impl FnOnce() -> Series,
    ) -> Series {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let family = families.entry(name).or_insert_with(|| Family { help, series: BTreeMap::new() });
        family.series.entry(label_text(labels)).or_insert_with(new).clone()
    }

    /// The counters or gauges of a name, each with its labels. Histograms, and names that nobody has, give nothing.
    pub fn values(&self, name: &str) -> Vec<(Labels, f64)> {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        for (name, family) in families.iter() {
            let kind = match family.series.values().next() {
                Some(Series::Counter(_)) => "counter",
                Some(Series::Gauge(_)) => "gauge",
                Some(Series::Histogram(_)) => "histogram",
                None => continue,
            };
            let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
            for (labels, series) in &family.series {
                write_series(&mut out, name, labels, series);
            }
        }
        out
    }
}

fn label_text(labels: &[(&str, &str)]) -> String {
    let escape = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect::<Vec<_>>().join(",")
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
            let comma = if labels.is_empty() { "" } else { "," };
            let mut total = 0;
            for (index, bucket) in histogram.buckets.iter().enumerate() {
                total += bucket.load(Ordering::Relaxed);
                let bound = histogram.bounds.get(index).map_or("+Inf".to_owned(), f64::to_string);
                let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {total}");
            }
            let sum = histogram.sum.load(Ordering::Relaxed) as f64 / 1e6;
            writeln!(out, "{name}_sum{braced} {sum}\n{name}_count{braced} {total}")
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
