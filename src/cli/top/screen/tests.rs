//! Frames of `top` on a screen in memory.

use super::*;
use crate::see::api::{FailureSeen, StoreState, Top, TopClient, TopName};

/// As long as causes are.
const CAUSE: &str = "10.0.0.3:53 cannot be reached: Connection refused (os error 111)";

fn frame() -> Frame {
    let rates = |pairs: &[(&str, f64)]| pairs.iter().map(|(name, rate)| ((*name).to_owned(), *rate)).collect();
    let upstream = |address: &str, is_up, round_trip_s| UpstreamState {
        address: address.to_owned(),
        protocol: "tcp".to_owned(),
        zones: ".".to_owned(),
        is_up,
        round_trip_s,
        ..UpstreamState::default()
    };
    let overview = Overview {
        node: "node-1".to_owned(),
        version: "0.1.0".to_owned(),
        uptime_s: 3_725.0,
        store: StoreState { octets: 3 << 20, bound: 32 << 20, entries: 1_234 },
        upstreams: vec![
            upstream("10.0.0.1:53", true, Some(0.0004)),
            upstream("10.0.0.2:53", true, Some(0.012)),
            upstream("10.0.0.3:53", false, None),
        ],
        failures: vec![FailureSeen { cause: CAUSE.to_owned(), count: 12, last_s: 3.0 }],
        ..Overview::default()
    };
    let top = Top {
        window_s: 45.0,
        one_of: 1,
        names: vec![TopName { name: "a\x1b[2J.".to_owned(), rtype: "AAAA".to_owned(), queries: 4_500, error: 0 }],
        clients: vec![TopClient { ip: "10.0.0.7".to_owned(), pod: Some("shop/web".to_owned()), queries: 90, error: 0 }],
    };
    let rates = Rates {
        seconds: 1.0,
        queries: 12_345.0,
        hit_share: Some(0.982),
        ways: rates(&[("success", 12_000.0), ("miss", 345.0)]),
        rcodes: rates(&[("SERVFAIL", 2.0)]),
        autopath: rates(&[("1", 20.0), ("absolute", 80.0), ("failed", 0.0)]),
        plain: rates(&[("unknown", 1.5)]),
        took: Some((0.0002, 0.004)),
        ..Rates::default()
    };
    Frame { rates, overview, top }
}

#[test]
fn a_frame_fits_eighty_columns_and_twenty_four_lines() {
    let text = text(&frame(), (80, 24));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 24);
    assert!(lines.iter().all(|line| line.chars().count() <= 80 && !line.contains('\x1b')), "{text}");
    assert_eq!(lines[0], "nearpath 0.1.0 on node-1, up 1h 2m");
    assert_eq!(lines[1], "queries 12.3k/s   from memory 98.2 %   failing 2.0/s   shared 0/s");
    assert_eq!(lines[2], "took    all p50 200 us, p99 4.0 ms   hits -");
    assert_eq!(lines[3], "memory  3.0 MiB of 32.0 MiB, 1234 answers   under way 0   connections 0");
    for word in [
        "source of answers",
        "memory           12.0k/s 97.2 %",
        "asked              345/s  2.8 %",
        "the name itself",
        "80.0/s",
        "as asked: unknown",
        "names, last 45 s",
        "100/s AAAA  a\\u{1b}[2J.",
        "2.0/s shop/web",
        &format!("12    3 s {CAUSE}"),
        "q: quit",
    ] {
        assert!(text.contains(word), "{word}:\n{text}");
    }
    assert!(!text.contains("failed "), "what did not happen is not shown:\n{text}");
    assert_eq!(count([].iter().sum()), "0");
    let at = |word: &str| text.find(word).unwrap_or_else(|| panic!("{word}:\n{text}"));
    assert!(at("DOWN        - 10.0.0.3:53 tcp") < at("up    12.0 ms 10.0.0.2:53 tcp"));
    assert!(at("up    12.0 ms 10.0.0.2:53 tcp") < at("up     400 us 10.0.0.1:53 tcp"));
}

#[test]
fn every_size_is_drawn() {
    for size in [(1, 1), (10, 3), (40, 12), (80, 10), (200, 60)] {
        assert_eq!(text(&frame(), size).lines().count(), usize::from(size.1));
    }
    let long = text(&frame(), (80, 60));
    assert_eq!(long.lines().count(), 60);
}

#[test]
fn what_is_wrong_stands_at_the_end() {
    let mut frame = frame();
    frame.overview.health = Some("a thread stands still".to_owned());
    assert!(text(&frame, (80, 24)).trim_end().ends_with("a thread stands still   q: quit"));
    frame.overview.health = None;
    frame.overview.not_ready = vec!["kubernetes".to_owned()];
    assert!(text(&frame, (80, 24)).trim_end().ends_with("not ready: kubernetes   q: quit"));
}
