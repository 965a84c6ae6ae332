//! A pod with AutoPath, server blocks with memory, and servers whose names come and go.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use autopath::{Autopath, CutRules};
use contract::metrics::Metrics;
use contract::testing;
use contract::wire::{Class, Composer, Name, Rcode, RecordType, Section};
use contract::{
    Age, Answer, Blocks, Boxed, Clock, Context, Failure, Moment, Next, Plugin, Pod, PodIndex, Query, Reply,
    RuntimeClock, Scope, Served, Source,
};
use tokio::time::sleep;

pub(crate) const A: RecordType = RecordType::A;
pub(crate) const TXT: RecordType = RecordType::TXT;
pub(crate) const POD: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 7));
pub(crate) const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 8));
/// What a question to a server takes.
pub(crate) const WAIT: Duration = Duration::from_millis(20);
/// How long a denial holds.
pub(crate) const DENIAL: Duration = Duration::from_secs(5);

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// What the server says of a name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Says {
    Address,
    NoData,
    /// An alias whose target does not exist: NXDOMAIN behind a CNAME.
    DeadAlias,
    Nothing,
    /// The same, with a denial of this life.
    NothingFor(Duration),
    ServFail,
}

/// Server blocks with memory, before servers that deny what they do not know: that of the cluster, `d.e`, with AutoPath, and
/// one below it.
pub(crate) struct House {
    this: Weak<House>,
    plugin: Arc<Autopath>,
    pub(crate) clock: Arc<dyn Clock>,
    says: Mutex<HashMap<Name, Says>>,
    pub(crate) memory: Mutex<HashMap<(Scope, Name, RecordType), Memorised>>,
    asked: Mutex<Vec<String>>,
    metrics: Arc<Metrics>,
    pub(crate) work: tokio::task::AbortHandle,
}

impl Drop for House {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// A reply, since when and until when.
pub(crate) type Memorised = (Reply, Moment, Moment);

/// The block's way to its server.
#[derive(Debug)]
pub(crate) struct Server;

impl Plugin for Server {
    fn name(&self) -> &'static str {
        "server"
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        next.blocks().ask_anew(query.clone())
    }
}

pub(crate) fn house(state_dir: Option<PathBuf>, cut: bool) -> Arc<House> {
    let context = Context {
        clock: Arc::new(RuntimeClock::start()),
        metrics: Arc::new(Metrics::default()),
        lists: Arc::default(),
        server: "dns://d.e.:53".to_owned(),
        state_dir,
        cluster: std::sync::Arc::new(contract::NoCluster),
        shelf: std::sync::Arc::default(),
        labels: Arc::default(),
        wiretap: None,
    };
    let index = Arc::new(PodIndex::default());
    let search = ["shop.svc.d.e", "svc.d.e", "d.e", "corp.example"].map(name);
    index.replace(&[Pod {
        name: "shop/web".into(),
        addresses: vec![POD],
        list: context.lists.intern(&search),
        ndots: 5,
    }]);
    let plugin = Autopath::new(vec![name("d.e")], index, None, &context);
    let plugin = Arc::new(if cut { plugin.with_cut(CutRules::default(), &context) } else { plugin });
    let work = tokio::spawn(Arc::clone(&plugin).run()).abort_handle();
    Arc::new_cyclic(|this| House {
        this: Weak::clone(this),
        plugin,
        clock: context.clock,
        says: Mutex::default(),
        memory: Mutex::default(),
        asked: Mutex::default(),
        metrics: context.metrics,
        work,
    })
}

impl House {
    /// The zone of the block that a name enters.
    pub(crate) fn block(of: &Name) -> Option<Name> {
        ["y.com.svc.d.e", "d.e"].map(name).into_iter().find(|zone| zone.encloses(of))
    }

    pub(crate) fn says(&self, owner: &str, what: Says) {
        self.says.lock().unwrap().insert(name(owner), what);
    }

    pub(crate) fn query(&self, client: IpAddr, asked: &str, rtype: RecordType) -> Query {
        let name = name(asked);
        let scope = self.plugin.scoper().unwrap().scope(client, name.as_wire(), rtype, false);
        let client = testing::client(&client.to_string());
        Query { scope, client, arrived: self.clock.now(), ..testing::query(asked, rtype) }
    }

    /// A pod's look-up of a name, which must not come from memory as a whole.
    pub(crate) async fn look_up(&self, typed: &str, rtype: RecordType) -> Served {
        let query = self.query(POD, &format!("{typed}.shop.svc.d.e"), rtype);
        assert_ne!(query.scope, Scope::Shared);
        let chain: [Arc<dyn Plugin>; 1] = [Arc::new(Server)];
        self.plugin.serve(&query, Next::new(&chain, self)).await
    }

    /// The name behind the CNAME of a look-up.
    pub(crate) async fn leads_to(&self, typed: &str, rtype: RecordType) -> Name {
        let reply = self.look_up(typed, rtype).await.unwrap();
        let message = reply.answer.message();
        let cname = message.section(Section::Answer).next().unwrap();
        message.name(cname.rdata).unwrap()
    }

    pub(crate) async fn finds(&self, typed: &str, rtype: RecordType) -> bool {
        self.look_up(typed, rtype).await.unwrap().answer.rcode() == Rcode::NOERROR
    }

    /// What went to the servers since the last time, without outside names.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.retain(|one| one.contains(".d.e. "));
        asked.sort();
        asked
    }

    pub(crate) fn counted(&self, metric: &str) -> u64 {
        let text = self.metrics.text();
        let number = text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
            let (series, number) = line.rsplit_once(' ')?;
            (series.split('{').next() == Some(metric)).then(|| number.parse().unwrap())
        });
        number.unwrap_or_else(|| panic!("no {metric}"))
    }

    pub(crate) fn answer(&self, query: &Query) -> Answer {
        let outside = !name("d.e").encloses(&query.name) && query.name.label_count() == 3;
        let says = self.says.lock().unwrap().get(&query.name).copied();
        let says = says.unwrap_or(if outside { Says::Address } else { Says::Nothing });
        let mut composer = Composer::new(&query.name, query.rtype, Class::IN);
        match says {
            Says::Address => {
                let octets = if query.rtype == A { vec![192, 0, 2, 1] } else { vec![0xfd; 16] };
                composer.record(Section::Answer, &query.name, query.rtype, 30, |to| to.octets(&octets)).unwrap();
                return Answer::composed(composer.finish(), Rcode::NOERROR);
            }
            Says::DeadAlias => composer.cname(&query.name, &name("nowhere.example"), 30).unwrap(),
            Says::ServFail => return Answer::empty(&query.name, query.rtype, Class::IN, Rcode::SERVFAIL),
            Says::NoData | Says::Nothing | Says::NothingFor(_) => {}
        }
        let rcode = if matches!(says, Says::NoData) { Rcode::NOERROR } else { Rcode::NXDOMAIN };
        let life = if let Says::NothingFor(life) = says { life } else { DENIAL };
        let seconds = u32::try_from(life.as_secs()).unwrap();
        composer.rcode(rcode);
        composer
            .record(Section::Authority, &name("d.e"), RecordType::SOA, seconds, |to| {
                to.octets(&[0; 18]);
                to.octets(&seconds.to_be_bytes());
            })
            .unwrap();
        Answer::composed(composer.finish(), rcode)
    }
}

impl Blocks for House {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            if let Some(memorised) = self.stored(&query).filter(|_| !query.refresh) {
                return memorised;
            }
            let chain: [Arc<dyn Plugin>; 1] = [Arc::new(Server)];
            let reply = match House::block(&query.name) == Some(name("d.e")) {
                true => self.plugin.serve(&query, Next::new(&chain, self)).await,
                false => Next::new(&chain, self).serve(&query).await,
            }?;
            let since = self.clock.now();
            let Some(life) = reply.true_for() else { return Ok(reply) };
            let until = since.after(life);
            self.memory.lock().unwrap().insert((query.scope, query.name, query.rtype), (reply.clone(), since, until));
            Ok(reply)
        })
    }

    fn stored(&self, query: &Query) -> Option<Served> {
        let now = self.clock.now();
        let memory = self.memory.lock().unwrap();
        let (reply, since, until) = memory.get(&(query.scope, query.name.clone(), query.rtype)).cloned()?;
        let age = Age::Fresh(now.seconds_since(since));
        (now < until).then(|| Ok(Reply { age, lifetime: Some(until.since(now)), source: Source::Store, ..reply }))
    }

    fn ask_anew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(format!("{} {}", query.name, query.rtype));
            sleep(WAIT).await;
            Ok(Reply::fresh(self.answer(&query), Source::Plugin("server")))
        })
    }

    fn is_same_block(&self, one: &Name, other: &Name) -> bool {
        House::block(one) == House::block(other)
    }

    fn handle(&self) -> Option<Arc<dyn Blocks>> {
        Some(Arc::new(Handle(Weak::clone(&self.this))))
    }
}

pub(crate) struct Handle(Weak<House>);

impl Blocks for Handle {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { self.house()?.resolve(query).await })
    }

    fn stored(&self, query: &Query) -> Option<Served> {
        self.0.upgrade()?.stored(query)
    }

    fn ask_anew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { self.house()?.ask_anew(query).await })
    }
}

impl Handle {
    fn house(&self) -> Result<Arc<House>, Failure> {
        self.0.upgrade().ok_or(Failure::NotReady { what: "house" })
    }
}
