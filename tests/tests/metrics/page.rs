//! One page under load: names, form and table.

use std::io::Write as _;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use nearpath_tests::mode;

use super::scene::Scene;
use super::{names, table};

/// Names that promtool does not like and that stay, because CoreDNS has them so.
const COREDNS_WAYS: &[(&str, &str)] = &[];

#[test]
fn a_daemon_under_load_tells_everything_in_good_form() {
    if !mode::have("metrics: lint", &["promtool"]) {
        return;
    }
    let mut scene = Scene::new();
    scene.runs();
    sleep(Duration::from_millis(2_500)); // health is looked at once a second
    let (page, node) = (scene.page(9253), scene.page(9353));
    names::are_there(&page);
    names::are_there(&node);
    is_ordered(&page);
    promtool_likes(&page);
    table::is_up_to_date(&page);
    scene.daemon.is_well();
}

/// Families are contiguous, in the order of their names, each with its help and type first.
#[track_caller]
fn is_ordered(page: &str) {
    let heads: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(heads.len() > 80 && heads.is_sorted_by(|one, next| one < next), "{heads:?}");
    let mut family = "";
    for line in page.lines() {
        match line.strip_prefix("# HELP ").or(line.strip_prefix("# TYPE ")) {
            Some(rest) => family = rest.split(' ').next().unwrap_or_default(),
            None => assert!(line.starts_with(family), "{line} stands in {family}"),
        }
    }
}

#[track_caller]
fn promtool_likes(page: &str) {
    let mut promtool = mode::command("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    promtool.stdin.take().expect("piped").write_all(page.as_bytes()).expect("promtool reads");
    let output = promtool.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let known = |line: &&&str| COREDNS_WAYS.iter().any(|(name, _)| line.split(' ').next() == Some(name));
    let (allowed, wrong): (Vec<&str>, Vec<&str>) = complaints.iter().partition(|line| known(line));
    mode::note(&format!("promtool: {} complaints about CoreDNS's own names", allowed.len()));
    assert!(wrong.is_empty(), "promtool complains:\n{}", wrong.join("\n"));
    assert!(output.status.success() || !allowed.is_empty(), "promtool fails and says nothing");
}
