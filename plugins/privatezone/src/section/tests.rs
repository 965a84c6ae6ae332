//! The steps that a private zone tells of a question, and how its upstreams stand.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::testing;
use contract::wire::{Class, Composer, Flags, Name, Question, Rcode, RecordType, Section as Part};
use contract::{
    Answer, Blocks, Boxed, BuildError, Cluster, Context, Endpoints, Failure, Kind, Next, NoCluster, Object, Plugin,
    PodIndex, Publication, Published, Query, Remembered, Reply, RuntimeClock, Served, ServicePort, Source, Story,
    Wanted, What,
};
use tokio::net::UdpSocket;
use tokio::sync::watch;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// An answer with an address, or with the CNAME to `target`; NXDOMAIN with an SOA for what begins with `none`.
fn says(asked: &Name, rtype: RecordType) -> (Vec<u8>, Answer) {
    let mut composer = Composer::new(asked, rtype, Class::IN);
    let text = asked.to_string();
    let rcode = match text.split('.').next().unwrap() {
        "none" => {
            let soa = |to: &mut Composer| {
                to.rdata_name(&name("ns.corp.example"));
                to.rdata_name(&name("admin.corp.example"));
                to.octets(&[0, 0, 0, 60].repeat(5));
            };
            composer.record(Part::Authority, &name("corp.example"), RecordType::SOA, 60, soa).unwrap();
            Rcode::NXDOMAIN
        }
        "away" => {
            let target = name("www.other.example");
            composer.record(Part::Answer, asked, RecordType::CNAME, 60, |to| to.rdata_name(&target)).unwrap();
            Rcode::NOERROR
        }
        _ => {
            composer.record(Part::Answer, asked, RecordType::A, 60, |to| to.octets(&[10, 0, 0, 1])).unwrap();
            Rcode::NOERROR
        }
    };
    composer.rcode(rcode);
    let answer = Answer::composed(composer.finish(), rcode);
    (answer.message().wire().to_vec(), answer)
}

/// A resolver of the zone over UDP.
async fn resolver() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let asked = Question::parse(&buffer[..length]).unwrap();
            let (mut wire, _) = says(&Name::from_wire(asked.name()).unwrap(), asked.rtype);
            wire[..2].copy_from_slice(&buffer[..2]);
            wire[2] |= (Flags::QR >> 8) as u8;
            socket.send_to(&wire, peer).await.unwrap();
        }
    });
    address
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
}

/// Server blocks that answer for the targets of CNAMEs and remember what they were given.
#[derive(Default)]
struct House(Mutex<Option<Reply>>);

impl Blocks for House {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { Ok(Reply::fresh(says(&query.name, query.rtype).1, Source::Plugin("house"))) })
    }

    fn remembered(&self, _: &Query) -> Option<Remembered> {
        let reply = self.0.lock().unwrap().clone()?;
        Some(Remembered { reply, past_end: Duration::ZERO })
    }
}

/// Knows what is published, and nothing else.
#[derive(Debug)]
struct Objects(Arc<Published>);

impl Cluster for Objects {
    fn pods(&self, zones: &[Name]) -> Result<Arc<PodIndex>, BuildError> {
        NoCluster.pods(zones)
    }

    fn endpoints(&self, port: &ServicePort) -> Result<watch::Receiver<Arc<Endpoints>>, BuildError> {
        NoCluster.endpoints(port)
    }

    fn published(&self, _: &Wanted) -> Result<Arc<Published>, BuildError> {
        Ok(Arc::clone(&self.0))
    }
}

fn context() -> Context {
    Context { clock: Arc::new(RuntimeClock::start()), ..testing::context() }
}

/// The directive for `corp.example` with these lines.
fn built(context: &Context, lines: &str) -> Arc<dyn Plugin> {
    let statement = format!("privatezone corp.example {{\n{lines}\nmax_qps 0\n}}");
    testing::built(testing::checked(&statement, crate::check), context)
}

/// What a question tells of this directive, and what it comes to.
async fn told(plugin: &Arc<dyn Plugin>, house: &House, context: &Context, asked: &str) -> (Vec<String>, Served) {
    let story = Arc::new(Story::begin());
    let query = testing::query(asked, RecordType::A);
    let query = Query { arrived: context.clock.now(), story: Some(Arc::clone(&story)), ..query };
    let served = Next::new(&[Arc::clone(plugin)], house).serve(&query).await;
    let text = |what| match what {
        What::Plugin { name: "privatezone", text } => Some(text.into_owned()),
        _ => None,
    };
    (story.steps().0.into_iter().filter_map(|step| text(step.what)).collect(), served)
}

#[tokio::test]
async fn the_zone_its_denials_and_the_ways_out_of_it_are_told() {
    let (context, house) = (context(), House::default());
    let plugin = built(&context, &format!("to {}\nfallthrough none.through.corp.example", resolver().await));
    let zone = "zone corp.example.: 1 of 1 upstreams are up";
    let (steps, served) = told(&plugin, &house, &context, "db.corp.example").await;
    assert_eq!(steps, [zone]);
    *house.0.lock().unwrap() = Some(served.unwrap());
    let (steps, served) = told(&plugin, &house, &context, "away.corp.example").await;
    assert_eq!(steps, [zone, "its CNAME leads to www.other.example., which is asked for apart"], "{served:?}");

    let (steps, served) = told(&plugin, &house, &context, "none.corp.example").await;
    let [first, grace] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!((first.as_str(), served.unwrap().answer.rcode()), (zone, Rcode::NOERROR));
    assert!(grace.starts_with("denied, and was there: its last answer stands for up to "), "{grace}");

    *house.0.lock().unwrap() = None;
    let (steps, _) = told(&plugin, &house, &context, "none.of.corp.example").await;
    assert_eq!(steps, [zone, "denied, told for 5 s at most"]);
    let (steps, _) = told(&plugin, &house, &context, "none.through.corp.example").await;
    let passed = "the zone has no such name: handed on (fallthrough)";
    assert_eq!(steps, [zone, "denied, told for 5 s at most", passed]);
    assert!(told(&plugin, &house, &context, "www.example").await.0.is_empty(), "not its name");
}

#[tokio::test]
async fn who_publishes_a_name_and_what_is_made_of_that_is_told() {
    let published = Arc::new(Published::new(&[]));
    let context = Context { cluster: Arc::new(Objects(Arc::clone(&published))), ..context() };
    let publication = Publication {
        name: name("db.corp.example"),
        rtype: Some(RecordType::A),
        targets: ["10.0.0.1".into()].into(),
        ttl: None,
        is_plain: true,
    };
    let object = Object { kind: Kind::Service, namespace: "shop".into(), name: "web".into() };
    assert!(published.set(object, vec![publication], context.clock.now()));
    let house = House::default();

    let plugin = built(&context, &format!("to {}\nwatch", resolver().await));
    let by = "zone corp.example.: 1 of 1 upstreams are up; published by Service shop/web, ";
    let (steps, _) = told(&plugin, &house, &context, "db.corp.example").await;
    assert_eq!(steps, [format!("{by}not seen in the zone yet")]);
    let (steps, _) = told(&plugin, &house, &context, "db.corp.example").await;
    assert_eq!(steps, [format!("{by}seen in the zone for 0 s")]);

    let away = built(&context, &format!("to {}\nwatch", nobody().await));
    let (steps, served) = told(&away, &house, &context, "db.corp.example").await;
    let made = "nobody answers and nothing is remembered: made of what objects say";
    assert_eq!((steps.len(), steps[1].as_str()), (2, made), "{steps:?}");
    let ede = served.unwrap().answer.ede().cloned().unwrap();
    assert_eq!(ede, contract::told::SYNTHESIZED.with(&[("object", "Service shop/web")]));
}

#[tokio::test]
async fn nobody_answers_names_the_zone_and_its_upstreams_stand_so() {
    let (context, house, nobody) = (context(), House::default(), nobody().await);
    let plugin = built(&context, &format!("to {nobody}"));
    let (_, served) = told(&plugin, &house, &context, "db.corp.example").await;
    let failure = served.unwrap_err();
    assert!(matches!(&failure, Failure::NoneAnswered { zone, count: 1, .. } if zone == "corp.example."), "{failure:?}");
    let text = failure.told().1.text;
    assert!(text.contains(&format!("the last one: {nobody} cannot be reached")), "{text}");
    let [standing] = &plugin.standings()[..] else { panic!("one upstream") };
    assert_eq!((standing.address, standing.protocol, standing.plugin), (nobody, "udp", "privatezone"));
    assert_eq!((standing.zones.as_str(), standing.is_up, standing.outstanding), ("corp.example.", true, 0));
    assert!(matches!(standing.last_failure, Some(Failure::Unreachable { .. })), "{standing:?}");
}
