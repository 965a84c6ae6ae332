//! The dashboard and the alerts before a real Prometheus that scrapes a daemon under load: no query is empty, and faults fire.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nearpath_tests::mode::{self, note};
use nearpath_tests::{Prometheus, manifest};
use serde_json::{Value, json};

use super::scene::Scene;

const DASHBOARD: &str = "deploy/grafana/nearpath.json";
const ALERTS: &str = "deploy/alerts.yaml";
const RUNBOOK: &str = "docs/troubleshooting.md";
/// As the operator calls the job of a PodMonitor.
const JOB: &str = "kube-system/nearpath";
/// What Grafana puts in the place of variables. Longer words first.
const VARIABLES: &[(&str, &str)] = &[
    ("$__rate_interval", "30s"),
    ("$__interval", "15s"),
    ("$__range", "5m"),
    ("$cluster", "one"),
    ("$instance", ".*"),
    ("$node", ".*"),
    ("$job", JOB),
];
/// How long Prometheus may take to see what happened. Generous: the machine may be busy.
const SEEN_WITHIN: Duration = Duration::from_secs(90);
/// What fires with the faults of the load.
const FIRE: [&str; 5] = [
    "NearpathFailsafeNotArmed",
    "NearpathUpstreamDown",
    "NearpathAllUpstreamsDown",
    "NearpathReloadFailed",
    "NearpathBoundReached",
];

fn read(path: &str) -> String {
    std::fs::read_to_string(mode::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Title and expression of every target, the variables filled in.
fn targets() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).expect("a dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        let expressions = targets.into_iter().map(|target| target["expr"].as_str().expect("an expression").to_owned());
        expressions.map(|text| (title.clone(), filled(&text))).collect::<Vec<_>>()
    };
    panels.iter().flat_map(of_panel).collect()
}

fn filled(expression: &str) -> String {
    let text = VARIABLES.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!text.contains('$'), "a variable that nobody fills: {text}");
    text
}

/// The groups of rules.
fn groups() -> Value {
    manifest::only(&manifest::objects(&read(ALERTS)), "PrometheusRule")["spec"]["groups"].clone()
}

/// The rules of all groups.
fn rules(groups: &Value) -> Vec<Value> {
    let groups = groups.as_array().expect("groups");
    groups.iter().flat_map(|group| group["rules"].as_array().cloned().expect("rules")).collect()
}

/// The vector selectors of an expression: names of metrics with their braces.
fn selectors(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = expression;
    while let Some(at) = rest.find(is_name) {
        let length = rest[at..].find(|c| !is_name(c)).unwrap_or(rest.len() - at);
        let (word, after) = (&rest[at..at + length], &rest[at + length..]);
        rest = after;
        if ["coredns_", "nearpath_", "process_"].iter().any(|known| word.starts_with(known)) || word == "up" {
            let braces = after.strip_prefix('{').and_then(|inside| inside.find('}')).map_or(0, |end| end + 2);
            found.insert(format!("{word}{}", &after[..braces]));
            rest = &after[braces..];
        }
    }
    found
}

/// True once every one is; otherwise the ones that are not.
fn wait_for<T>(all: &[T], is: impl Fn(&T) -> bool) -> Vec<&T> {
    let begun = Instant::now();
    loop {
        let left: Vec<&T> = all.iter().filter(|one| !is(one)).collect();
        if left.is_empty() || begun.elapsed() > SEEN_WITHIN {
            return left;
        }
        sleep(Duration::from_secs(1));
    }
}

#[test]
fn every_query_of_the_dashboard_and_of_the_alerts_finds_something() {
    if !mode::have("metrics: queries", &["prometheus", "promtool", "setpriv"]) {
        return;
    }
    let mut groups = groups();
    // a fault shows at once; how long it has to stay is the operator's patience
    for group in groups.as_array_mut().expect("groups") {
        group["rules"].as_array_mut().expect("rules").iter_mut().for_each(|rule| rule["for"] = json!("0s"));
    }
    let mut scene = Scene::new();
    let labels = json!({ "cluster": "one", "node": "node-1" });
    let prometheus = Prometheus::scraping(&scene.target(), JOB, &labels, &groups);
    sleep(Duration::from_secs(3)); // what grows is seen only beside what it was before
    scene.runs();

    let targets = targets();
    assert!(targets.len() > 60, "{} queries", targets.len());
    let finds = |expression: &str| prometheus.query(expression).map(|series| !series.is_empty());
    let empty = wait_for(&targets, |(_, expression)| finds(expression) == Ok(true));
    let said: Vec<_> = empty.iter().map(|(title, text)| format!("{title}: {text}: {:?}", finds(text))).collect();
    assert!(empty.is_empty(), "queries of the dashboard that find nothing:\n{}", said.join("\n"));

    let expressions: Vec<String> =
        rules(&groups).iter().map(|rule| rule["expr"].as_str().expect("an expression").to_owned()).collect();
    for expression in &expressions {
        prometheus.query(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    }
    let selectors: Vec<String> = expressions.iter().flat_map(|expression| selectors(expression)).collect();
    let empty = wait_for(&selectors, |selector| finds(selector) == Ok(true));
    assert!(empty.is_empty(), "selectors of alerts that match nothing: {empty:?}");
    let silent = wait_for(&FIRE, |name| prometheus.firing().iter().any(|firing| firing == *name));
    assert!(silent.is_empty(), "{silent:?} do not fire, but {:?}", prometheus.firing());
    note(&format!("{} queries, {} alerts, {} fire", targets.len(), expressions.len(), prometheus.firing().len()));
    scene.daemon.is_well();
}

#[test]
fn alerts_say_what_to_do_and_where_that_is_written() {
    let (groups, runbook) = (groups(), read(RUNBOOK));
    let anchors: BTreeSet<String> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|title| title.to_lowercase().replace(' ', "-"))
        .collect();
    let rules = rules(&groups);
    assert!(rules.len() >= 15, "{} alerts", rules.len());
    for rule in &rules {
        let name = rule["alert"].as_str().expect("a name");
        let note = |key: &str| rule["annotations"][key].as_str().unwrap_or_else(|| panic!("{name} has no {key}"));
        assert!(!note("summary").is_empty() && note("description").len() > 20, "{name}");
        let (page, anchor) = note("runbook_url").rsplit_once('#').expect("a place on a page");
        assert!(page.ends_with(RUNBOOK) && anchors.contains(anchor), "{name}: {RUNBOOK} has no #{anchor}: {anchors:?}");
        let severity = rule["labels"]["severity"].as_str();
        assert!(["critical", "warning", "info"].map(Some).contains(&severity), "{name}: {severity:?}");
    }
    if !mode::have("metrics: rules", &["promtool"]) {
        return;
    }
    let folder = nearpath_tests::place::Folder::new();
    let file = folder.write("rules.json", &json!({ "groups": groups }).to_string());
    let output = mode::command("promtool").args(["check", "rules"]).arg(file).output().expect("promtool runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn panels_have_units_and_say_what_to_do() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).expect("a dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = &panel["title"];
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 20), "{title} has no description");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
    }
    let rows: Vec<_> = panels.iter().filter(|panel| panel["type"] == "row").map(|row| &row["title"]).collect();
    assert!(rows.len() >= 8, "{rows:?}");
}

#[test]
fn selectors_are_found_in_expressions() {
    let found =
        selectors("sum by (to) (rate(coredns_a_total{job=~\".*x.*\"}[5m])) / nearpath_b > 0.1 or absent(up{x=\"1\"})");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["coredns_a_total{job=~\".*x.*\"}", "nearpath_b", "up{x=\"1\"}"]);
}
