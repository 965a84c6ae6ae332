//! docs/metrics.md: every metric in a table that is made of a real page. `UPDATE=1` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nearpath_tests::mode;

const DOCUMENT: &str = "docs/metrics.md";

const BEGINNING: &str = "\
# Metrics

Every metric of the daemon, in Prometheus' text format at `prometheus` (`:9253` on a node, `localhost:9153` by default) and on a
node at `-metrics-listen-address` (`:9353`); the same page at both. This table is made of the page of a daemon under load and
checked by the tier `metrics`; `UPDATE=1 tests/run metrics` writes it anew.

No label is ever a client's word: types, RCODEs and reasons that have no place share `other` or the last one, and a metric has at
most 2,000 series. [grafana/nearpath.json](../deploy/grafana/nearpath.json) shows them, and
[alerts.yaml](../deploy/alerts.yaml) says when to look.

Names that begin with `coredns_` mean what they mean in CoreDNS and node-cache, with the same labels, so that dashboards made for
them work. What differs:

* `coredns_dns_request_duration_seconds` has answers from memory as 0: their time is measured on some of them and told in
  `nearpath_hit_duration_seconds`.
* A server block with several zones counts under the first of them, where CoreDNS has each zone by itself. Blocks are counted with or
  without `prometheus` in them.
* Queries that enter no block (`zone=\"dropped\"`) include what is refused before it is looked at (FORMERR, NOTIMP, BADVERS) and class
  CHAOS.
* `plugin` is `cache` for what memory answered, and empty for failures. What an upstream said is counted for `forward`, also of a
  private zone if its block has both directives.
* `coredns_build_info{goversion}` is `none`, and there are no `go_` metrics: there is no Go in it.
";

/// Metrics that the load of the test does not bring about: name, type, labels, meaning.
const ELSEWHERE: &[(&str, &str, &str, &str)] = &[];

struct Family {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

/// The families of a page.
fn families(page: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in page.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            current = name.to_owned();
            let help = help.to_owned();
            families.insert(current.clone(), Family { kind: String::new(), help, labels: BTreeSet::new() });
            continue;
        }
        let family = families.get_mut(&current).expect("a family begins with its help");
        match line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            Some((_, kind)) => family.kind = kind.to_owned(),
            None => {
                let labels =
                    line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(all, _)| all);
                let keys = labels.split("\",").filter_map(|label| label.split_once('=')).map(|(key, _)| key.to_owned());
                family.labels.extend(keys.filter(|key| key != "le"));
            }
        }
    }
    families
}

fn unit(name: &str, kind: &str) -> &'static str {
    let stem = name.strip_suffix("_total").unwrap_or(name);
    match stem.rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "octets",
        Some("info") => "1",
        _ if kind == "histogram" => "",
        _ => "count",
    }
}

fn document(families: &BTreeMap<String, Family>) -> String {
    let mut text = BEGINNING.to_owned();
    let sections = [
        ("coredns_", "CoreDNS's and node-cache's names"),
        ("nearpath_", "Names of its own"),
        ("process_", "Names that every client library has"),
    ];
    for (prefix, title) in sections {
        text += &format!("\n## {title}\n\n| Metric | Type | Labels | Unit | Meaning |\n|---|---|---|---|---|\n");
        for (name, family) in families.iter().filter(|(name, _)| name.starts_with(prefix)) {
            let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
            let Family { kind, help, .. } = family;
            text += &format!("| `{name}` | {kind} | {} | {} | {} |\n", labels.join(", "), unit(name, kind), cell(help));
        }
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The document says what the page says, and names every metric that stands in the sources.
#[track_caller]
pub(super) fn is_up_to_date(page: &str) {
    let mut families = families(page);
    for (name, kind, labels, help) in ELSEWHERE {
        let labels = labels.split(' ').filter(|label| !label.is_empty()).map(str::to_owned).collect();
        let family = Family { kind: (*kind).to_owned(), help: (*help).to_owned(), labels };
        assert!(
            families.insert((*name).to_owned(), family).is_none(),
            "{name} is on the page: it needs no row by hand"
        );
    }
    let missing: Vec<String> = names_in_sources().into_iter().filter(|name| !families.contains_key(name)).collect();
    assert!(missing.is_empty(), "metrics that neither the page nor ELSEWHERE has: {missing:?}");
    let silent: Vec<_> = families.iter().filter(|(_, family)| family.help.len() < 10).map(|(name, _)| name).collect();
    assert!(silent.is_empty(), "without a help: {silent:?}");
    let (path, text) = (mode::root().join(DOCUMENT), document(&families));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).expect("the document can be written");
    }
    let told = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(told == text, "{DOCUMENT} is out of date: UPDATE=1 writes it anew\n{}", difference(&told, &text));
}

fn difference(told: &str, now: &str) -> String {
    let (told, now): (BTreeSet<_>, BTreeSet<_>) = (told.lines().collect(), now.lines().collect());
    let gone = told.difference(&now).map(|line| format!("- {line}"));
    let new = now.difference(&told).map(|line| format!("+ {line}"));
    gone.chain(new).collect::<Vec<_>>().join("\n")
}

/// Words between quotes that begin as metrics do, in the code that is not tests.
fn names_in_sources() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![mode::root().join("src"), mode::root().join("plugins")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the sources are there").flatten() {
            let path = entry.path();
            match path.is_dir() {
                true if entry.file_name() != "tests" => folders.push(path),
                true => {}
                false => names.extend(names_in(&path)),
            }
        }
    }
    assert!(names.len() > 80, "{} names in the sources", names.len());
    names
}

fn names_in(path: &Path) -> Vec<String> {
    let is_code =
        path.extension().is_some_and(|ending| ending == "rs") && path.file_name().is_none_or(|name| name != "tests.rs");
    let text = if is_code { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() };
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let words = code.split('"').skip(1);
    let is_metric = |word: &&str| {
        ["coredns_", "nearpath_", "process_"].iter().any(|prefix| word.starts_with(prefix))
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    words.filter(is_metric).map(str::to_owned).collect()
}
