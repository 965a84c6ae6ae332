//! The oracle: whole look-ups of two stub resolvers, with AutoPath in front and without, against the same data.
//!
//! ```text
//!   Random --> Cluster (zones, pods) --> LookUp --> glibc | musl --ask--> World             the pod's own walk
//!                                                         |     --ask--> Autopath, World    with AutoPath
//!                                                         +--> End == End, or a mismatch with both walks
//! ```
//!
//! The seed is printed, and `AUTOPATH_ORACLE_SEED` and `AUTOPATH_ORACLE_CASES` set it and the number of cases. That the
//! oracle can fail is tested too: rules broken on purpose must be found out.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap like tests")]

use std::sync::Arc;

use autopath::{CutRules, Finding, Judge, Judgement, Sibling, judge};
use contract::FakeClock;
use contract::wire::{Name, Rcode, RecordType};

use cases::{Cluster, Rules};
use random::Random;
use stubs::{End, LookUp, Told};

#[path = "oracle/cases.rs"]
mod cases;
#[path = "oracle/random.rs"]
mod random;
#[path = "oracle/stubs.rs"]
mod stubs;
#[path = "oracle/time.rs"]
mod time;
#[path = "oracle/world.rs"]
mod world;

const CASES_PER_CLUSTER: usize = 250;
const ADDRESSES: [RecordType; 2] = [RecordType::A, RecordType::AAAA];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stub {
    Glibc,
    Musl,
}

type Step = (Name, RecordType, Told);

/// A look-up's end and every question on the way.
struct Walked {
    end: End,
    steps: Vec<Step>,
    /// Questions that AutoPath took for the first step of a search.
    expanded: usize,
    /// One of them was none, and the answer was therefore another one.
    mistaken: bool,
}

/// What came of some cases.
#[derive(Debug, Default)]
struct Tally {
    cases: usize,
    expanded: usize,
    found: usize,
    excluded: usize,
    again: usize,
    mismatches: Vec<String>,
}

/// A case: one look-up by one stub.
struct Case<'c> {
    cluster: &'c Cluster,
    pod: usize,
    stub: Stub,
    look_up: LookUp<'c>,
}

impl Case<'_> {
    fn look_up(&self, ask: &mut stubs::Ask<'_>) -> End {
        match self.stub {
            Stub::Glibc => stubs::glibc(&self.look_up, ask),
            Stub::Musl => stubs::musl(&self.look_up, ask),
        }
    }

    /// The pod's own walk, against the data as they are or as they would be if no server denied a family.
    fn own(&self, truth: bool) -> Walked {
        let mut steps = Vec::new();
        let end = self.look_up(&mut |name, rtype| {
            let mut told = Told::new(name, rtype, &self.cluster.world.data(name, rtype));
            if truth && rtype == RecordType::AAAA && told.rcode == Rcode::NXDOMAIN {
                let sibling = Told::new(name, RecordType::A, &self.cluster.world.data(name, RecordType::A));
                if sibling.rcode == Rcode::NOERROR {
                    told = Told { rcode: Rcode::NOERROR, answers: 0, ..told };
                }
            }
            steps.push((name.clone(), rtype, told.clone()));
            told
        });
        Walked { end, steps, expanded: 0, mistaken: false }
    }

    /// Where a server denies AAAA of names that it has, AutoPath says NODATA, and so the search ends as it would if that
    /// server told the truth. musl alone takes one family's NXDOMAIN for the name's, throws the other's addresses away
    /// and finds nothing: to be compared with that would be to demand the fault. glibc finds the same either way, but
    /// reports a name without addresses as denied where AutoPath says NODATA: when another name of the list fails, that
    /// decides whether it says "not found" or "try again".
    fn ends_alike(&self, own: &End, with: &End) -> bool {
        let truth = || self.own(true).end;
        let may_tell_the_truth = match self.stub {
            Stub::Glibc => *own == End::TryAgain && *with == End::NotFound,
            Stub::Musl => self.first_step_is_expanded(),
        };
        own == with || self.cluster.denies_aaaa && may_tell_the_truth && truth() == *with
    }

    /// The question that begins this search, if it searches at all.
    fn first_step(&self) -> Option<Name> {
        let searches = self.look_up.dots() < self.look_up.ndots && !self.look_up.trailing_dot;
        self.look_up.search.first().filter(|_| searches).and_then(|domain| self.look_up.below(domain))
    }

    fn first_step_is_expanded(&self) -> bool {
        let address = self.cluster.pods[self.pod].addresses[0];
        self.first_step().is_some_and(|name| self.cluster.world.expanded(address, &name, RecordType::A).1)
    }

    /// The same stub with AutoPath in front.
    fn with_autopath(&self) -> Walked {
        let address = self.cluster.pods[self.pod].addresses[0];
        let first = self.first_step();
        let (mut steps, mut expanded, mut mistaken) = (Vec::new(), 0, false);
        let end = self.look_up(&mut |name, rtype| {
            let (served, searched) = self.cluster.world.expanded(address, name, rtype);
            let told = Told::new(name, rtype, &served);
            expanded += usize::from(searched);
            if searched && first.as_ref() != Some(name) {
                mistaken |= told != Told::new(name, rtype, &self.cluster.world.data(name, rtype));
            }
            steps.push((name.clone(), rtype, told.clone()));
            told
        });
        Walked { end, steps, expanded, mistaken }
    }

    /// What the two address families of each candidate say.
    fn candidates(&self) -> impl Iterator<Item = [Rcode; 2]> {
        let below = self.look_up.search.iter().filter_map(|domain| self.look_up.below(domain));
        below
            .chain([self.look_up.typed.clone()])
            .map(|name| ADDRESSES.map(|rtype| Told::new(&name, rtype, &self.cluster.world.data(&name, rtype)).rcode))
    }

    /// True if "try again" is right where the pod's own walk ends otherwise.
    fn may_end_with_try_again(&self) -> bool {
        let known = [Rcode::NOERROR, Rcode::NXDOMAIN];
        self.candidates().any(|rcodes| {
            // glibc says "not found" when the last name is missing although an earlier one was REFUSED; AutoPath counts
            // every RCODE that tells nothing as SERVFAIL
            let unusable = rcodes.iter().any(|rcode| !known.contains(rcode) && *rcode != Rcode::SERVFAIL);
            // one family denies the name, the other fails: whether it exists nobody knows, and stubs guess differently
            let half = rcodes.contains(&Rcode::NXDOMAIN) && rcodes.iter().any(|rcode| !known.contains(rcode));
            unusable || half
        })
    }

    fn judge(&self, tally: &mut Tally) {
        let own = self.own(false);
        let with = self.with_autopath();
        tally.cases += 1;
        tally.expanded += usize::from(with.expanded > 0);
        tally.found += usize::from(with.expanded > 0 && matches!(with.end, End::Found { .. }));
        // The stated exception: a name below the pod's own first search domain that is typed as absolute, or reached as a
        // later step of another search, looks like the first step of a search.
        if with.mistaken {
            tally.excluded += 1;
            return;
        }
        if self.ends_alike(&own.end, &with.end) {
            return;
        }
        if with.end == End::TryAgain && self.may_end_with_try_again() {
            tally.again += 1;
            return;
        }
        tally.mismatches.push(self.describe(&own, &with));
    }

    fn describe(&self, own: &Walked, with: &Walked) -> String {
        let walk = |walked: &Walked| {
            let lines = walked.steps.iter().map(|(name, rtype, told)| {
                format!(
                    "    {name} {rtype}: {}, {} records, {} of the type\n",
                    told.rcode,
                    told.answers,
                    told.records.len()
                )
            });
            format!("{:?}\n{}", walked.end, lines.collect::<String>())
        };
        format!(
            "{:?} asks {:?}{} {:?}, search {:?} ndots {}, zone {:?}\n  own walk: {}  with AutoPath: {}",
            self.stub,
            self.look_up.typed,
            if self.look_up.trailing_dot { " (absolute)" } else { "" },
            self.look_up.types,
            self.look_up.search,
            self.look_up.ndots,
            self.cluster.world.expanded,
            walk(own),
            walk(with),
        )
    }
}

/// Draws one look-up; `None` if no stub's walk is defined for what was drawn.
fn draw<'c>(cluster: &'c Cluster, typed: &'c Name, random: &mut Random) -> Option<Case<'c>> {
    let pod = random.below(cluster.pods.len());
    let stub = if random.per_cent(50) { Stub::Glibc } else { Stub::Musl };
    let types: &[RecordType] = match (random.below(10), stub) {
        (0, Stub::Glibc) => &[RecordType::SRV],
        (1, Stub::Glibc) => &[RecordType::TXT],
        (2, _) => &[RecordType::A],
        (3, _) => &[RecordType::AAAA],
        _ => &ADDRESSES,
    };
    let search = &cluster.pods[pod].list.domains;
    let ndots = cluster.pods[pod].ndots.into();
    let look_up = LookUp { typed, trailing_dot: random.per_cent(8), search, ndots, types };
    // A stub that asks for AAAA only believes a server that denies them; AutoPath does not.
    let believes = cluster.denies_aaaa && types == [RecordType::AAAA];
    // musl cannot ask below `.`: up to 1.2.3 its search ends there, from 1.2.4 on it goes on to the next domain.
    let ends_early =
        stub == Stub::Musl && search.split_last().is_some_and(|(_, others)| others.contains(&Name::root()));
    // glibc's search ends at a name that is too long, musl's goes on.
    let too_long = stub == Stub::Glibc && search.iter().rev().skip(1).any(|domain| look_up.below(domain).is_none());
    (!believes && !ends_early && !too_long).then_some(Case { cluster, pod, stub, look_up })
}

fn run(seed: u64, cases: usize, rules: &Rules, until_mismatches: usize) -> Tally {
    let mut tally = Tally::default();
    let mut number = 0;
    while tally.cases < cases && tally.mismatches.len() < until_mismatches {
        let mut random = Random::new(seed ^ (number * 0x0001_0001));
        let cluster = Cluster::new(&mut random, rules, Arc::new(FakeClock::new()), None);
        for _ in 0..CASES_PER_CLUSTER {
            let typed = cluster.typed(&mut random);
            if let Some(case) = draw(&cluster, &typed, &mut random) {
                case.judge(&mut tally);
            }
            if tally.mismatches.len() >= until_mismatches {
                let last = tally.mismatches.last_mut().expect("there is one");
                *last = format!("cluster {number} of seed {seed}: {last}");
                break;
            }
        }
        number += 1;
    }
    tally
}

#[expect(clippy::disallowed_methods, reason = "a test's seed comes from whoever runs it")]
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// The rule as it is, with the cut and without.
fn rules(cut: bool) -> Rules {
    Rules { judge, cut: cut.then(CutRules::default) }
}

#[expect(clippy::print_stderr, reason = "whoever sees a mismatch needs the seed")]
#[test]
fn a_look_up_ends_as_it_would_without_autopath() {
    let seed = setting("AUTOPATH_ORACLE_SEED", 20_260_721);
    let cases = setting("AUTOPATH_ORACLE_CASES", 110_000) as usize;
    for (cut, cases) in [(false, cases / 2), (true, cases / 2)] {
        let tally = run(seed ^ u64::from(cut), cases, &rules(cut), 1);
        eprintln!(
            "seed {seed}, cut {cut}: {} cases, {} expanded, {} of them found, {} excluded, {} try again",
            tally.cases, tally.expanded, tally.found, tally.excluded, tally.again
        );
        assert!(tally.mismatches.is_empty(), "{}", tally.mismatches.join("\n"));
        assert!(tally.cases >= cases);
        tally.is_about_something();
    }
}

impl Tally {
    fn is_about_something(&self) {
        assert!(self.expanded * 2 > self.cases, "{self:?}");
        assert!(self.found * 4 > self.expanded, "{self:?}");
        assert!(self.excluded * 20 < self.cases && self.again * 20 < self.cases, "{self:?}");
    }
}

/// Goes on behind a failed candidate.
fn skips_failures(own: Finding, sibling: Sibling) -> Judgement {
    match judge(own, sibling) {
        Judgement::Failed => Judgement::Next,
        judgement => judgement,
    }
}

/// Believes one family's NXDOMAIN.
fn judges_families_apart(own: Finding, _: Sibling) -> Judgement {
    judge(own, Sibling::None)
}

/// Goes on behind a name that has not the type.
fn skips_nodata(own: Finding, sibling: Sibling) -> Judgement {
    match judge(own, sibling) {
        Judgement::NoData => Judgement::Next,
        judgement => judgement,
    }
}

/// Takes a failure for an answer.
fn ends_empty_on_failure(own: Finding, sibling: Sibling) -> Judgement {
    match judge(own, sibling) {
        Judgement::Failed => Judgement::NoData,
        judgement => judgement,
    }
}

#[test]
fn the_oracle_finds_broken_rules_out() {
    let rules: [(&str, Judge); 4] = [
        ("skips failures", skips_failures),
        ("judges A and AAAA apart", judges_families_apart),
        ("skips NODATA", skips_nodata),
        ("ends empty on failure", ends_empty_on_failure),
    ];
    for (what, judge) in rules {
        let tally = run(7, 20_000, &Rules { judge, cut: None }, 3);
        assert_eq!(tally.mismatches.len(), 3, "a rule that {what} must be found out: {} cases", tally.cases);
    }
}
