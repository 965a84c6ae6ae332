//! Tier `demo`: what a stranger types first.

use std::time::Duration;

use nearpath_tests::daemon;

#[test]
fn the_demo_shows_its_table_and_ends() {
    let output = daemon::run(&["demo", "--once"], Duration::from_secs(60));
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(!text.contains('\u{1b}'), "no colour where no terminal is");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    assert!((20..=80).contains(&widest), "readable at 80 columns; the widest line has {widest}:\n{text}");
    let lower = text.to_lowercase();
    for word in ["autopath", "questions", "without", "with"] {
        assert!(lower.contains(word), "expected {word} in:\n{text}");
    }
    assert!(text.contains('8') && text.contains('2'), "eight questions become two:\n{text}");
}
