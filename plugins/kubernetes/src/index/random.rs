//! Random words in random order: after each of them the index says what the model says.
//!
//! The words come from an API server that keeps its own history (so that no list contradicts what was true at its version),
//! but arrive as they like: late, twice, out of order, never. The seed is printed when a test fails; `NEARPATH_SEED` sets it,
//! `NEARPATH_STEPS` how many steps are made.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use contract::wire::Name;
use contract::{Moment, SearchList, SearchLists};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::model::{Known, Model, Said};
use super::{Claim, Index, Uid};
use crate::words::Version;

const STEPS: u64 = 110_000;
/// A history this long is computed from scratch at each step; then another one begins.
const LONG: (u64, u64) = (10, 60);

/// A number from the environment.
#[expect(clippy::disallowed_methods, reason = "who looks for a failure sets it")]
pub(super) fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The API server, and the clocks.
struct World {
    random: StdRng,
    list: Arc<SearchList>,
    pods: BTreeMap<Uid, Claim>,
    version: u64,
    born: u64,
    /// What it said, by version; `Err`: that pod is gone.
    log: Vec<(u64, Result<Claim, Uid>)>,
    /// What there was at each version.
    past: Vec<(u64, Vec<Claim>)>,
    moment: u64,
    second: u64,
    change: u64,
}

impl World {
    fn new(random: StdRng, list: Arc<SearchList>) -> Self {
        let (pods, log) = (BTreeMap::new(), Vec::new());
        Self {
            random,
            list,
            pods,
            version: 5,
            born: 0,
            log,
            past: vec![(5, vec![])],
            moment: 50,
            second: 1_000,
            change: 0,
        }
    }

    fn address(&mut self) -> IpAddr {
        match self.random.random_range(0..5) {
            number @ 0..4 => IpAddr::from([10, 0, 0, number]),
            _ => "fd00::1".parse().unwrap(),
        }
    }

    /// One whose way changes more often than that of others.
    fn shaky(&mut self) -> IpAddr {
        if self.random.random_bool(0.7) { IpAddr::from([10, 0, 0, 0]) } else { self.address() }
    }

    fn addresses(&mut self) -> Vec<IpAddr> {
        let count = *[0, 1, 1, 1, 1, 2].choose(&mut self.random).unwrap();
        let mut addresses: Vec<_> = (0..count).map(|_| self.address()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    fn ready_at(&mut self) -> Option<u64> {
        let second = self.second;
        self.random.random_bool(0.7).then(|| second - self.random.random_range(0..5))
    }

    /// Something happens to the pods.
    fn happen(&mut self) {
        self.version += self.random.random_range(1..=12); // so that the digits grow, too
        let uids: Vec<Uid> = self.pods.keys().cloned().collect();
        let uid = uids.choose(&mut self.random).cloned();
        let word = match (uid, self.random.random_range(0..10)) {
            (Some(uid), 0..=1) => {
                self.pods.remove(&uid);
                Err(uid)
            }
            (Some(uid), what @ 2..=6) => {
                let mut pod = self.pods[&uid].clone();
                match what {
                    2 => pod.addresses = self.addresses(),
                    3 => pod.addresses.clear(), // it has ended
                    4 => pod.sandbox = self.random.random_range(0..4),
                    5 => (pod.sandbox, pod.ready_at) = (self.random.random_range(0..4), self.ready_at()),
                    _ => {}
                }
                Ok(pod)
            }
            _ => {
                self.born += 1;
                let uid: Uid = format!("uid-{}", self.born).into();
                let name = format!("shop/pod-{}", self.born).into();
                let (addresses, ready_at) = (self.addresses(), self.ready_at());
                let (list, version) = (Arc::clone(&self.list), Version::default());
                Ok(Claim { uid, version, name, addresses, list, ndots: 5, sandbox: 0, ready_at })
            }
        };
        let word = word.map(|pod| Claim { version: Version(self.version.to_string()), ..pod });
        if let Ok(pod) = &word {
            self.pods.insert(pod.uid.clone(), pod.clone());
        }
        self.log.push((self.version, word));
        self.past.push((self.version, self.pods.values().cloned().collect()));
    }

    fn a_list(&mut self, anew: bool) -> Said {
        let latest = self.past.len() - 1;
        let at = if self.random.random_bool(0.5) { latest } else { self.random.random_range(0..=latest) };
        let (version, mut pods) = self.past[at].clone();
        if anew {
            self.past.truncate(at + 1);
            self.log.retain(|(said, _)| *said <= version);
            self.pods = pods.iter().map(|pod| (pod.uid.clone(), pod.clone())).collect();
            self.version = version;
        }
        // a pod that stands in it twice, perhaps as it was before
        for _ in 0..self.random.random_range(0..3) {
            let said: Vec<_> = self.log.iter().filter(|(said, _)| *said <= version).collect();
            if let Some((_, Ok(pod))) = said.choose(&mut self.random)
                && pods.iter().any(|other| other.uid == pod.uid)
            {
                pods.insert(self.random.random_range(0..=pods.len()), pod.clone());
            }
        }
        let asked = Moment(self.moment - self.random.random_range(0..4));
        Said::List { pods, version, asked, anew }
    }

    /// What arrives next.
    fn next(&mut self) -> Said {
        self.moment += self.random.random_range(0..3);
        self.second += self.random.random_range(0..3);
        for _ in 0..self.random.random_range(0..3) {
            self.happen();
        }
        let recent = self.log.len().saturating_sub(3);
        let from = if self.random.random_bool(0.6) { recent } else { 0 };
        let said = self.log[from..].choose(&mut self.random).cloned();
        match (said, self.random.random_range(0..40)) {
            (Some((_, Ok(pod))), 0..=19) => Said::Changed(pod),
            (Some((_, Err(uid))), 0..=19) => Said::Deleted(uid),
            (_, 0..=25) => self.a_list(false),
            (_, 26) => self.a_list(true),
            (_, 27..=29) => {
                self.change += 1;
                Said::Doubt { address: self.shaky(), change: self.change, now: self.second }
            }
            (_, 30..=31) => {
                self.change += 1;
                let (at, now) = (Moment(self.moment), self.second);
                Said::Newcomer { address: self.address(), change: self.change, at, now }
            }
            (_, 32..=34) => {
                let since = self.change.saturating_sub(self.random.random_range(0..5));
                Said::Restored { address: self.shaky(), since, now: Moment(self.moment) }
            }
            (_, 35..=38) => Said::Traced { address: self.address(), traced: self.random.random_bool(0.7) },
            _ => Said::Blind,
        }
    }
}

fn tell(index: &mut Index, said: Said) {
    match said {
        Said::Changed(pod) => index.changed(pod),
        Said::Deleted(uid) => index.deleted(&uid),
        Said::List { pods, version, asked, anew } => index.list(pods, Version(version.to_string()), asked, anew),
        Said::Doubt { address, change, now } => index.doubt(address, change, now),
        Said::Newcomer { address, change, at, now } => index.newcomer(address, change, at, now),
        Said::Restored { address, since, now } => index.restored(address, since, now),
        Said::Traced { address, traced } => index.traced(address, traced),
        Said::Blind => index.blind(),
    }
}

/// What the index says, as the model says it.
fn compare(index: &Index, known: &Known, vouched: bool) -> Result<(), String> {
    let residents = index.residents(vouched);
    let each = |pod: &contract::Pod| pod.addresses.iter().map(|at| (*at, pod.name.to_string())).collect::<Vec<_>>();
    let served: Vec<_> = residents.pods.iter().flat_map(each).collect();
    let by_address: BTreeMap<_, _> = served.iter().cloned().collect();
    let counts = (residents.conflicts, residents.doubted, residents.unvouched, index.len(), served.len());
    let expected =
        (known.conflicts.len(), known.doubted.len(), known.unvouched.len(), known.pods, known.residents.len());
    let doubted = known.doubted.iter().all(|at| index.doubted(*at).is_some());
    let believed = known.residents.keys().chain(&known.unvouched).all(|at| index.doubted(*at).is_none());
    match by_address == known.residents && counts == expected && doubted && believed {
        true => Ok(()),
        false => Err(format!("the index says {by_address:?} {counts:?}, the model {known:?}")),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "its figures are read by people")]
fn after_every_word_the_index_says_what_the_model_says() {
    let seed = setting("NEARPATH_SEED").unwrap_or_else(rand::random);
    let steps = setting("NEARPATH_STEPS").unwrap_or(STEPS);
    println!("NEARPATH_SEED={seed} NEARPATH_STEPS={steps}");
    let lists = SearchLists::default();
    let list = lists.intern(&[Name::parse("shop.svc.cluster.local").unwrap()]);
    let mut seeds = StdRng::seed_from_u64(seed);
    let (mut done, mut seen) = (0, [0_usize; 4]);
    while done < steps {
        let mut world = World::new(StdRng::from_rng(&mut seeds), Arc::clone(&list));
        let (mut index, mut model, mut story) = (Index::default(), Model::default(), Vec::new());
        for _ in 0..seeds.random_range(LONG.0..=LONG.1) {
            let said = world.next();
            story.push(format!("{said:?}"));
            model.say(said.clone());
            tell(&mut index, said);
            let vouched = world.random.random_bool(0.3);
            let known = model.known(vouched);
            if let Err(difference) = compare(&index, &known, vouched) {
                panic!("seed {seed}, step {done}, {} words:\n{}\n{difference}", story.len(), story.join("\n"));
            }
            let counts = [known.residents.len(), known.conflicts.len(), known.doubted.len(), known.unvouched.len()];
            seen.iter_mut().zip(counts).for_each(|(seen, count)| *seen += count);
            done += 1;
        }
    }
    println!("{done} steps; addresses with a resident, in conflict, in doubt, not vouched for: {seen:?}");
    assert!(seen.iter().all(|&seen| seen as u64 > steps / 50), "hardly any of one kind: {seen:?}");
}
