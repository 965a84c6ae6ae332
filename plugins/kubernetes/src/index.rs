//! Who has an address, out of the API server's words and the kernel's: a state machine without time and I/O.
//!
//! ```text
//!   Word    --listed, changed, deleted--> claims by uid -----+
//!                                                            +--> residents: an address with exactly one live claim,
//!   Testimony --doubt, restored, traced--> doubts by address-+    and no doubt about it
//! ```
//!
//! - A claim is a live pod's word that it has an address, as its kubelet reported it. Two claims on an address: nobody has it.
//! - A doubt begins when the kernel shows that what was behind an address may have gone. It ends for a claim that came
//!   later, with a sandbox that is not older than the doubt; for the same pod once its kubelet has reported another sandbox
//!   or other containers; or when the kernel shows again exactly what it showed before, and a list asked for after that still
//!   has the claim.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use contract::limits::{DOUBTS_MAX, PODS_MAX, TOMBSTONES_MAX};
use contract::{Moment, Pod, SearchList};

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

/// Why an address may have another resident than the API server says.
#[derive(Debug, Default)]
struct Doubt {
    /// Who claimed it then, with which sandbox.
    claims: Vec<(Uid, u64)>,
    /// When it began, seconds since 1970.
    since: u64,
    /// The first change that has not been taken back, as the witness counts them.
    first: u64,
    /// When the kernel showed again what it had shown before.
    restored: Option<Moment>,
    /// A list that was asked for after that has been read.
    lifted: bool,
}

/// The claims and the doubts.
#[derive(Debug, Default)]
pub(crate) struct Index {
    claims: Map<Uid, Claim>,
    doubts: Map<IpAddr, Doubt>,
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
        if anew {
            self.gone.clear();
            self.order.clear();
            self.claims.clear();
        }
        let mut claims = Map::default();
        self.refused += u64::try_from(pods.len().saturating_sub(PODS_MAX)).unwrap_or(u64::MAX);
        for pod in pods.into_iter().take(PODS_MAX).filter(|pod| !self.gone.contains(&pod.uid)) {
            let later = claims.get(&pod.uid).or_else(|| self.claims.get(&pod.uid));
            let later = later.filter(|known: &&Claim| pod.version.is_before(&known.version)).cloned();
            claims.insert(Arc::clone(&pod.uid), later.unwrap_or(pod));
        }
        for (uid, claim) in self.claims.drain() {
            if version.is_before(&claim.version) {
                claims.entry(uid).or_insert(claim); // it came after the list was made
            }
        }
        self.claims = claims;
        if anew || !version.is_before(&self.listed) {
            self.listed = version;
        }
        for doubt in self.doubts.values_mut() {
            doubt.lifted |= doubt.restored.is_some_and(|at| at <= asked);
        }
        self.forget_doubts();
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
        self.claims.insert(Arc::clone(&pod.uid), pod);
        self.forget_doubts();
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
        self.forget_doubts();
    }

    /// What was behind an address may have gone. `change` counts such words upwards; `now` in seconds since 1970.
    pub(crate) fn doubt(&mut self, address: IpAddr, change: u64, now: u64) {
        if self.doubts.len() >= DOUBTS_MAX && !self.doubts.contains_key(&address) {
            self.forget_oldest_doubt();
        }
        let claimants: Vec<_> = self.claimants(address).map(|claim| (Arc::clone(&claim.uid), claim.sandbox)).collect();
        let doubt = self.doubts.entry(address).or_insert(Doubt { first: change, ..Doubt::default() });
        if doubt.restored.take().is_some() {
            doubt.first = change; // what came before was taken back
        }
        (doubt.since, doubt.lifted) = (now, false);
        for claimant in claimants {
            if !doubt.claims.contains(&claimant) {
                doubt.claims.push(claimant);
            }
        }
    }

    /// The kernel shows what it had shown before the change `since`: that one and all later ones are taken back.
    pub(crate) fn restored(&mut self, address: IpAddr, since: u64, now: Moment) {
        if let Some(doubt) = self.doubts.get_mut(&address).filter(|doubt| since <= doubt.first) {
            doubt.restored = Some(now);
        }
    }

    /// Whether the kernel shows how it reaches an address.
    pub(crate) fn traced(&mut self, address: IpAddr, traced: bool) {
        match traced {
            true => self.traced.insert(address),
            false => self.traced.remove(&address),
        };
    }

    /// The kernel cannot be heard: it vouches for nobody.
    pub(crate) fn blind(&mut self) {
        self.traced.clear();
    }

    /// True if some pod claims an address that is in doubt.
    pub(crate) fn is_in_doubt(&self, address: IpAddr) -> bool {
        self.claimants(address).any(|claim| !self.is_trusted(address, claim))
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
            match owner {
                None => residents.conflicts += 1,
                Some(claim) if !self.is_trusted(address, claim) => residents.doubted += 1,
                Some(_) if vouched && !self.traced.contains(&address) => residents.unvouched += 1,
                Some(claim) => own.entry(&claim.uid).or_default().push(address),
            }
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
            texts + claim.addresses.capacity() * size_of::<IpAddr>() + 2 * size_of::<Uid>() + size_of::<Claim>()
        };
        let doubts = self.doubts.capacity() * (size_of::<IpAddr>() + size_of::<Doubt>());
        let gone = self.order.capacity() * (2 * size_of::<Uid>() + 36);
        let published = self.claims.len() * (size_of::<Pod>() + size_of::<u128>() + size_of::<contract::Resident>());
        self.claims.values().map(claim).sum::<usize>() + doubts + gone + published
    }

    fn claimants(&self, address: IpAddr) -> impl Iterator<Item = &Claim> {
        self.claims.values().filter(move |claim| claim.addresses.contains(&address))
    }

    fn is_trusted(&self, address: IpAddr, claim: &Claim) -> bool {
        let Some(doubt) = self.doubts.get(&address) else { return true };
        if doubt.lifted {
            return true;
        }
        let mut before = doubt.claims.iter().filter(|(uid, _)| *uid == claim.uid).peekable();
        match before.peek() {
            Some(_) => before.all(|(_, sandbox)| *sandbox != claim.sandbox),
            // a word that was under way when the doubt began may tell of a sandbox that has gone since; a second is the
            // finest that the kubelet tells
            None => claim.ready_at.is_none_or(|at| at + 1 >= doubt.since),
        }
    }

    /// A doubt ends with the claims that it is about, or when it is lifted.
    fn forget_doubts(&mut self) {
        let mut doubts = std::mem::take(&mut self.doubts);
        doubts.retain(|_, doubt| {
            let stands = doubt.claims.iter().any(|(uid, _)| self.claims.contains_key(uid));
            !doubt.lifted && (stands || doubt.claims.is_empty())
        });
        self.doubts = doubts;
    }

    /// Room for a further one. Those that are about nobody go first.
    fn forget_oldest_doubt(&mut self) {
        let oldest = self.doubts.iter().min_by_key(|(_, doubt)| (!doubt.claims.is_empty(), doubt.since));
        if let Some(address) = oldest.map(|(address, _)| *address) {
            self.doubts.remove(&address);
        }
    }
}
