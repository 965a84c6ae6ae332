//! What stands around a plugin: a question, its server block, and a chain behind it that answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Waking, Poll, Waker};

use contract::wire::{Class, Composer, Name, Rcode, RecordType, Section};
use contract::{
    Answer, Blocks, Boxed, Client, Context, Failure, FakeClock, Moment, Next, Plugin, Query, Reply, Scope, Served,
    Source, Transport,
};

/// A question from a client on this machine, over UDP and without EDNS.
pub(crate) fn query(name: Name, rtype: RecordType) -> Query {
    Query {
        name,
        rtype,
        class: Class::IN,
        dnssec_ok: false,
        checking_disabled: false,
        scope: Scope::Shared,
        client: Client {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            local: SocketAddr::from((Ipv4Addr::LOCALHOST, 53)),
            transport: Transport::Udp,
        },
        edns: None,
        header: (1, 0x0100),
        arrived: Moment(0),
        reentries: 0,
        refresh: false,
        chased: None,
        past: contract::Past::Not,
        options: contract::Options::default(),
        story: None,
    }
}

pub(crate) fn context() -> Context {
    Context {
        clock: Arc::new(FakeClock::new()),
        metrics: Arc::default(),
        lists: Arc::default(),
        server: "dns://.:53".to_owned(),
        state_dir: None,
        cluster: Arc::new(contract::NoCluster),
        shelf: Arc::default(),
        labels: Arc::default(),
        wiretap: None,
    }
}

/// What a plugin replies that nothing keeps waiting.
pub(crate) fn served(plugin: Arc<dyn Plugin>, query: &Query) -> Served {
    let chain: [Arc<dyn Plugin>; 2] = [plugin, Arc::new(Stage)];
    let served = pin!(Next::new(&chain, &Stage).serve(query));
    match served.poll(&mut Waking::from_waker(Waker::noop())) {
        Poll::Ready(served) => served,
        Poll::Pending => unreachable!("nobody on this stage waits"),
    }
}

/// Has a CNAME and an address for each name, and no server blocks.
#[derive(Debug)]
struct Stage;

impl Plugin for Stage {
    fn name(&self) -> &'static str {
        "stage"
    }

    fn serve<'a>(&'a self, query: &'a Query, _: Next<'a>) -> Boxed<'a, Served> {
        Box::pin(async move {
            let target = Name::parse("web.example.com").expect("a name");
            let mut composer = Composer::new(&query.name, query.rtype, query.class);
            let written = composer
                .record(Section::Answer, &query.name, RecordType::CNAME, 60, |to| to.rdata_name(&target))
                .and_then(|()| {
                    composer.record(Section::Answer, &target, RecordType::A, 30, |to| to.octets(&[192, 0, 2, 1]))
                });
            written.expect("they fit");
            Ok(Reply::fresh(Answer::composed(composer.finish(), Rcode::NOERROR), Source::Plugin("stage")))
        })
    }
}

impl Blocks for Stage {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { Err(Failure::NoBlock { name: query.name.to_string() }) })
    }
}
