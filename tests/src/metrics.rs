//! Figures out of a page of metrics in Prometheus' text format.

/// The sum of a metric's samples that have all these labels; 0 where there is none. Label values are those between the
/// quotes, as they stand.
pub fn sum(page: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |all: &str| labels.iter().all(|(label, value)| is_in(all, label, value));
    page.lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter_map(|rest| match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} "),
            None => rest.strip_prefix(' ').map(|value| ("", value)),
        })
        .filter(|(all, _)| has(all))
        .filter_map(|(_, value)| value.split(' ').next()?.parse::<f64>().ok())
        .fold(0.0, |sum, value| sum + value) // not `sum()`: that of nothing is -0
}

/// True if `label="value"` stands at the beginning of the labels or after a comma.
fn is_in(all: &str, label: &str, value: &str) -> bool {
    let sample = format!("{label}=\"{value}\"");
    all.match_indices(&sample).any(|(at, _)| at == 0 || all.as_bytes()[at - 1] == b',')
}
