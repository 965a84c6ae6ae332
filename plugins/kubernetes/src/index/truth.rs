//! A node on which pods really have addresses, and what the index is told of it: never does the index give an address to a
//! pod that does not have it while another one does.
//!
//! ```text
//!   sandboxes come and go (the truth) --at once--> the kernel's testimonies ---------------------------+
//!        '--late--> the kubelet's reports --late--> the API server --late, in order per pod, or listed--+--> Index
//! ```
//!
//! What is assumed, and has to hold for the guarantee:
//! - An address is handed on only after its sandbox has gone, and the kernel shows that at once, or at the latest while the
//!   next sandbox is set up. It takes a change back only if the same sandbox was there throughout.
//! - The kernel shows each sandbox before it goes, if not at once: a neighbour is shown once it has spoken.
//! - The kubelet tells since when a sandbox is ready, by the clock by which the kernel's word is dated, which is not put back.
//! - A sandbox is ready for at least two seconds before its way is lost: a second is the finest that the kubelet tells.
//! - The API server's words about one pod come in order. They may be as late as they like, and the order of different pods'
//!   any; a list is of one moment, and not older than what was told. It was not restored to an earlier state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use contract::wire::Name;
use contract::{Moment, SearchList, SearchLists};
use rand::rngs::StdRng;
use rand::seq::IteratorRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::random::setting;
use super::{Claim, Index, Uid};
use crate::words::Version;

const STEPS: u64 = 120_000;
/// A world's life.
const LONG: u64 = 400;
/// So many addresses, so that they are used again soon.
const ADDRESSES: u8 = 4;
const SHORTEST_LIFE: u64 = 2_000;

#[derive(Clone, Debug)]
struct Sandbox {
    number: u64,
    addresses: Vec<IpAddr>,
    ready_at: u64,
    born: u64,
    /// The kernel shows the way to it.
    shown: bool,
}

/// What the kubelet has to report: how the pod is, or that it is gone.
type Report = Option<Claim>;

#[derive(Debug, Default)]
struct Real {
    sandbox: Option<Sandbox>,
    containers: u64,
    ended: bool,
    /// Its object was deleted.
    forgotten: bool,
    reports: VecDeque<Report>,
}

/// What was on its way of an address when its way was lost for a while.
#[derive(Debug)]
struct Flap {
    address: IpAddr,
    since: u64,
    sandbox: u64,
}

struct Node {
    random: StdRng,
    list: Arc<SearchList>,
    in_order: bool,
    now: u64,
    pods: BTreeMap<Uid, Real>,
    numbers: u64,
    changes: u64,
    flaps: Vec<Flap>,
    /// What was there was lost, and nothing has been shown since.
    lost: BTreeSet<IpAddr>,
    /// What was there has gone, and the kernel has not shown it yet.
    hidden: BTreeSet<IpAddr>,
    // the API server
    version: u64,
    objects: BTreeMap<Uid, Claim>,
    past: Vec<(u64, Vec<Claim>)>,
    undelivered: BTreeMap<Uid, VecDeque<(u64, Report)>>,
    // the watch
    told: u64,
    asked: Option<Moment>,
    index: Index,
    story: Vec<String>,
}

impl Node {
    fn new(mut random: StdRng, list: Arc<SearchList>) -> Self {
        Self {
            list,
            in_order: random.random(),
            random,
            now: 1_000_000,
            pods: BTreeMap::new(),
            numbers: 0,
            changes: 0,
            flaps: Vec::new(),
            lost: BTreeSet::new(),
            hidden: BTreeSet::new(),
            version: 1,
            objects: BTreeMap::new(),
            past: vec![(1, Vec::new())],
            undelivered: BTreeMap::new(),
            told: 0,
            asked: None,
            index: Index::default(),
            story: Vec::new(),
        }
    }

    fn note(&mut self, what: String) {
        self.story.push(format!("{:>7} ms  {what}", self.now - 1_000_000));
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn pod(&mut self, which: impl Fn(&Real) -> bool) -> Option<Uid> {
        self.pods.iter().filter(|(_, pod)| which(pod)).map(|(uid, _)| uid.clone()).choose(&mut self.random)
    }

    fn holder(&self, address: IpAddr) -> Option<&Uid> {
        let holds = |pod: &Real| pod.sandbox.as_ref().is_some_and(|sandbox| sandbox.addresses.contains(&address));
        self.pods.iter().find(|(_, pod)| holds(pod)).map(|(uid, _)| uid)
    }

    fn claim(&self, uid: &Uid) -> Claim {
        let real = &self.pods[uid];
        let sandbox = real.sandbox.as_ref();
        Claim {
            uid: uid.clone(),
            version: Version::default(),
            name: uid.clone(),
            addresses: sandbox.map_or_else(Vec::new, |sandbox| sandbox.addresses.clone()),
            list: Arc::clone(&self.list),
            ndots: 5,
            sandbox: sandbox.map_or(0, |sandbox| sandbox.number * 1_000 + real.containers),
            ready_at: sandbox.map(|sandbox| sandbox.ready_at),
        }
    }

    fn report(&mut self, uid: &Uid) {
        let claim = self.claim(uid);
        self.pods.get_mut(uid).unwrap().reports.push_back(Some(claim));
    }

    fn kernel_changed(&mut self, address: IpAddr) {
        self.changes += 1;
        self.note(format!("kernel: change {} of {address}", self.changes));
        self.index.doubt(address, self.changes, self.now / 1_000);
    }

    // what happens on the node

    fn create(&mut self) {
        let uid: Uid = format!("pod-{}", self.number()).into();
        self.pods.insert(uid.clone(), Real::default());
        let claim = self.claim(&uid);
        self.store(&uid, Some(claim));
    }

    fn start(&mut self) {
        let Some(uid) = self.pod(|pod| pod.sandbox.is_none() && !pod.ended && !pod.forgotten) else { return };
        let free = (0..ADDRESSES).map(|last| IpAddr::from([10, 0, 0, last])).filter(|at| self.holder(*at).is_none());
        let free: Vec<_> = free.collect();
        let count = if self.random.random_bool(0.2) { 2 } else { 1 };
        let mut addresses = free.into_iter().choose_multiple(&mut self.random, count);
        addresses.sort_unstable();
        if addresses.is_empty() {
            return;
        }
        let number = self.number();
        self.note(format!("{uid}: sandbox {number} with {addresses:?}"));
        let replaces = addresses.iter().any(|address| self.hidden.contains(address));
        for address in &addresses {
            if self.hidden.remove(address) {
                self.kernel_changed(*address);
                self.lost.remove(address);
            }
        }
        let sandbox = Sandbox { number, addresses, ready_at: self.now / 1_000, born: self.now, shown: false };
        self.pods.get_mut(&uid).unwrap().sandbox = Some(sandbox);
        if replaces || self.random.random() {
            self.show(&uid);
        }
        self.report(&uid);
    }

    /// The kernel shows the way to a pod's sandbox.
    fn show(&mut self, uid: &Uid) {
        let sandbox = self.pods.get_mut(uid).unwrap().sandbox.as_mut().unwrap();
        if std::mem::replace(&mut sandbox.shown, true) {
            return;
        }
        for address in sandbox.addresses.clone() {
            self.flaps.retain(|flap| flap.address != address); // contradicted
            if self.lost.remove(&address) {
                self.changes += 1;
                self.note(format!("kernel: change {} of {address}, somebody is there", self.changes));
                self.index.newcomer(address, self.changes, Moment(self.now), self.now / 1_000);
            }
        }
    }

    fn show_one(&mut self) {
        let hidden = |pod: &Real| pod.sandbox.as_ref().is_some_and(|sandbox| !sandbox.shown);
        if let Some(uid) = self.pod(hidden) {
            self.show(&uid);
        }
    }

    fn restart_a_container(&mut self) {
        let Some(uid) = self.pod(|pod| pod.sandbox.is_some()) else { return };
        self.pods.get_mut(&uid).unwrap().containers += 1;
        self.note(format!("{uid}: a container starts again"));
        self.report(&uid);
    }

    fn die(&mut self) {
        let now = self.now;
        let old = |sandbox: &Sandbox| now >= sandbox.born + SHORTEST_LIFE;
        let Some(uid) = self.pod(|pod| pod.sandbox.as_ref().is_some_and(old)) else { return };
        self.show(&uid);
        let sandbox = self.pods.get_mut(&uid).unwrap().sandbox.take().unwrap();
        self.note(format!("{uid}: sandbox {} goes", sandbox.number));
        for address in sandbox.addresses {
            // the way may be lost already; or another sandbox takes its place before it shows
            if self.lost.contains(&address) {
                continue;
            }
            if self.random.random_bool(0.2) {
                self.hidden.insert(address);
                continue;
            }
            self.kernel_changed(address);
            self.lost.insert(address);
        }
        let ended = self.random.random_bool(0.3);
        self.pods.get_mut(&uid).unwrap().ended = ended;
        if ended || self.random.random() {
            self.report(&uid);
        }
    }

    /// The way to an address is lost for a while, and what is behind it stays.
    fn flap(&mut self) {
        let now = self.now;
        let old = |sandbox: &Sandbox| sandbox.shown && now >= sandbox.born + SHORTEST_LIFE;
        let shown = |pod: &Real| pod.sandbox.as_ref().is_some_and(old);
        let Some(uid) = self.pod(shown) else { return };
        let sandbox = self.pods[&uid].sandbox.clone().unwrap();
        let address = sandbox.addresses[0];
        if !self.lost.insert(address) {
            return;
        }
        self.flaps.push(Flap { address, since: self.changes + 1, sandbox: sandbox.number });
        for _ in 0..self.random.random_range(1..=2) {
            self.kernel_changed(address);
        }
    }

    fn end_a_flap(&mut self) {
        let holds = |flap: &Flap| {
            let holder = self.holder(flap.address).and_then(|uid| self.pods[uid].sandbox.as_ref());
            holder.is_some_and(|holder| holder.number == flap.sandbox)
        };
        let ended: Vec<usize> = (0..self.flaps.len()).filter(|at| holds(&self.flaps[*at])).collect();
        let Some(at) = ended.into_iter().choose(&mut self.random) else { return };
        let Flap { address, since, .. } = self.flaps.swap_remove(at);
        self.lost.remove(&address);
        self.note(format!("kernel: {address} is as before change {since}"));
        self.index.restored(address, since, Moment(self.now));
    }

    /// Gracefully once its sandbox has gone; or by force, while it lives on.
    fn delete(&mut self) {
        let force = self.random.random_bool(0.2);
        let Some(uid) = self.pod(|pod| !pod.forgotten && (force || pod.sandbox.is_none())) else { return };
        let pod = self.pods.get_mut(&uid).unwrap();
        pod.forgotten = true;
        match force {
            true => {
                pod.reports.clear();
                self.store(&uid, None);
            }
            false => pod.reports.push_back(None),
        }
    }

    // what is told of it

    fn store(&mut self, uid: &Uid, report: Report) {
        if self.pods[uid].forgotten && !self.objects.contains_key(uid) {
            return; // there is no object to write to
        }
        self.version += 1;
        let report = report.map(|claim| Claim { version: Version(self.version.to_string()), ..claim });
        match &report {
            Some(claim) => drop(self.objects.insert(uid.clone(), claim.clone())),
            None => drop(self.objects.remove(uid)),
        }
        self.undelivered.entry(uid.clone()).or_default().push_back((self.version, report));
        self.past.push((self.version, self.objects.values().cloned().collect()));
        self.note(format!("stored: {uid} version {}", self.version));
    }

    fn kubelet_writes(&mut self) {
        let Some(uid) = self.pod(|pod| !pod.reports.is_empty()) else { return };
        let reports = &mut self.pods.get_mut(&uid).unwrap().reports;
        let mut report = reports.pop_front().unwrap();
        while !reports.is_empty() && self.random.random() {
            report = reports.pop_front().unwrap(); // it tells of the latest state
        }
        self.store(&uid, report);
    }

    fn deliver(&mut self) {
        let waiting = self.undelivered.iter().filter_map(|(uid, words)| Some((words.front()?.0, uid.clone())));
        let next = if self.in_order { waiting.min() } else { waiting.choose(&mut self.random) };
        let Some((_, uid)) = next.filter(|_| self.asked.is_none()) else { return };
        let (version, report) = self.undelivered.get_mut(&uid).unwrap().pop_front().unwrap();
        self.told = self.told.max(version);
        match report {
            Some(claim) => {
                self.note(format!("told: {uid} version {version} has {:?}", claim.addresses));
                self.index.changed(claim);
            }
            None => {
                self.note(format!("told: {uid} is deleted"));
                self.index.deleted(&uid);
            }
        }
    }

    fn list(&mut self) {
        let Some(asked) = self.asked.take() else {
            self.asked = Some(Moment(self.now));
            return;
        };
        let told = self.told;
        let (version, pods) =
            self.past.iter().filter(|(version, _)| *version >= told).choose(&mut self.random).unwrap().clone();
        self.undelivered.values_mut().for_each(|words| words.retain(|(of, _)| *of > version));
        self.told = version;
        self.note(format!("listed: version {version}, asked at {} ms", asked.0 - 1_000_000));
        self.index.list(pods, Version(version.to_string()), asked, false);
    }

    fn step(&mut self) {
        self.now += if self.random.random_bool(0.02) { 60_000 } else { self.random.random_range(0..900) };
        match self.random.random_range(0..25) {
            24 => self.show_one(),
            0 => self.create(),
            1..=3 => self.start(),
            4 => self.restart_a_container(),
            5..=6 => self.die(),
            7 => self.flap(),
            8 => self.end_a_flap(),
            9 => self.delete(),
            10..=15 => self.kubelet_writes(),
            16..=21 => self.deliver(),
            _ => self.list(),
        }
    }

    /// Everything that is under way arrives.
    fn settle(&mut self) {
        for _ in 0..self.flaps.len() {
            self.end_a_flap();
        }
        for _ in 0..self.pods.len() {
            self.show_one();
        }
        let silent = |pod: &Real| pod.sandbox.is_none() && !pod.forgotten;
        let silent: Vec<Uid> = self.pods.iter().filter(|(_, pod)| silent(pod)).map(|(uid, _)| uid.clone()).collect();
        silent.iter().for_each(|uid| self.report(uid));
        while self.pods.values().any(|pod| !pod.reports.is_empty()) {
            self.kubelet_writes();
        }
        self.asked = Some(Moment(self.now));
        self.told = self.version;
        self.list();
    }

    /// Addresses that the index gives to whom they belong, and those that a pod has.
    fn check(&self) -> (u64, u64) {
        let (mut given, mut held) = (0, 0);
        let residents = self.index.residents(false);
        for last in 0..ADDRESSES {
            let address = IpAddr::from([10, 0, 0, last]);
            let resident = residents.pods.iter().find(|pod| pod.addresses.contains(&address)).map(|pod| &pod.name);
            let holder = self.holder(address);
            let wrong = resident.is_some() && holder.is_some() && resident != holder;
            assert!(!wrong, "{address} of {holder:?} is given to {resident:?}:\n{}", self.story.join("\n"));
            held += u64::from(holder.is_some());
            given += u64::from(holder.is_some() && holder == resident);
        }
        (given, held)
    }

    /// Once all is told nobody is left out.
    fn check_settled(&self) {
        let residents = self.index.residents(false);
        for (uid, pod) in self.pods.iter().filter(|(_, pod)| !pod.forgotten) {
            for address in pod.sandbox.iter().flat_map(|sandbox| &sandbox.addresses) {
                let is_given = residents.pods.iter().any(|pod| pod.name == *uid && pod.addresses.contains(address));
                let index = (&self.index.doubts.get(address), self.index.claimants(*address).collect::<Vec<_>>());
                assert!(is_given, "{address} is not given to {uid}:\n{}\n{index:?}", self.story.join("\n"));
            }
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "its figures are read by people")]
fn no_address_is_ever_given_to_another_pod_than_the_one_that_has_it() {
    let seed = setting("NEARPATH_SEED").unwrap_or_else(rand::random);
    let steps = setting("NEARPATH_STEPS").unwrap_or(STEPS);
    println!("NEARPATH_SEED={seed} NEARPATH_STEPS={steps}");
    let lists = SearchLists::default();
    let list = lists.intern(&[Name::parse("shop.svc.cluster.local").unwrap()]);
    let mut seeds = StdRng::seed_from_u64(seed);
    let (mut given, mut held) = (0, 0);
    for world in 0..steps / LONG {
        let random = StdRng::from_rng(&mut seeds);
        let mut node = Node::new(random, Arc::clone(&list));
        node.note(format!("seed {seed}, world {world}"));
        for _ in 0..LONG {
            node.step();
            let (now_given, now_held) = node.check();
            (given, held) = (given + now_given, held + now_held);
        }
        node.settle();
        node.check();
        node.check_settled();
    }
    println!("of {held} addresses that a pod had, {given} were given to it");
    assert!(given * 5 > held, "hardly anything is given: {given} of {held}");
}
