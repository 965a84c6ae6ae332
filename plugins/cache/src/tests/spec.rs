//! `cache` as it is written.

use std::time::Duration;

use contract::Spec;
use contract::corefile::{Memory, Report, parse};
use contract::limits::{EXCHANGE_WITHIN, STALE_AFTER, STALE_TTL};

use super::name;
use crate::{CacheSpec, ClassPolicy, Policy, Prefetch, StaleMode, StalePolicy, check};

/// Checks a statement inside a block for `example.org` and `example.com`.
fn read(text: &str) -> (Option<CacheSpec>, String) {
    let mut report = Report::new();
    let corefile = format!("example.org example.com {{\n{text}\n}}\n");
    let corefile = parse("Corefile", &corefile, &Memory::new(), &mut report);
    let statement = corefile.blocks[0].directive("cache").expect("a test writes `cache`");
    let spec = check(statement, &[name("example.org"), name("example.com")], &mut report);
    (spec, report.to_string())
}

/// The specification of a statement without errors, for the block `.`, so that a test may ask for any name.
pub(super) fn checked(text: &str) -> CacheSpec {
    let mut report = Report::new();
    let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
    let statement = corefile.blocks[0].directive("cache").expect("a test writes `cache`");
    check(statement, &[name(".")], &mut report).unwrap_or_else(|| panic!("{report}"))
}

/// Each statement gives its policy, and nothing is reported.
fn assert_read(table: &[(&str, Policy)]) {
    for (text, expected) in table {
        let (spec, report) = read(text);
        assert_eq!(spec.map(|spec| spec.policy).as_ref(), Some(expected), "{text}\n{report}");
        assert_eq!(report, "", "{text}");
    }
}

#[test]
fn ttls_zones_and_classes_are_read() {
    let default = Policy::default;
    let class = default().success;
    assert_read(&[
        ("cache", default()),
        ("cache {\n}", default()),
        (
            "cache 30",
            Policy {
                success: ClassPolicy { ttl_max: 30, ..class.clone() },
                denial: ClassPolicy { ttl_max: 30, ..class.clone() },
                ..default()
            },
        ),
        (
            "cache 30 {\ndenial 5000 9\n}",
            Policy {
                success: ClassPolicy { ttl_max: 30, ..class.clone() },
                denial: ClassPolicy { ttl_max: 9, capacity: 4_864, ..class.clone() },
                ..default()
            },
        ),
        ("cache example.org", Policy { zones: Some([name("example.org")].into()), ..default() }),
        (
            "cache 3600 example.org example.com",
            Policy { denial: ClassPolicy { ttl_max: 3_600, ..class.clone() }, ..default() },
        ),
        ("cache .", default()),
        ("cache 10.0.0.0/8", Policy { zones: Some([name("10.in-addr.arpa")].into()), ..default() }),
        ("cache {\nsuccess 5000\n}", Policy { success: ClassPolicy { capacity: 4_864, ..class.clone() }, ..default() }),
        (
            "cache {\nsuccess 9984 7 1\n}",
            Policy { success: ClassPolicy { ttl_max: 7, ttl_min: 1, ..class.clone() }, ..default() },
        ),
        ("cache {\nservfail 5m\n}", Policy { servfail: Duration::from_secs(300), ..default() }),
        ("cache {\nservfail 0\n}", Policy { servfail: Duration::ZERO, ..default() }),
        (
            "cache {\ndisable success\n}",
            Policy { success: ClassPolicy { disabled: [name(".")].into(), ..class.clone() }, ..default() },
        ),
        (
            "cache {\ndisable denial a.example.org b.example.org\n}",
            Policy {
                denial: ClassPolicy {
                    disabled: [name("a.example.org"), name("b.example.org")].into(),
                    ..default().denial
                },
                ..default()
            },
        ),
        (
            "cache {\ndisable success a\ndisable denial b c\n}",
            Policy {
                success: ClassPolicy { disabled: [name("a")].into(), ..class.clone() },
                denial: ClassPolicy { disabled: [name("b"), name("c")].into(), ..default().denial },
                ..default()
            },
        ),
        ("cache {\nkeepttl\n}", Policy { keep_ttl: true, ..default() }),
    ]);
}

#[test]
fn prefetch_and_serve_stale_are_read() {
    let default = Policy::default;
    let stale = default().stale;
    let seconds = Duration::from_secs;
    assert_eq!((stale.patience, stale.ttl), (STALE_AFTER, STALE_TTL));
    assert_read(&[
        (
            "cache {\nprefetch 10\n}",
            Policy { prefetch: Some(Prefetch { amount: 10, gap: seconds(60), share: 10 }), ..default() },
        ),
        (
            "cache {\nprefetch 10 1h 90%\n}",
            Policy { prefetch: Some(Prefetch { amount: 10, gap: seconds(3_600), share: 90 }), ..default() },
        ),
        ("cache {\nserve_stale\n}", Policy { stale: StalePolicy { mode: StaleMode::Immediate, ..stale }, ..default() }),
        (
            "cache {\nserve_stale 2h\n}",
            Policy { stale: StalePolicy { mode: StaleMode::Immediate, max: seconds(7_200), ..stale }, ..default() },
        ),
        (
            "cache {\nserve_stale 2h IMMEDIATE 7s 1m\n}",
            Policy {
                stale: StalePolicy {
                    mode: StaleMode::Immediate,
                    max: seconds(7_200),
                    ttl: 7,
                    recheck: seconds(60),
                    ..stale
                },
                ..default()
            },
        ),
        (
            "cache {\nserve_stale 1h verify\n}",
            Policy { stale: StalePolicy { mode: StaleMode::Verify, ..stale }, ..default() },
        ),
        (
            "cache {\nserve_stale 1h verify 100ms 0 5m\n}",
            Policy {
                stale: StalePolicy {
                    mode: StaleMode::Verify,
                    patience: Duration::from_millis(100),
                    ttl: 0,
                    recheck: seconds(300),
                    ..stale
                },
                ..default()
            },
        ),
        (
            "cache {\nserve_stale\nserve_stale_policy Prefer_Positive\n}",
            Policy { stale: StalePolicy { mode: StaleMode::Immediate, ..stale }, prefer_positive: true, ..default() },
        ),
    ]);
}

#[test]
fn whatever_is_wrong_is_said_with_its_place() {
    let table = [
        ("cache 0", "2:7: error: wrong value `0`"),
        ("cache -1", "2:7: error: wrong value `-1`"),
        ("cache 10 a..b", "2:10: error: wrong value `a..b`"),
        ("cache {\nsucces 1024\n}", "did you mean `success`?"),
        ("cache {\nsuccess\n}", "3:8: error: missing argument of `success`"),
        ("cache {\nsuccess many\n}", "3:9: error: wrong value `many`"),
        ("cache {\nsuccess 1024 0\n}", "3:14: error: wrong value `0`"),
        ("cache {\ndenial 1024 9 -1\n}", "3:15: error: wrong value `-1`"),
        ("cache {\ndenial 1024 9 1 1\n}", "3:17: error: unexpected argument `1`"),
        ("cache {\nsuccess 1024\nsuccess 2048\n}", "4:1: error: `success` stands twice"),
        ("cache {\nsuccess 1024 {\nx\n}\n}", "`success` has no properties"),
        ("cache {\nprefetch\n}", "missing argument of `prefetch`"),
        ("cache {\nprefetch -1\n}", "wrong value `-1`"),
        ("cache {\nprefetch 1 1m 10\n}", "3:15: error: wrong value `10`: a percentage ends with `%`"),
        ("cache {\nprefetch 1 1m 9%\n}", "out of range, at least 10%, at most 90%"),
        ("cache {\nprefetch 1 1m 91%\n}", "out of range, at least 10%, at most 90%"),
        ("cache {\nprefetch 1 1m 50% x\n}", "unexpected argument `x`"),
        ("cache {\nserve_stale 1\n}", "wrong value `1`"),
        ("cache {\nserve_stale -1h\n}", "a negative duration"),
        ("cache {\nserve_stale 1h verfy\n}", "did you mean `verify`?"),
        ("cache {\nserve_stale 1h immediate 1500ms\n}", "no whole number of seconds"),
        ("cache {\nserve_stale 1h immediate 1s 6m\n}", "longer than 5m"),
        ("cache {\nserve_stale 1h immediate 1s 1s 1s\n}", "unexpected argument `1s`"),
        ("cache {\nserve_stale 1h verify 1s 1s 1s 1s\n}", "unexpected argument `1s`"),
        ("cache {\nserve_stale_policy prefer_positive\n}", "`serve_stale_policy` without `serve_stale`"),
        ("cache {\nserve_stale\nserve_stale_policy prefer\n}", "wrong value `prefer`"),
        ("cache {\nservfail\n}", "missing argument of `servfail`"),
        ("cache {\nservfail 301s\n}", "longer than 5m"),
        ("cache {\ndisable\n}", "missing argument of `disable`"),
        ("cache {\ndisable sucess\n}", "did you mean `success`?"),
        ("cache {\ndisable success a..b\n}", "wrong value `a..b`"),
        (
            "cache {\ndisable success a\ndisable denial b\ndisable success c\n}",
            "5:1: error: `disable success` stands twice",
        ),
        ("cache {\ndisable denial\ndisable denial\n}", "help: first at Corefile:3:1"),
        ("cache {\ndisable denial\ndisable denial\n}", "help: name all zones behind one `disable denial`"),
        ("cache {\nkeepttl yes\n}", "unexpected argument `yes`"),
    ];
    for (text, expected) in table {
        let (spec, report) = read(text);
        assert!(report.contains(expected), "{text}\n{report}");
        assert_eq!(spec, None, "{text}");
    }
    let (spec, report) = read("cache 0 {\nprefetch\nkeepttl x\n}");
    assert_eq!((spec, report.matches("error:").count()), (None, 3), "all errors come in one run\n{report}");
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let (spec, report) = read("cache {\nsuccess 10\nserve_stale 1h verify 10s\n}");
    let policy = spec.expect("a warning is no error").policy;
    assert_eq!(policy.success.capacity, 1_024);
    assert_eq!(policy.patience(), EXCHANGE_WITHIN);
    assert!(report.contains("3:9: warning: a capacity of 10 is raised to 1024"), "{report}");
    assert!(report.contains("4:1: warning: upstream is never waited for longer than 3700 ms"), "{report}");
}

#[test]
fn it_is_described_and_named() {
    let (spec, _) = read("cache 30 example.org {\nserve_stale 2m\n}");
    let spec = spec.expect("it is right");
    assert_eq!(
        spec.describe(),
        "memorises 9984 answers for at most 30 s and 9984 denials for at most 30 s; serves answers up to 120 s past \
         their end at once, while they are fetched anew"
    );
    let labels = spec.labels("dns://example.org.:53", "");
    assert_eq!((labels.server.as_str(), labels.zones.as_str()), ("dns://example.org.:53", "example.org."));
    assert_eq!(checked("cache").labels("", "").zones, ".");
}

#[test]
fn every_example_of_the_readme_is_right() {
    let readme = include_str!("../../README.md");
    let examples: Vec<&str> =
        readme.split("```corefile\n").skip(1).map(|rest| rest.split("```").next().expect("a fence ends")).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let mut report = Report::new();
        let corefile = parse("README.md", example, &Memory::new(), &mut report);
        let statement = corefile.blocks[0].directive("cache").expect("an example shows `cache`");
        assert!(check(statement, &[name(".")], &mut report).is_some(), "{report}");
        assert_eq!(report.to_string(), "", "{example}");
    }
}
