//! The directive following a Service: its endpoints come from a scripted cluster and are scripted upstreams themselves.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail a test by panicking")]

use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::corefile::{Memory, Report, parse};
use contract::testing;
use contract::wire::{Flags, HEADER, Name, Rcode, RecordType};
use contract::{
    Blocks, Boxed, BuildError, Client, Cluster, Context, Endpoint, Endpoints, Failure, Next, NoCluster, Plugin,
    PodIndex, Published, Query, RuntimeClock, SearchLists, Served, ServicePort, Source, Spec as _, Transport, Wanted,
    limits,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Notify, watch};
use tracing::field::{Field, Visit};

/// What a test lets its cluster say of the Service `@dns/resolver`.
#[derive(Debug)]
struct Script(watch::Sender<Arc<Endpoints>>);

impl Cluster for Script {
    fn pods(&self, zones: &[Name]) -> Result<Arc<PodIndex>, BuildError> {
        NoCluster.pods(zones)
    }

    fn endpoints(&self, port: &ServicePort) -> Result<watch::Receiver<Arc<Endpoints>>, BuildError> {
        assert_eq!(port.to_string(), "@dns/resolver");
        Ok(self.0.subscribe())
    }

    fn published(&self, wanted: &Wanted) -> Result<Arc<Published>, BuildError> {
        NoCluster.published(wanted)
    }
}

/// A directive at work and the cluster that it follows.
struct Case {
    context: Context,
    cluster: Arc<Script>,
    chain: Vec<Arc<dyn Plugin>>,
    running: tokio::task::JoinHandle<()>,
}

impl Drop for Case {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Case {
    /// A `forward` with this behind its FROM; nothing is known of the Service but what `first` says.
    fn new(rest: &str, first: Endpoints) -> Self {
        let cluster = Arc::new(Script(watch::Sender::new(Arc::new(first))));
        let context = Context { cluster: cluster.clone(), ..context() };
        let chain = vec![built(&context, &format!("forward . {rest}")).unwrap()];
        let running = tokio::spawn(Arc::clone(&chain[0]).run());
        Self { context, cluster, chain, running }
    }

    /// The cluster says this now; returns once it is acted upon.
    async fn says(&self, endpoints: Endpoints) {
        self.cluster.0.send_replace(Arc::new(endpoints));
        for _ in 0..10 {
            tokio::task::yield_now().await; // the follower is the next to run
        }
    }

    async fn ask(&self, transport: Transport) -> Served {
        ask(&self.context, &self.chain, transport).await
    }

    /// Who answered.
    async fn from(&self) -> SocketAddr {
        match self.ask(Transport::Udp).await.unwrap().source {
            Source::Upstream(from) => from,
            other => panic!("{other:?}"),
        }
    }

    fn value(&self, series: &str) -> i64 {
        let text = self.context.metrics.text();
        let line = text.lines().find(|line| line.starts_with(series));
        line.unwrap_or_else(|| panic!("no {series} in\n{text}")).rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Endpoints in use, and whether stand-ins are asked.
    fn gauges(&self) -> (i64, i64) {
        let label = "{service=\"@dns/resolver\"}";
        let value = |name| self.value(&format!("{name}{label}"));
        (value("nearpath_forward_endpoints"), value("nearpath_forward_fallback"))
    }
}

fn context() -> Context {
    Context {
        clock: Arc::new(RuntimeClock::start()),
        metrics: Arc::default(),
        lists: Arc::new(SearchLists::default()),
        server: "dns://.:53".to_owned(),
        state_dir: None,
        cluster: Arc::new(NoCluster),
        shelf: std::sync::Arc::default(),
        labels: Arc::default(),
        wiretap: None,
    }
}

fn built(context: &Context, statement: &str) -> Result<Arc<dyn Plugin>, BuildError> {
    let mut report = Report::new();
    let corefile = parse("Corefile", &format!(".:1053 {{\n{statement}\n}}\n"), &Memory::new(), &mut report);
    let spec = forward::check(&corefile.blocks[0].statements[0], &[Name::root()], &mut report);
    assert!(!report.has_errors(), "{report}");
    spec.unwrap().build(context)
}

struct NoBlocks;

impl Blocks for NoBlocks {
    fn resolve<'a>(&'a self, _: Query) -> Boxed<'a, Served> {
        Box::pin(async { panic!("forward never enters the blocks anew") })
    }
}

async fn ask(context: &Context, chain: &[Arc<dyn Plugin>], transport: Transport) -> Served {
    let query = testing::query("a.example", RecordType::A);
    let query = Query { client: Client { transport, ..query.client }, arrived: context.clock.now(), ..query };
    Next::new(chain, &NoBlocks).serve(&query).await
}

fn reply(question: &[u8], rcode: Rcode) -> Vec<u8> {
    let end = HEADER + contract::wire::Question::parse(question).unwrap().section().len();
    let mut wire = question[..end].to_vec();
    wire[2..4].copy_from_slice(&(Flags::QR | rcode.0).to_be_bytes());
    wire[6..HEADER].fill(0);
    wire
}

/// An upstream that says NXDOMAIN over TCP and REFUSED over UDP.
async fn upstream() -> SocketAddr {
    let (listener, socket) = loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()).await {
            break (listener, socket);
        }
    };
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            socket.send_to(&reply(&buffer[..length], Rcode::REFUSED), peer).await.unwrap();
        }
    });
    tokio::spawn(serve(listener, Arc::new(|| Box::pin(std::future::ready(())))));
    address
}

/// An upstream over TCP that answers nothing until it is let, how many questions it has, and the let.
async fn holder() -> (SocketAddr, Arc<AtomicUsize>, Arc<Notify>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, answers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (count, may) = (Arc::clone(&asked), Arc::clone(&answers));
    tokio::spawn(serve(
        listener,
        Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let may = Arc::clone(&may);
            Box::pin(async move { may.notified().await })
        }),
    ));
    (address, asked, answers)
}

type Wait = Arc<dyn Fn() -> Boxed<'static, ()> + Send + Sync>;

async fn serve(listener: TcpListener, wait: Wait) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let wait = Arc::clone(&wait);
        tokio::spawn(async move {
            while let Ok(length) = stream.read_u16().await {
                let mut question = vec![0; usize::from(length)];
                stream.read_exact(&mut question).await.unwrap();
                wait().await;
                let message = reply(&question, Rcode::NXDOMAIN);
                let length = u16::try_from(message.len()).unwrap().to_be_bytes();
                let _ = stream.write_all(&[&length, &message[..]].concat()).await;
            }
        });
    }
}

/// The API server has said so.
fn ready(near: &[SocketAddr], far: &[SocketAddr]) -> Endpoints {
    let endpoint = |address: &SocketAddr, near| Endpoint { address: *address, near };
    let ready = near.iter().map(|one| endpoint(one, true)).chain(far.iter().map(|one| endpoint(one, false)));
    Endpoints { ready: ready.collect(), service: None, synced: true }
}

#[tokio::test]
async fn endpoints_are_asked_over_tcp_unless_udp_is_wished() {
    let to = upstream().await;
    for (property, said) in
        [("", Rcode::NXDOMAIN), ("prefer_udp", Rcode::REFUSED), ("prefer_udp\nforce_tcp", Rcode::NXDOMAIN)]
    {
        let case = Case::new(&format!("@dns/resolver {{\n{property}\n}}"), ready(&[to], &[]));
        for transport in [Transport::Udp, Transport::Tcp] {
            assert_eq!(case.ask(transport).await.unwrap().answer.rcode(), said, "{property}");
        }
        // the Service's own address alike
        case.says(Endpoints { service: Some(to), ..Endpoints::default() }).await;
        assert_eq!(case.ask(Transport::Udp).await.unwrap().answer.rcode(), said, "{property}");
    }
}

#[tokio::test]
async fn stand_ins_are_asked_until_there_are_endpoints_and_when_there_are_none_any_more() {
    let (endpoint, service, written) = (upstream().await, upstream().await, upstream().await);
    let case = Case::new(&format!("{written} @dns/resolver {{\nforce_tcp\n}}"), Endpoints::default());
    assert_eq!((case.from().await, case.gauges()), (written, (0, 1)));
    case.says(Endpoints { service: Some(service), ..Endpoints::default() }).await;
    for _ in 0..20 {
        assert_eq!(case.from().await, service, "the Service's own address comes first");
    }
    case.says(Endpoints { service: Some(service), ..ready(&[endpoint], &[]) }).await;
    for _ in 0..20 {
        assert_eq!((case.from().await, case.gauges()), (endpoint, (1, 0)));
    }
    case.says(Endpoints { synced: true, ..Endpoints::default() }).await;
    assert_eq!((case.from().await, case.gauges()), (written, (0, 1)));
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    case.says(Endpoints { service: Some(nobody), ..Endpoints::default() }).await;
    assert_eq!(case.from().await, written, "behind it what was written");
}

#[tokio::test]
async fn endpoints_for_other_zones_come_last() {
    let (near, far) = (upstream().await, upstream().await);
    let case = Case::new("@dns/resolver", ready(&[near], &[far]));
    for _ in 0..30 {
        assert_eq!(case.from().await, near);
    }
    case.says(ready(&[], &[far])).await;
    assert_eq!((case.from().await, case.gauges()), (far, (1, 0)));
}

#[tokio::test]
async fn the_first_state_is_there_before_the_task_runs() {
    let to = upstream().await;
    let cluster = Arc::new(Script(watch::Sender::new(Arc::new(ready(&[to], &[])))));
    let context = Context { cluster, ..context() };
    let chain = [built(&context, "forward . @dns/resolver").unwrap()];
    assert!(chain[0].is_ready());
    assert_eq!(ask(&context, &chain, Transport::Udp).await.unwrap().source, Source::Upstream(to));
}

#[tokio::test]
async fn without_anybody_it_is_not_ready_and_says_so() {
    let to = upstream().await;
    let case = Case::new("@dns/resolver", Endpoints::default());
    assert!(!case.chain[0].is_ready());
    let failure = case.ask(Transport::Udp).await.unwrap_err();
    assert!(matches!(failure, Failure::NotReady { .. }), "{failure}");
    case.says(ready(&[to], &[])).await;
    assert!(case.chain[0].is_ready());
    assert_eq!(case.from().await, to);
}

#[tokio::test]
async fn no_cluster_is_an_error_at_the_start() {
    let error = built(&context(), "forward . 127.0.0.1 @dns/resolver").unwrap_err().to_string();
    assert!(error.contains("@dns/resolver") && error.contains("no cluster"), "{error}");
}

#[tokio::test]
async fn what_was_asked_of_one_that_goes_is_asked_elsewhere() {
    let ((going, asked, _), stays) = (holder().await, upstream().await);
    let case = Case::new("@dns/resolver", ready(&[going], &[]));
    let questions = futures(&case, 20);
    let given = || case.chain[0].standings().iter().map(|standing| standing.outstanding).sum::<usize>();
    let (answers, ()) = tokio::join!(questions, async {
        while given() < 20 || asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        case.says(ready(&[stays], &[])).await;
    });
    assert!(answers.into_iter().all(|source| source == Source::Upstream(stays)));
    assert_eq!(case.value("nearpath_forward_moved_total"), 20);
}

async fn futures(case: &Case, count: usize) -> Vec<Source> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..count {
        let (context, chain) = (case.context.clone(), case.chain.clone());
        tasks.spawn(async move { ask(&context, &chain, Transport::Udp).await.unwrap().source });
    }
    tokio::time::timeout(Duration::from_secs(20), tasks.join_all()).await.unwrap()
}

#[tokio::test]
async fn when_all_go_what_is_outstanding_is_asked_of_the_stand_in() {
    let ((going, asked, _), written) = (holder().await, upstream().await);
    let case = Case::new(&format!("@dns/resolver {written} {{\nforce_tcp\n}}"), ready(&[going], &[]));
    let (source, ()) = tokio::join!(futures(&case, 1), async {
        while asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        case.says(Endpoints { synced: true, ..Endpoints::default() }).await;
    });
    assert_eq!((source, case.gauges()), (vec![Source::Upstream(written)], (0, 1)));
    assert_eq!(case.value("nearpath_forward_moved_total"), 1);
}

#[tokio::test]
async fn endpoints_above_the_bound_and_of_another_family_are_left_out() {
    let near: Vec<SocketAddr> = (1..=10u16).map(|port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)).collect();
    let far: Vec<SocketAddr> = (11..=70u16).map(|port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)).collect();
    let (_, kept) = lines_of(async {
        let case = Case::new("@dns/resolver", ready(&near, &far));
        let left_out = "nearpath_forward_endpoints_left_out{service=\"@dns/resolver\"}";
        assert_eq!(
            (case.gauges().0, case.value(left_out)),
            (i64::try_from(limits::UPSTREAM_ENDPOINTS_MAX).unwrap(), 6)
        );
        case.says(ready(&near[1..], &far)).await;
        assert_eq!(case.value(left_out), 5);

        let v6 = "[::1]:53".parse().unwrap();
        let case = Case::new("@dns/resolver {\nsource_address 127.0.0.1\n}", ready(&[near[0], v6], &[]));
        assert_eq!((case.gauges(), case.value(left_out)), ((1, 0), 1));
    })
    .await;
    let said = kept.iter().filter(|line| line.contains("left out")).count();
    assert_eq!(said, 2, "once for each directive: {kept:#?}");
    let near_first = kept.iter().filter(|line| line.contains(": 64, for other zones 5")).count();
    assert_eq!(near_first, 2, "the near ones are all taken: {kept:#?}");
}

#[tokio::test]
async fn a_line_for_each_change_and_none_without() {
    let to: Vec<SocketAddr> = (1..=3u16).map(|port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)).collect();
    let (_, kept) = lines_of(async {
        let case = Case::new("@dns/resolver 127.0.0.9:9", Endpoints::default());
        for state in [
            Endpoints::default(),
            ready(&to[..2], &[]),
            ready(&to[..2], &[]),
            ready(&[to[1], to[0]], &[]),
            ready(&to[1..2], &to[2..]),
            ready(&[], &[]),
            ready(&[], &[]),
            ready(&to[..1], &[]),
        ] {
            case.says(state).await;
        }
    })
    .await;
    assert_eq!(
        kept,
        [
            "WARN forward: @dns/resolver is not known yet; asking 127.0.0.9:9 meanwhile",
            "INFO forward: ready endpoints of @dns/resolver: 2, for other zones 0; came 127.0.0.1:1, 127.0.0.1:2; went 127.0.0.9:9",
            "INFO forward: ready endpoints of @dns/resolver: 2, for other zones 1; came 127.0.0.1:3; went 127.0.0.1:1",
            "WARN forward: @dns/resolver has no ready endpoint; asking 127.0.0.9:9 meanwhile",
            "INFO forward: ready endpoints of @dns/resolver: 1, for other zones 0; came 127.0.0.1:1; went 127.0.0.9:9",
        ]
    );
}

/// What a future logs on this thread.
async fn lines_of<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    let kept = Kept::default();
    let guard = tracing::subscriber::set_default(kept.clone());
    let done = work.await;
    drop(guard);
    let lines = std::mem::take(&mut *kept.0.lock().unwrap());
    (done, lines)
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Kept {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("forward")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{} {value:?}", self.0);
        }
    }
}
