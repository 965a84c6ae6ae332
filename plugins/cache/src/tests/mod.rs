//! The store as the daemon sees it: given what was stored, when time passes, then this is told.

mod bounds;
mod forget;
mod prefetch;
mod spec;
mod stale;
mod ttl;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contract::metrics::Metrics;
use contract::wire::{Class as QueryClass, Composer, Name, Rcode, RecordType, Section};
use contract::{Answer, Clock, Failure, FakeClock, ListId, Moment, Reply, Scope, Source};

use crate::{BlockId, KeyBuffer, Lookup, Policy, Reader, Store};

/// The block that most tests ask.
const BLOCK: BlockId = BlockId(1);

/// A store, a clock and a policy.
struct Given {
    store: Store,
    clock: FakeClock,
    policy: Policy,
    metrics: Arc<Metrics>,
}

impl Given {
    fn new(policy: Policy) -> Self {
        Self::with_bytes(policy, 64 << 20)
    }

    fn with_bytes(policy: Policy, bytes: u64) -> Self {
        let metrics = Arc::new(Metrics::default());
        Self { store: Store::new(bytes, Arc::clone(&metrics)), clock: FakeClock::new(), policy, metrics }
    }

    /// The policy of a `cache` as it is written.
    fn corefile(text: &str) -> Self {
        Self::new(spec::checked(text).policy)
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn wait(&self, milliseconds: u64) {
        self.clock.advance(Duration::from_millis(milliseconds));
    }

    fn insert(&self, key: &KeyBuffer, reply: Reply) -> Reply {
        self.store.insert(key, reply, &self.policy, self.now())
    }

    fn lookup<'r>(&self, reader: &'r Reader<'_>, key: &KeyBuffer) -> Lookup<'r> {
        reader.lookup(key, &self.policy, self.now())
    }

    /// A look-up as metrics count it.
    fn kind(&self, key: &KeyBuffer) -> &'static str {
        match self.lookup(&self.store.read(), key) {
            Lookup::Stale { serve_now: false, .. } | Lookup::Miss => "miss",
            Lookup::Stale { entry, .. } if entry.is_denial() => "stale denial",
            Lookup::Stale { .. } => "stale success",
            Lookup::Fresh { entry, .. } if entry.is_denial() => "denial",
            Lookup::Fresh { .. } => "success",
            Lookup::Failed { .. } => "failure",
        }
    }

    fn failed(&self, key: &KeyBuffer, failure: &Failure) {
        self.store.failed(key, failure, &self.policy, self.now());
    }

    /// A look-up in one word.
    fn told(&self, key: &KeyBuffer) -> &'static str {
        match self.lookup(&self.store.read(), key) {
            Lookup::Fresh { refresh: false, .. } => "fresh",
            Lookup::Fresh { refresh: true, .. } => "fresh, refresh",
            Lookup::Stale { serve_now: true, refresh: false, .. } => "stale now",
            Lookup::Stale { serve_now: true, refresh: true, .. } => "stale now, refresh",
            Lookup::Stale { serve_now: false, .. } => "stale later",
            Lookup::Failed { .. } => "failed",
            Lookup::Miss => "miss",
        }
    }

    fn text(&self) -> String {
        self.metrics.text()
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn key(text: &str, scope: Scope, rtype: RecordType) -> KeyBuffer {
    let mut key = KeyBuffer::new();
    key.set_name(name(text).as_wire());
    key.set(BLOCK, scope, rtype, QueryClass::IN, false, false);
    key
}

fn shared(text: &str) -> KeyBuffer {
    key(text, Scope::Shared, RecordType::A)
}

fn search(text: &str) -> KeyBuffer {
    key(text, Scope::Search(ListId(7)), RecordType::A)
}

/// The records of a reply: answer section (TTLs of A, a leading CNAME for each but the last), SOA (TTL, MINIMUM).
struct Records<'t> {
    name: &'t str,
    rcode: Rcode,
    links: &'t [u32],
    addresses: &'t [u32],
    soa: Option<(u32, u32)>,
}

impl Records<'_> {
    fn answer(&self) -> Answer {
        let mut owner = name(self.name);
        let mut composer = Composer::new(&owner, RecordType::A, QueryClass::IN);
        composer.rcode(self.rcode);
        for (index, &ttl) in self.links.iter().enumerate() {
            let target = name(&format!("link{index}.example"));
            composer.cname(&owner, &target, ttl).unwrap();
            owner = target;
        }
        for (index, &ttl) in self.addresses.iter().enumerate() {
            let rdata = [192, 0, 2, index as u8];
            composer.record(Section::Answer, &owner, RecordType::A, ttl, |to| to.octets(&rdata)).unwrap();
        }
        if let Some((ttl, minimum)) = self.soa {
            composer
                .record(Section::Authority, &name("example"), RecordType::SOA, ttl, |to| {
                    to.rdata_name(&name("ns.example"));
                    to.rdata_name(&name("mail.example"));
                    to.octets(&[0; 16]);
                    to.octets(&minimum.to_be_bytes());
                })
                .unwrap();
        }
        Answer::composed(composer.finish(), self.rcode)
    }

    fn reply(&self) -> Reply {
        let upstream: SocketAddr = "192.0.2.53:53".parse().unwrap();
        Reply::fresh(self.answer(), Source::Upstream(upstream))
    }
}

/// NOERROR with one A record for each TTL.
fn addresses(text: &str, ttls: &[u32]) -> Reply {
    Records { name: text, rcode: Rcode::NOERROR, links: &[], addresses: ttls, soa: None }.reply()
}

/// NXDOMAIN with an SOA.
fn nxdomain(text: &str, ttl: u32, minimum: u32) -> Reply {
    Records { name: text, rcode: Rcode::NXDOMAIN, links: &[], addresses: &[], soa: Some((ttl, minimum)) }.reply()
}

/// A reply without records.
fn empty(text: &str, rcode: Rcode) -> Reply {
    Records { name: text, rcode, links: &[], addresses: &[], soa: None }.reply()
}

fn timeout() -> Failure {
    Failure::Timeout { upstream: "192.0.2.53:53".parse().unwrap(), waited: Duration::from_secs(2) }
}
