//! What the tests of all directives need: a question, a statement in its server block, and a chain that ends.
//!
//! Built for tests alone (feature `testing`). A mistake in what a test hands over is a panic here.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::corefile::{self, Memory, Report, Statement};
use crate::wire::{Class, Name, RecordType};
use crate::{
    Blocks, Boxed, Client, Context, Failure, FakeClock, Moment, Next, Plugin, Query, Scope, Served, Spec, Transport,
};

/// A client at port 40212 of this IP address, which asks 127.0.0.1 port 53 over UDP.
pub fn client(ip: &str) -> Client {
    Client {
        address: SocketAddr::new(ip.parse().expect("an IP address"), 40212),
        local: SocketAddr::from(([127, 0, 0, 1], 53)),
        transport: Transport::Udp,
    }
}

/// A question from 192.0.2.7 port 40212 over UDP, with RD and without EDNS.
pub fn query(name: &str, rtype: RecordType) -> Query {
    Query {
        name: Name::parse(name).expect("a domain name"),
        rtype,
        class: Class::IN,
        dnssec_ok: false,
        checking_disabled: false,
        scope: Scope::Shared,
        client: client("192.0.2.7"),
        edns: None,
        header: (1, 0x0100),
        arrived: Moment(0),
        reentries: 0,
        refresh: false,
        chased: None,
        past: Default::default(),
        options: Default::default(),
        story: None,
    }
}

/// A clock that stands still, no counters yet, and the server block `dns://.:53`.
pub fn context() -> Context {
    Context {
        clock: Arc::new(FakeClock::new()),
        metrics: Arc::default(),
        lists: Arc::default(),
        server: "dns://.:53".to_owned(),
        state_dir: None,
        cluster: Arc::new(crate::NoCluster),
        shelf: Arc::default(),
        labels: Arc::default(),
        wiretap: None,
    }
}

/// The statement, alone in the server block `.`, as `check` judges it: the specification and what was reported. It begins
/// at `Corefile:2:1`.
pub fn checked<S>(
    statement: &str,
    check: impl FnMut(&Statement, &[Name], &mut Report) -> Option<S>,
) -> (Option<S>, String) {
    let (mut specs, report) = all_checked(statement, &[Name::root()], check);
    assert_eq!(specs.len(), 1, "one statement: {statement}");
    (specs.remove(0), report)
}

/// As [`checked`], for all statements of a server block that has these zones.
pub fn all_checked<S>(
    statements: &str,
    zones: &[Name],
    mut check: impl FnMut(&Statement, &[Name], &mut Report) -> Option<S>,
) -> (Vec<Option<S>>, String) {
    let mut report = Report::new();
    let corefile = corefile::parse("Corefile", &format!(". {{\n{statements}\n}}\n"), &Memory::new(), &mut report);
    let statements = corefile.blocks[0].statements.iter();
    let specs = statements.map(|statement| check(statement, zones, &mut report)).collect();
    (specs, report.to_string())
}

/// The plugin of a specification that [`checked`] found no fault with.
pub fn built<S: Spec>((spec, report): (Option<S>, String), context: &Context) -> Arc<dyn Plugin> {
    spec.unwrap_or_else(|| panic!("{report}")).build(context).expect("what it needs is there")
}

/// What the chain replies. After it nobody answers, and there are no server blocks to enter anew.
pub async fn ask(chain: &[Arc<dyn Plugin>], query: &Query) -> Served {
    Next::new(chain, &Nowhere).serve(query).await
}

/// No server blocks.
struct Nowhere;

impl Blocks for Nowhere {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { Err(Failure::NoBlock { name: query.name.to_string() }) })
    }
}
