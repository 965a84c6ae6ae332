//! One family's table: its sets, its chains, its rules.
//!
//! ```text
//!   raw_prerouting   own, UDP, a socket is open --> untracked
//!                    from `lo` (a host's own process): a socket is open --> on, else out by the detour and in again
//!   nat_prerouting   own, TCP, a socket is open --> to itself, so that no Service proxy takes it
//!                    stand_in, no socket        --> to one of the central servers
//!   forward          goes back where it came in --> remembered in hairpin
//!   nat_postrouting  from the detour, or hairpin --> masquerade, so that the answer comes back here
//!   raw_output       answers of ours, and a host's own questions --> untracked
//! ```

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use contract::limits::RULES_HAIRPINS_MAX;
use nftables::batch::Batch;
use nftables::expr::Expression;
use nftables::schema::{Chain, NfListObject, Rule, Set, SetFlag, SetType, SetTypeValue, Table};
use nftables::stmt::{NATFamily, Statement};
use nftables::types::{NfChainPolicy, NfChainType, NfHook};

use super::Wanted;
use super::phrases::{self, Said};
use super::table::{HAIRPIN, OWN, STAND_IN, central, nf, own, owned, stand_in};
use super::wanted::Family;

/// Priorities of hooks (netfilter's `raw`, `dstnat`, `filter` and `srcnat`); those that translate come before a Service proxy's.
const RAW: i32 = -300;
const BEFORE_DSTNAT: i32 = -100 - 5;
const FILTER: i32 = 0;
const BEFORE_SRCNAT: i32 = 100 - 5;

/// How long a pair of interfaces is remembered after it was seen last, seconds.
const HAIRPIN_SECONDS: u32 = 3_600;

/// Writes the table of one family.
pub(super) struct Writer<'a> {
    pub(super) batch: &'a mut Batch<'static>,
    pub(super) name: &'a str,
    pub(super) family: Family,
    pub(super) wanted: &'a Wanted,
}

impl Writer<'_> {
    /// Adds table, sets, chains and rules.
    pub(super) fn write(mut self) {
        let table = Table { family: nf(self.family), name: owned(self.name), handle: None };
        self.batch.add(NfListObject::Table(table));
        self.set(OWN, own(self.wanted, self.family));
        match self.wanted.failsafe.is_some() {
            true => {
                self.set(STAND_IN, stand_in(self.wanted, self.family));
                self.interfaces();
                self.raw_prerouting();
                self.raw_output();
                self.nat_prerouting();
                self.forward();
                self.nat_postrouting();
            }
            false => self.plain(),
        }
    }

    /// A set of addresses, whose elements expire where there is a failsafe.
    fn set(&mut self, name: &'static str, addresses: Vec<IpAddr>) {
        let timeout = self.wanted.failsafe.as_ref().map(|failsafe| seconds(failsafe.lasts));
        let kind = if self.family == Family::V4 { SetType::Ipv4Addr } else { SetType::Ipv6Addr };
        let elements = addresses.iter().map(|ip| Expression::String(ip.to_string().into()));
        self.batch.add(NfListObject::Set(Box::new(Set {
            family: nf(self.family),
            table: owned(self.name),
            name: name.into(),
            set_type: SetTypeValue::Single(kind),
            flags: timeout.map(|_| HashSet::from([SetFlag::Timeout])),
            timeout,
            elem: (!addresses.is_empty()).then(|| elements.collect()),
            ..Set::default()
        })));
    }

    fn interfaces(&mut self) {
        self.batch.add(NfListObject::Set(Box::new(Set {
            family: nf(self.family),
            table: owned(self.name),
            name: HAIRPIN.into(),
            set_type: SetTypeValue::Concatenated(vec![SetType::Ifname, SetType::Ifname].into()),
            flags: Some(HashSet::from([SetFlag::Timeout])),
            timeout: Some(HAIRPIN_SECONDS),
            size: Some(RULES_HAIRPINS_MAX),
            ..Set::default()
        })));
    }

    fn raw_prerouting(&mut self) {
        let chain = self.chain("raw_prerouting", NfChainType::Filter, NfHook::Prerouting, RAW);
        let port = self.wanted.port;
        if let Some((address, device, _)) = self.detour() {
            let local = vec![phrases::comes_by("lo"), self.to_own(), phrases::port("udp", "dport", port)];
            self.rule(chain, local, vec![phrases::has_socket(), accept()]);
            let mut other = vec![phrases::comes_by("lo"), self.to_own()];
            other.extend(to_port(port));
            self.rule(chain, other, vec![phrases::copy_to(address, &device), Statement::Drop(None)]);
        }
        let question = vec![self.to_own(), phrases::port("udp", "dport", port), phrases::has_socket()];
        self.rule(chain, question, untracked());
    }

    fn raw_output(&mut self) {
        let chain = self.chain("raw_output", NfChainType::Filter, NfHook::Output, RAW);
        let port = self.wanted.port;
        self.rule(chain, vec![self.by_own(), phrases::port("udp", "sport", port)], untracked());
        if self.detour().is_some() {
            let mut question = vec![self.to_own()];
            question.extend(to_port(port));
            self.rule(chain, question, untracked());
        } else {
            // to the address of a Service a host's question stays tracked: its proxy takes it, with a daemon and without one
            let question = vec![phrases::in_set(self.daddr(), STAND_IN), phrases::port("udp", "dport", port)];
            self.rule(chain, question, untracked());
        }
        self.health(chain);
    }

    /// Probes of the health page are not tracked.
    fn health(&mut self, chain: &'static str) {
        let port = self.wanted.health_port;
        self.rule(chain, vec![self.to_own(), phrases::port("tcp", "dport", port)], untracked());
        self.rule(chain, vec![self.by_own(), phrases::port("tcp", "sport", port)], untracked());
    }

    fn nat_prerouting(&mut self) {
        let chain = self.chain("nat_prerouting", NfChainType::NAT, NfHook::Prerouting, BEFORE_DSTNAT);
        let port = self.wanted.port;
        let ours = vec![self.to_own(), phrases::port("tcp", "dport", port), phrases::has_socket()];
        self.rule(chain, ours, vec![phrases::stays(self.daddr())]);
        let servers = central(self.wanted, self.family);
        if !servers.is_empty() {
            let mut nobody = vec![phrases::in_set(self.daddr(), STAND_IN)];
            nobody.extend(to_port(port));
            let family = if self.family == Family::V4 { NATFamily::IP } else { NATFamily::IP6 };
            self.rule(chain, nobody, vec![phrases::goes_to_one_of(family, &servers)]);
        }
    }

    fn forward(&mut self) {
        let chain = self.chain("forward", NfChainType::Filter, NfHook::Forward, FILTER);
        let mut sent_on = vec![phrases::tracked("state", "new")];
        sent_on.extend(self.translated());
        self.rule(chain, sent_on, vec![phrases::goes_back(), phrases::remember_interfaces(HAIRPIN)]);
    }

    fn nat_postrouting(&mut self) {
        let chain = self.chain("nat_postrouting", NfChainType::NAT, NfHook::Postrouting, BEFORE_SRCNAT);
        if let Some((_, _, back)) = self.detour() {
            let host = vec![phrases::comes_by(&back), self.by_own()];
            self.rule(chain, host, vec![Statement::Masquerade(None)]);
        }
        let translated = self.translated();
        self.rule(chain, translated, vec![phrases::interfaces_in(HAIRPIN), Statement::Masquerade(None)]);
    }

    /// The rules that node-cache has: nothing is tracked, and nothing expires.
    fn plain(&mut self) {
        let port = self.wanted.port;
        let chain = self.chain("raw_prerouting", NfChainType::Filter, NfHook::Prerouting, RAW);
        let mut question = vec![self.to_own()];
        question.extend(to_port(port));
        self.rule(chain, question.clone(), untracked());
        let chain = self.chain("raw_output", NfChainType::Filter, NfHook::Output, RAW);
        self.rule(chain, question, untracked());
        let answer = vec![self.by_own(), phrases::tcp_or_udp(), phrases::port("th", "sport", port)];
        self.rule(chain, answer, untracked());
        self.health(chain);
    }

    /// A question to us that somebody has translated.
    fn translated(&self) -> Vec<Said> {
        let key = if self.family == Family::V4 { "ip daddr" } else { "ip6 daddr" };
        vec![phrases::tracked("status", "dnat"), phrases::in_set(phrases::original(key), OWN)]
    }

    /// Next hop, the end out and the end in, where there is a detour for this family.
    fn detour(&self) -> Option<(String, String, String)> {
        let detour = self.wanted.host.as_ref()?;
        let address = match self.family {
            Family::V4 => detour.address.to_string(),
            Family::V6 => detour.address6?.to_string(),
        };
        Some((address, detour.device.clone(), detour.back.clone()))
    }

    fn header(&self) -> &'static str {
        if self.family == Family::V4 { "ip" } else { "ip6" }
    }

    fn daddr(&self) -> Expression<'static> {
        phrases::field(self.header(), "daddr")
    }

    fn to_own(&self) -> Said {
        phrases::in_set(self.daddr(), OWN)
    }

    fn by_own(&self) -> Said {
        phrases::in_set(phrases::field(self.header(), "saddr"), OWN)
    }

    fn chain(&mut self, name: &'static str, kind: NfChainType, hook: NfHook, priority: i32) -> &'static str {
        self.batch.add(NfListObject::Chain(Chain {
            family: nf(self.family),
            table: owned(self.name),
            name: name.into(),
            _type: Some(kind),
            hook: Some(hook),
            prio: Some(priority),
            policy: Some(NfChainPolicy::Accept),
            ..Chain::default()
        }));
        name
    }

    fn rule(&mut self, chain: &'static str, mut when: Vec<Said>, then: Vec<Said>) {
        when.extend(then);
        self.batch.add(NfListObject::Rule(Rule {
            family: nf(self.family),
            table: owned(self.name),
            chain: chain.into(),
            expr: when.into(),
            ..Rule::default()
        }));
    }
}

fn to_port(port: u16) -> [Said; 2] {
    [phrases::tcp_or_udp(), phrases::port("th", "dport", port)]
}

fn untracked() -> Vec<Said> {
    vec![Statement::Notrack, accept()]
}

fn accept() -> Said {
    Statement::Accept(None)
}

/// Whole seconds, at least one: nft's JSON knows nothing finer.
fn seconds(time: Duration) -> u32 {
    let up = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u32::try_from(up.max(1)).unwrap_or(u32::MAX)
}
