//! The oracle while time passes: look-ups are repeated, memory ends, proofs are renewed, and what exists changes.
//!
//! ```text
//!   Cluster --look-ups drawn once--> round: each look-up --judge--> time passes, or data change and memory's end is awaited
//!                                      ^                                             |
//!                                      '---------------------------------------------'
//! ```

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use autopath::CutRules;
use contract::wire::{Name, RecordType};
use contract::{Plugin as _, RuntimeClock};
use tokio::time::sleep;

use crate::cases::{Cluster, Rules};
use crate::random::Random;
use crate::{Case, Tally, draw, rules, setting};

const LOOK_UPS: usize = 40;
const ROUNDS: usize = 8;
/// What is memorised ends within this: records live for 30 s, denials for 5 s.
const MEMORY_ENDS: Duration = Duration::from_secs(31);
const DENIALS_END: Duration = Duration::from_secs(6);

/// A cluster whose proofs are cared for while it lives.
struct Stage {
    cluster: Cluster,
    typed: Vec<Name>,
    work: tokio::task::AbortHandle,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Stage {
    fn new(random: &mut Random, rules: &Rules) -> Self {
        let cluster = Cluster::new(random, rules, Arc::new(RuntimeClock::start()), Some(true));
        let work = tokio::spawn(Arc::clone(cluster.world.plugin()).run()).abort_handle();
        let typed = (0..LOOK_UPS).map(|_| cluster.typed(random)).collect();
        Self { cluster, typed, work }
    }

    fn cases(&self, random: &mut Random) -> Vec<Case<'_>> {
        self.typed.iter().filter_map(|typed| draw(&self.cluster, typed, random)).collect()
    }

    fn counted(&self, metric: &str) -> u64 {
        let text = self.cluster.metrics.text();
        let line = text.lines().find_map(|line| line.strip_prefix(metric)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("no {metric}"))
    }
}

/// Judges each case, with a moment between two of them, as long as fewer than so many are wrong.
async fn round(cases: &[Case<'_>], random: &mut Random, tally: &mut Tally, until_mismatches: usize) {
    for _ in 0..cases.len() {
        if tally.mismatches.len() >= until_mismatches {
            return;
        }
        random.pick(cases).judge(tally);
        sleep(Duration::from_millis(10)).await;
    }
}

/// Clusters that keep RFC 8020 inside, and change. What cuts saved is counted as well, and what contradicted
/// them.
fn run_over_time(seed: u64, cases: usize, rules: &Rules, until_mismatches: usize) -> (Tally, u64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (mut tally, mut saved, mut contradictions, mut number) = (Tally::default(), 0, 0, 0);
        while tally.cases < cases && tally.mismatches.len() < until_mismatches {
            let mut random = Random::new(seed ^ (number * 0x0001_0001));
            let stage = Stage::new(&mut random, rules);
            let cases = stage.cases(&mut random);
            for _ in 0..ROUNDS {
                round(&cases, &mut random, &mut tally, until_mismatches).await;
                if random.per_cent(50) {
                    sleep(Duration::from_millis(random.below(7_000) as u64)).await;
                } else {
                    stage.cluster.change(&mut random, &stage.typed);
                    sleep(MEMORY_ENDS).await;
                }
            }
            if rules.cut.is_some() {
                saved += stage.counted("nearpath_autopath_cut_saved_total");
                contradictions += stage.counted("nearpath_autopath_cut_contradictions_total");
            }
            if let Some(last) = tally.mismatches.last_mut().filter(|last| !last.starts_with("cluster")) {
                *last = format!("cluster {number} of seed {seed}: {last}");
            }
            number += 1;
        }
        (tally, saved, contradictions)
    })
}

#[expect(clippy::print_stderr, reason = "whoever sees a mismatch needs the seed")]
#[test]
fn repeated_look_ups_end_as_they_would_without_autopath_while_names_come_and_go() {
    let seed = setting("AUTOPATH_ORACLE_SEED", 20_260_722);
    let cases = setting("AUTOPATH_ORACLE_CASES", 80_000) as usize / 2;
    for cut in [false, true] {
        let (tally, saved, contradictions) = run_over_time(seed, cases, &rules(cut), 1);
        eprintln!(
            "seed {seed}, cut {cut}: {} cases, {} expanded, {} of them found, {saved} candidates not asked",
            tally.cases, tally.expanded, tally.found
        );
        assert!(tally.mismatches.is_empty(), "{}", tally.mismatches.join("\n"));
        tally.is_about_something();
        assert_eq!(contradictions, 0, "nobody breaks the rule");
        assert!(!cut || saved as usize * 10 > tally.cases, "the cut is used: {saved}");
    }
}

#[test]
fn the_oracle_finds_a_broken_cut_out() {
    let right = CutRules::default();
    let broken = [
        ("uses the cut outside the cluster's zone", CutRules { covers: |_| true, ..right }),
        ("ignores that the name of the cut exists", CutRules { holds: |_| true, ..right }),
    ];
    for (what, cut) in broken {
        let (tally, ..) = run_over_time(7, 60_000, &Rules { cut: Some(cut), ..rules(true) }, 3);
        assert_eq!(tally.mismatches.len(), 3, "a cut that {what} must be found out: {} cases", tally.cases);
    }
}

/// One cluster whose servers begin to break RFC 8020 while it is in use. How many look-ups went wrong before somebody saw
/// that, and how many search domains lost their cut.
async fn broken_centre(random: &mut Random) -> (usize, u64) {
    let stage = Stage::new(random, &rules(true));
    let cases = stage.cases(random);
    let mut tally = Tally::default();
    for _ in 0..3 {
        round(&cases, random, &mut tally, usize::MAX).await;
        sleep(Duration::from_secs(2)).await;
    }
    assert!(tally.mismatches.is_empty(), "{}", tally.mismatches.join("\n"));

    let new = stage.cluster.contradict(random, &stage.typed);
    sleep(MEMORY_ENDS).await;
    let mut before = Tally::default();
    let stranger = IpAddr::from([10, 1, 9, 9]);
    for _ in 0..3 {
        for case in &cases {
            case.judge(&mut before); // and so its cuts are alive
        }
        sleep(Duration::from_millis(10)).await;
        for name in &new {
            // of a type that no look-up asks for, so that memory does not answer
            drop(stage.cluster.world.expanded(stranger, name, RecordType::CAA));
        }
        sleep(DENIALS_END).await;
    }

    // on suspicion at once, and when it is certain for good
    let mut after = Tally::default();
    for wait in [Duration::from_secs(1), DENIALS_END, Duration::from_secs(60), DENIALS_END] {
        round(&cases, random, &mut after, usize::MAX).await;
        sleep(wait).await;
    }
    assert!(after.mismatches.is_empty(), "{}", after.mismatches.join("\n"));
    (before.mismatches.len(), stage.counted("nearpath_autopath_cut_contradictions_total"))
}

#[expect(clippy::print_stderr, reason = "the figures show that it is about something")]
#[test]
fn after_the_first_contradiction_nothing_is_wrong_any_more() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (mut wrong, mut off) = (0, 0);
    for number in 0..150 {
        let mut random = Random::new(11 ^ (number * 0x0001_0001));
        let (before, domains) = runtime.block_on(broken_centre(&mut random));
        wrong += before;
        off += domains;
    }
    eprintln!("{wrong} look-ups were wrong before a contradiction was seen, {off} search domains lost their cut");
    assert!(wrong > 20 && off > 20, "{wrong} {off}");
}

/// Names that contradict their cut from the beginning are found: the first time that a name is expanded it is asked in full.
#[test]
fn first_expansions_are_right_before_a_centre_that_breaks_the_rule() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let mut tally = Tally::default();
    for number in 0..150 {
        let mut random = Random::new(13 ^ (number * 0x0001_0001));
        runtime.block_on(async {
            let stage = Stage::new(&mut random, &rules(true));
            stage.cluster.contradict(&mut random, &stage.typed);
            let cases = stage.cases(&mut random);
            for _ in 0..4 {
                round(&cases, &mut random, &mut tally, 1).await;
                sleep(Duration::from_millis(random.below(9_000) as u64)).await;
            }
        });
    }
    assert!(tally.mismatches.is_empty(), "{}", tally.mismatches.join("\n"));
    tally.is_about_something();
}
