//! What clients are told of failures: whole, within its bound, and with what to do.

use super::*;
use crate::limits::EDE_TEXT_MAX;
use crate::told::CATALOGUE;

/// One failure of each kind, with the longest facts that there are. Whoever adds a kind is led here by `number`.
fn each() -> Vec<Failure> {
    let upstream: SocketAddr = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap();
    let (waited, name) = (Duration::from_millis(3_700), "x.".repeat(127));
    let longest = Some(Down { upstream, since: Duration::from_secs(86_400) });
    let reason = || Cow::Borrowed("Connection refused (os error 111)");
    let mut each = vec![
        Failure::Timeout { upstream, waited },
        Failure::Unreachable { upstream, reason: reason() },
        Failure::BrokenReply { upstream, reason: reason() },
        Failure::AllDown { count: 15, longest },
        Failure::NoneAnswered { zone: "corp.example.".to_owned(), count: 2, longest, last: "it hangs".into() },
        Failure::CnameLoop { at: name.clone() },
        Failure::CnameTooLong { most: 8 },
        Failure::TooLate { waited },
        Failure::NoBlock { name: name.clone() },
        Failure::EndOfChain { name },
        Failure::Prohibited,
        Failure::NotReady { what: "the Service behind `forward`" },
        Failure::Panicked,
        Failure::Memorised { text: "it failed".into(), replied: true },
    ];
    each.extend(Bound::ALL.map(|bound| match bound.fixed() {
        Some(_) => bound.reached(),
        None => bound.reached_at(1_000_000, Some(upstream)),
    }));
    each
}

fn number(failure: &Failure) -> usize {
    match failure {
        Failure::Timeout { .. } => 0,
        Failure::Unreachable { .. } => 1,
        Failure::BrokenReply { .. } => 2,
        Failure::AllDown { .. } => 3,
        Failure::NoneAnswered { .. } => 4,
        Failure::CnameLoop { .. } => 5,
        Failure::CnameTooLong { .. } => 6,
        Failure::TooLate { .. } => 7,
        Failure::NoBlock { .. } => 8,
        Failure::EndOfChain { .. } => 9,
        Failure::Prohibited | Failure::Silent => 10,
        Failure::NotReady { .. } => 11,
        Failure::Panicked => 12,
        Failure::Memorised { .. } => 13,
        Failure::Bound { .. } => 14,
    }
}

#[test]
fn every_kind_of_failure_has_a_row_of_its_own_and_fills_it() {
    let each = each();
    for kind in 0..=14 {
        assert!(each.iter().any(|failure| number(failure) == kind), "kind {kind} has no example");
    }
    let mut rows: Vec<&Telling> = Vec::new();
    for failure in &each {
        let row = failure.telling();
        assert!(CATALOGUE.iter().any(|one| std::ptr::eq(*one, row)), "{failure:?}");
        assert!(!rows.iter().any(|one| std::ptr::eq(*one, row)), "a row for each: {failure:?}");
        rows.push(row);
        let (rcode, ede) = failure.told();
        assert_eq!((Some(rcode), Some(ede.code)), (row.rcode, row.code));
        for (word, fact) in failure.facts() {
            assert!(!fact.is_empty(), "{word} of {failure:?}");
        }
        let words: Vec<&str> = row.text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let facts = failure.facts();
        assert!(words.iter().all(|word| facts.iter().any(|(known, _)| known == word)), "{words:?} of {failure:?}");
    }
}

#[test]
fn what_to_do_is_not_cut_off() {
    for failure in each() {
        let (_, ede) = failure.told();
        assert!(ede.text.len() <= EDE_TEXT_MAX, "{}", ede.text);
        // only a name at the end, or what a system said, may be cut
        let may_be_cut = matches!(number(&failure), 1 | 4 | 5 | 8 | 9);
        assert!(may_be_cut || ede.text.len() < EDE_TEXT_MAX, "{} octets: {}", ede.text.len(), ede.text);
    }
}

#[test]
fn who_is_down_how_long_and_which_bound_are_told() {
    let upstream: SocketAddr = ([10, 96, 0, 10], 53).into();
    let longest = Some(Down { upstream, since: Duration::from_secs(75) });
    let told = |failure: Failure| failure.told().1.text.into_owned();
    let text = told(Failure::AllDown { count: 2, longest });
    assert!(text.starts_with("all 2 upstreams are down, 10.96.0.10:53 for 75 s; "), "{text}");
    let text = told(Failure::AllDown { count: 2, longest: None });
    assert!(text.starts_with("all 2 upstreams are down; "), "{text}");
    let text = told(Bound::UpstreamRate.reached_at(100, Some(upstream)));
    assert!(text.starts_with("10.96.0.10:53 is sent max_qps 100, ") && text.contains("raise max_qps"), "{text}");
    let text = told(Bound::MaxConcurrent.reached_at(50, None));
    assert!(text.starts_with("max_concurrent 50 of forward is reached: raise it"), "{text}");
    let text = told(Bound::Misses.reached());
    assert!(text.starts_with("8192 questions are outstanding"), "{text}");
}
