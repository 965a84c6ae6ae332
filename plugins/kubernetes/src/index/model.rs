//! Who has an address, computed from the whole history of words by the rules in the index's head comment: slow and plain, so
//! that the index can be compared with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use contract::Moment;
use contract::limits::DOUBT_CHANGES_MAX;

use super::{Claim, Uid};

/// One thing that was said.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Changed(Claim),
    Deleted(Uid),
    List { pods: Vec<Claim>, version: u64, asked: Moment, anew: bool },
    Doubt { address: IpAddr, change: u64, now: u64 },
    Newcomer { address: IpAddr, change: u64, at: Moment, now: u64 },
    Restored { address: IpAddr, since: u64, now: Moment },
    Traced { address: IpAddr, traced: bool },
    Blind,
}

/// What was said so far, in order.
#[derive(Debug, Default)]
pub(super) struct Model {
    history: Vec<Said>,
    /// With each doubt: who claimed the address when it was said, and was not in doubt already if it was said of a newcomer
    /// after a loss.
    claimed: BTreeMap<usize, Vec<(Uid, u64)>>,
}

/// What is known of all addresses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Who has each.
    pub(super) residents: BTreeMap<IpAddr, String>,
    pub(super) conflicts: BTreeSet<IpAddr>,
    pub(super) doubted: BTreeSet<IpAddr>,
    pub(super) unvouched: BTreeSet<IpAddr>,
    /// How many pods there are.
    pub(super) pods: usize,
}

struct Standing {
    change: u64,
    since: u64,
    claims: Vec<(Uid, u64)>,
    restored: Option<Moment>,
}

impl Model {
    pub(super) fn say(&mut self, said: Said) {
        if let Said::Doubt { address, .. } = said {
            let pods = self.pods();
            let claims = pods.values().filter(|pod| pod.addresses.contains(&address));
            let claims = claims.map(|pod| (pod.uid.clone(), pod.sandbox)).collect();
            self.claimed.insert(self.history.len(), claims);
        }
        if let Said::Newcomer { address, change, now, .. } = said {
            if !self.standing(address).iter().any(|doubt| doubt.restored.is_none()) {
                return self.say(Said::Doubt { address, change, now }); // nothing was lost
            }
            let pods = self.pods();
            let claims =
                pods.values().filter(|pod| pod.addresses.contains(&address) && !self.is_in_doubt(address, pod));
            let claims: Vec<_> = claims.map(|pod| (pod.uid.clone(), pod.sandbox)).collect();
            if claims.is_empty() {
                return;
            }
            self.claimed.insert(self.history.len(), claims);
        }
        self.history.push(said);
    }

    pub(super) fn known(&self, vouched: bool) -> Known {
        let pods = self.pods();
        let mut known = Known { pods: pods.len(), ..Known::default() };
        let addresses: BTreeSet<IpAddr> = pods.values().flat_map(|pod| pod.addresses.clone()).collect();
        for address in addresses {
            let claims: Vec<&Claim> = pods.values().copied().filter(|pod| pod.addresses.contains(&address)).collect();
            let [claim] = claims[..] else {
                known.conflicts.insert(address);
                continue;
            };
            if self.is_in_doubt(address, claim) {
                known.doubted.insert(address);
            } else if vouched && !self.is_traced(address) {
                known.unvouched.insert(address);
            } else {
                known.residents.insert(address, claim.name.to_string());
            }
        }
        known
    }

    /// Which lists count: where in the history, and which version.
    fn lists(&self) -> Vec<(usize, u64)> {
        let mut lists: Vec<(usize, u64)> = Vec::new();
        for (at, said) in self.history.iter().enumerate() {
            if let Said::List { version, anew, .. } = said
                && (*anew || lists.last().is_none_or(|(_, last)| version >= last))
            {
                lists.push((at, *version));
            }
        }
        lists
    }

    /// The latest word about each pod that is there.
    fn pods(&self) -> BTreeMap<Uid, &Claim> {
        let lists = self.lists();
        let began = self.history.iter().rposition(|said| matches!(said, Said::List { anew: true, .. })).unwrap_or(0);
        let mut latest: BTreeMap<Uid, &Claim> = BTreeMap::new();
        let mut deleted = BTreeSet::new();
        for (at, said) in self.history.iter().enumerate().skip(began) {
            let words: &[Claim] = match said {
                Said::Changed(pod) => std::slice::from_ref(pod),
                Said::List { pods, .. } if lists.iter().any(|(list, _)| *list == at) => pods,
                Said::Deleted(uid) => {
                    deleted.insert(uid.clone());
                    continue;
                }
                _ => continue,
            };
            for word in words {
                let best = latest.entry(word.uid.clone()).or_insert(word);
                if number(word) >= number(best) {
                    *best = word;
                }
            }
        }
        latest.retain(|uid, word| {
            let is_there = match lists.last() {
                None => true,
                Some((at, version)) => {
                    let Said::List { pods, .. } = &self.history[*at] else { unreachable!("it is a list") };
                    pods.iter().any(|pod| pod.uid == *uid) || number(word) > *version
                }
            };
            is_there && !deleted.contains(uid)
        });
        latest
    }

    fn is_in_doubt(&self, address: IpAddr, claim: &Claim) -> bool {
        self.standing(address).iter().any(|doubt| {
            let stood = doubt.claims.contains(&(claim.uid.clone(), claim.sandbox));
            stood || claim.ready_at.is_some_and(|ready| ready + 1 < doubt.since)
        })
    }

    /// The doubts about an address that were not taken back.
    fn standing(&self, address: IpAddr) -> Vec<Standing> {
        let lists = self.lists();
        let mut doubts: Vec<Standing> = Vec::new();
        for (at, said) in self.history.iter().enumerate() {
            match said {
                Said::Doubt { address: about, change, now } if *about == address => {
                    let claims = self.claimed[&at].clone();
                    doubts.push(Standing { change: *change, since: *now, claims, restored: None });
                }
                Said::Newcomer { address: about, change, at: shown, .. } if *about == address => {
                    let claims = self.claimed[&at].clone();
                    doubts.push(Standing { change: *change, since: 0, claims, restored: Some(*shown) });
                }
                Said::Restored { address: about, since, now } if *about == address => {
                    doubts
                        .iter_mut()
                        .filter(|doubt| doubt.change >= *since)
                        .for_each(|doubt| doubt.restored = Some(*now));
                }
                Said::List { asked, .. } if lists.iter().any(|(list, _)| *list == at) => {
                    doubts.retain(|doubt| doubt.restored.is_none_or(|restored| restored > *asked));
                }
                _ => {}
            }
            if doubts.len() > DOUBT_CHANGES_MAX {
                // too many to remember: two that wait for a list are one, else the two oldest are, until both are taken back
                let waits = |doubt: &Standing| doubt.restored.is_some();
                let at = (1..doubts.len()).find(|&at| waits(&doubts[at - 1]) && waits(&doubts[at])).unwrap_or(1) - 1;
                let (first, second) = (doubts.remove(at), doubts.remove(at));
                let restored = match (first.restored, second.restored) {
                    (Some(first), Some(second)) => Some(first.max(second)),
                    _ => None,
                };
                let claims = [first.claims, second.claims].concat();
                let joint = Standing { change: first.change, since: first.since.max(second.since), claims, restored };
                doubts.insert(at, joint);
            }
        }
        doubts
    }

    fn is_traced(&self, address: IpAddr) -> bool {
        let last = self.history.iter().rev().find_map(|said| match said {
            Said::Traced { address: about, traced } if *about == address => Some(*traced),
            Said::Blind => Some(false),
            _ => None,
        });
        last.unwrap_or(false)
    }
}

fn number(pod: &Claim) -> u64 {
    pod.version.0.parse().expect("the tests number versions")
}
