//! Who has an address, out of the API server's words and the kernel's: a state machine without time and I/O.
//!
//! ```text
//!   Word    --listed, changed, deleted--> claims by uid -----+
//!                                                            +--> residents: an address with exactly one live claim,
//!   Testimony --doubt, restored, traced--> doubts by address-+    and no doubt about it
//! ```
//!
//! - A claim is a live pod's word that it has an address, as its kubelet reported it. Two claims on an address: nobody has it.
//! - The latest word about a pod counts, by its version. What a list does not have, and is not later than the list, is gone.
//!   A list that is older than the last one tells nothing. A pod that was deleted never comes back.
//! - A doubt begins when the kernel shows that what was behind an address may have gone. It holds against every claim that
//!   stood then, and against every sandbox that is older, whenever its word arrives. So a pod is believed again once its
//!   kubelet has reported another sandbox that is not older than the doubt. Where kubelets do not tell since when a sandbox is
//!   ready, other containers will do.
//! - A doubt outlives its claims: the word about a sandbox that came and went may be under way still.
//! - After a loss somebody is shown at the address for the first time: most often the pod that has claimed it since. So for
//!   that one a list is enough that was asked for after that, and whoever is yet to claim it is not held to that moment.
//! - A doubt is taken back when the kernel shows again exactly what it showed before, and a list asked for after that came.
//!   Earlier doubts about the address stand.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use contract::limits::{DOUBT_CHANGES_MAX, DOUBT_CLAIMS_MAX, DOUBTS_MAX, PODS_MAX, TOMBSTONES_MAX};
use contract::{Moment, Plain, Pod, SearchList};

use crate::words::Version;

/// Which pod, for good: a uid is never given again.
pub(crate) type Uid = Arc<str>;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>; // the keys come from the cluster, not from clients

/// A pod as the API server last told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) uid: Uid,
    pub(crate) version: Version,
    /// `NAMESPACE/NAME`.
    pub(crate) name: Arc<str>,
    /// Those that it has while it is live; none otherwise.
    pub(crate) addresses: Vec<IpAddr>,
    /// Empty if it is not known.
    pub(crate) list: Arc<SearchList>,
    pub(crate) ndots: u8,
    /// Stands for its sandbox and its containers: another number, other ones.
    pub(crate) sandbox: u64,
    /// When its sandbox became ready, seconds since 1970, if its kubelet says so.
    pub(crate) ready_at: Option<u64>,
}

impl Claim {
    /// A pod's resolv.conf is written once, whatever becomes of the host's.
    fn with_list_of(self, known: &Self) -> Self {
        Self { list: Arc::clone(&known.list), ndots: known.ndots, ..self }
    }
}

/// Why an address may have another resident than the API server says.
#[derive(Debug)]
struct Doubt {
    /// The number of the change that the kernel showed.
    change: u64,
    /// Who claimed it then, with which sandbox.
    claims: Vec<(Uid, u64)>,
    /// When it began, seconds since 1970.
    since: u64,
    /// When the kernel showed again what it had shown before.
    restored: Option<Moment>,
}

impl Doubt {
    fn is_against(&self, claim: &Claim) -> bool {
        let stood = self.claims.iter().any(|(uid, sandbox)| *uid == claim.uid && *sandbox == claim.sandbox);
        // a word may tell of a sandbox that has gone since; a second is the finest that the kubelet tells
        stood || claim.ready_at.is_some_and(|at| at + 1 < self.since)
    }

    /// Both as one, which is taken back only if both are.
    fn join(&mut self, later: Self) {
        self.since = self.since.max(later.since);
        self.restored = self.restored.zip(later.restored).map(|(own, others)| own.max(others));
        let new: Vec<_> = later.claims.into_iter().filter(|claim| !self.claims.contains(claim)).collect();
        self.claims.extend(new);
        self.claims.drain(..self.claims.len().saturating_sub(DOUBT_CLAIMS_MAX));
    }
}

/// The claims and the doubts.
#[derive(Debug, Default)]
pub(crate) struct Index {
    claims: Map<Uid, Claim>,
    /// In the order of their changes.
    doubts: Map<IpAddr, Vec<Doubt>>,
    /// Addresses that the kernel shows how it reaches.
    traced: HashSet<IpAddr, foldhash::fast::FixedState>,
    /// Pods that are gone for good; the oldest is forgotten first.
    gone: HashSet<Uid, foldhash::fast::FixedState>,
    order: VecDeque<Uid>,
    /// What the last list was of.
    listed: Version,
    /// Pods beyond [`PODS_MAX`].
    refused: u64,
}

/// What can be served, and what was left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Residents {
    /// Each with the addresses that are its own for sure.
    pub(crate) pods: Vec<Pod>,
    /// Those that are claimed and nobody's, and why.
    pub(crate) plain: Vec<(IpAddr, Plain)>,
    /// Addresses with more than one claim.
    pub(crate) conflicts: usize,
    /// Addresses with one claim, and a doubt about it.
    pub(crate) doubted: usize,
    /// Addresses with one claim that nobody vouches for during an outage.
    pub(crate) unvouched: usize,
}

impl Index {
    /// Everything that there is, as of `version`; `asked`: when the list was asked for. A later word about a pod that is
    /// known already stays. `anew`: versions have begun anew, nothing known counts.
    pub(crate) fn list(&mut self, pods: Vec<Claim>, version: Version, asked: Moment, anew: bool) {
        if !anew && version.is_before(&self.listed) {
            return; // what came after it is known
        }
        if anew {
            self.gone.clear();
            self.order.clear();
            self.claims.clear();
        }
        let mut claims = Map::default();
        self.refused += u64::try_from(pods.len().saturating_sub(PODS_MAX)).unwrap_or(u64::MAX);
        for pod in pods.into_iter().take(PODS_MAX).filter(|pod| !self.gone.contains(&pod.uid)) {
            let later = claims.get(&pod.uid).or_else(|| self.claims.get(&pod.uid));
            let claim = match later {
                Some(known) if pod.version.is_before(&known.version) => known.clone(),
                Some(known) => pod.with_list_of(known),
                None => pod,
            };
            claims.insert(Arc::clone(&claim.uid), claim);
        }
        for (uid, claim) in self.claims.drain() {
            if version.is_before(&claim.version) {
                claims.entry(uid).or_insert(claim); // it came after the list was made
            }
        }
        self.claims = claims;
        self.listed = version;
        let stands = |doubt: &Doubt| doubt.restored.is_none_or(|at| at > asked);
        self.doubts.retain(|_, doubts| {
            doubts.retain(stands);
            !doubts.is_empty()
        });
    }

    /// A new or changed pod.
    pub(crate) fn changed(&mut self, pod: Claim) {
        let stale = match self.claims.get(&pod.uid) {
            Some(known) => pod.version.is_before(&known.version),
            // what the last list did not have, and is older, is gone
            None => pod.version == self.listed || pod.version.is_before(&self.listed),
        };
        if stale || self.gone.contains(&pod.uid) {
            return;
        }
        if self.claims.len() >= PODS_MAX && !self.claims.contains_key(&pod.uid) {
            self.refused += 1;
            return;
        }
        let pod = match self.claims.get(&pod.uid) {
            Some(known) => pod.with_list_of(known),
            None => pod,
        };
        self.claims.insert(Arc::clone(&pod.uid), pod);
    }

    /// A pod that is gone.
    pub(crate) fn deleted(&mut self, uid: &Uid) {
        self.claims.remove(uid);
        if self.gone.insert(Arc::clone(uid)) {
            self.order.push_back(Arc::clone(uid));
        }
        if self.order.len() > TOMBSTONES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    /// What was behind an address may have gone: the kernel showed the change of this number (they count upwards); `now` in
    /// seconds since 1970.
    pub(crate) fn doubt(&mut self, address: IpAddr, change: u64, now: u64) {
        if self.doubts.len() >= DOUBTS_MAX && !self.doubts.contains_key(&address) {
            self.forget_oldest_doubt();
        }
        let claims = self.claimants(address).map(|claim| (Arc::clone(&claim.uid), claim.sandbox)).collect();
        let doubts = self.doubts.entry(address).or_default();
        doubts.iter_mut().for_each(|doubt| doubt.since = doubt.since.min(now)); // the clock was put back
        doubts.push(Doubt { change, claims, since: now, restored: None });
        Self::bound(doubts);
    }

    /// No more doubts about one address than are kept; two become one.
    fn bound(doubts: &mut Vec<Doubt>) {
        if doubts.len() > DOUBT_CHANGES_MAX {
            let is_settled = |pair: &[Doubt]| pair.iter().all(|doubt| doubt.restored.is_some());
            let first = doubts.windows(2).position(is_settled).unwrap_or(0);
            let second = doubts.remove(first + 1);
            doubts[first].join(second);
        }
    }

    /// After a loss, which stands as a doubt, somebody is shown at the address for the first time; `at` is the moment, `now`
    /// the same in seconds since 1970.
    pub(crate) fn newcomer(&mut self, address: IpAddr, change: u64, at: Moment, now: u64) {
        let standing = self.doubts.get_mut(&address).into_iter().flatten();
        standing.for_each(|doubt| doubt.since = doubt.since.min(now)); // the clock was put back
        let lost = self.doubts.get(&address).is_some_and(|doubts| doubts.iter().any(|doubt| doubt.restored.is_none()));
        if !lost {
            return self.doubt(address, change, now);
        }
        let trusted = self.claimants(address).filter(|claim| self.is_trusted(address, claim));
        let claims: Vec<_> = trusted.map(|claim| (Arc::clone(&claim.uid), claim.sandbox)).collect();
        if !claims.is_empty() {
            let doubts = self.doubts.entry(address).or_default();
            doubts.push(Doubt { change, claims, since: 0, restored: Some(at) });
            Self::bound(doubts);
        }
    }

    /// The kernel shows what it had shown before the change `since`: that one and all later ones are taken back.
    pub(crate) fn restored(&mut self, address: IpAddr, since: u64, now: Moment) {
        let doubts = self.doubts.get_mut(&address).into_iter().flatten();
        doubts.filter(|doubt| doubt.change >= since).for_each(|doubt| doubt.restored = Some(now));
    }

    /// Whether the kernel shows how it reaches an address.
    pub(crate) fn traced(&mut self, address: IpAddr, traced: bool) {
        match traced {
            true => self.traced.insert(address),
            false => self.traced.remove(&address),
        };
    }

    /// The kernel shows nothing any more.
    pub(crate) fn blind(&mut self) {
        self.traced.clear();
    }

    /// A pod that claims an address and is not believed, if there is one.
    pub(crate) fn doubted(&self, address: IpAddr) -> Option<&Arc<str>> {
        self.claimants(address).find(|claim| !self.is_trusted(address, claim)).map(|claim| &claim.name)
    }

    /// How many pods there are.
    pub(crate) fn len(&self) -> usize {
        self.claims.len()
    }

    /// Words about pods for which there was no room.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// Whom each address belongs to. `vouched`: the API server has been away for long, so that only those count that the
    /// kernel vouches for.
    pub(crate) fn residents(&self, vouched: bool) -> Residents {
        let mut owners: Map<IpAddr, Option<&Claim>> = Map::default();
        for claim in self.claims.values() {
            for address in &claim.addresses {
                let owner = owners.entry(*address).or_insert(Some(claim));
                *owner = owner.filter(|owner| std::ptr::eq(*owner, claim));
            }
        }
        let mut residents = Residents::default();
        let mut own: Map<&Uid, Vec<IpAddr>> = Map::default();
        for (address, owner) in owners {
            let (count, plain) = match owner {
                None => (&mut residents.conflicts, Plain::Conflict),
                Some(claim) if !self.is_trusted(address, claim) => (&mut residents.doubted, Plain::Doubt),
                Some(_) if vouched && !self.traced.contains(&address) => (&mut residents.unvouched, Plain::Doubt),
                Some(claim) => {
                    own.entry(&claim.uid).or_default().push(address);
                    continue;
                }
            };
            *count += 1;
            residents.plain.push((address, plain));
        }
        let pod = |(uid, addresses): (&Uid, Vec<IpAddr>)| {
            let claim = &self.claims[uid];
            Pod { name: Arc::clone(&claim.name), addresses, list: Arc::clone(&claim.list), ndots: claim.ndots }
        };
        residents.pods = own.into_iter().map(pod).collect();
        residents
    }

    /// About how much memory the pods take, octets.
    pub(crate) fn octets(&self) -> usize {
        let claim = |claim: &Claim| {
            let texts = claim.uid.len() + claim.version.0.capacity() + claim.name.len();
            texts + claim.addresses.capacity() * size_of::<IpAddr>() + 2 * size_of::<[usize; 2]>() // counts of the two `Arc`s
        };
        let claims =
            self.claims.capacity() * size_of::<(Uid, Claim)>() + self.claims.values().map(claim).sum::<usize>();
        let each = |doubts: &Vec<Doubt>| doubts.capacity() * size_of::<Doubt>();
        let doubts = self.doubts.capacity() * size_of::<(IpAddr, Vec<Doubt>)>();
        let doubts = doubts + self.doubts.values().map(each).sum::<usize>();
        let gone = self.order.capacity() * (2 * size_of::<Uid>() + 36);
        let addresses = self.claims.values().map(|claim| claim.addresses.len()).sum::<usize>();
        let published = addresses.next_power_of_two() * size_of::<(u128, contract::Resident)>();
        claims + doubts + gone + published
    }

    fn claimants(&self, address: IpAddr) -> impl Iterator<Item = &Claim> {
        self.claims.values().filter(move |claim| claim.addresses.contains(&address))
    }

    fn is_trusted(&self, address: IpAddr, claim: &Claim) -> bool {
        !self.doubts.get(&address).into_iter().flatten().any(|doubt| doubt.is_against(claim))
    }

    /// Room for a further one. Those that are about nobody go first.
    fn forget_oldest_doubt(&mut self) {
        let rank = |doubts: &[Doubt]| {
            let last = doubts.iter().map(|doubt| doubt.since).max();
            let mut claims = doubts.iter().flat_map(|doubt| &doubt.claims);
            (claims.any(|(uid, _)| self.claims.contains_key(uid)), last)
        };
        let oldest = self.doubts.iter().min_by_key(|(_, doubts)| rank(doubts));
        if let Some(address) = oldest.map(|(address, _)| *address) {
            self.doubts.remove(&address);
        }
    }
}

#[cfg(test)]
mod memory;
#[cfg(test)]
mod model;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod truth;
