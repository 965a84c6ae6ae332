//! The probe, and the eye that is kept on it.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract::metrics::Counter;
use contract::told;
use contract::wire::{Class, Flags, Name, Rcode, RecordType};
use contract::{
    Answer, Boxed, Client, Clock, Context, Moment, Next, Plugin, Query, Reply, Scope, Served, Source, Transport, limits,
};
use tokio::sync::watch;

/// After this long the error is said again.
const REMIND_AFTER: Duration = Duration::from_secs(60);
/// What stands in front of the zone is two numbers of 62 bits: at most 2 labels of 19 digits.
const PROBE_OCTETS: usize = 40;

/// Looks for a loop behind one server block.
#[derive(Debug)]
pub struct LoopGuard {
    zone: Name,
    probe: Name,
    clock: Arc<dyn Clock>,
    /// Until when the probe is looked for, as a [`Moment`]; zero before it was sent.
    until: AtomicU64,
    detected: watch::Sender<Option<Detection>>,
    counter: Arc<Counter>,
}

/// A question of ours that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// Who brought it.
    pub remote: SocketAddr,
    /// Our address that was asked.
    pub local: SocketAddr,
    /// The block's first zone.
    pub zone: Name,
    /// The probe's name.
    pub probe: Name,
}

impl fmt::Display for Detection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { remote, local, zone, probe } = self;
        write!(
            f,
            "plugin/loop: Loop ({remote} -> {local}) detected for zone \"{zone}\", an upstream of this block sends its \
             questions back here: look at `forward` and at the files that it names. Query: \"HINFO {probe}\""
        )
    }
}

impl LoopGuard {
    /// The guard of a block whose first zone is `zone`.
    pub fn new(zone: Name, context: &Context) -> Self {
        let counter = context.metrics.counter(
            "nearpath_loop_detected_total",
            "Probes of a server block that came back to it.",
            &[("server", &context.server)],
        );
        let (detected, _) = watch::channel(None);
        let probe = probe_name(&zone);
        Self { zone, probe, clock: Arc::clone(&context.clock), until: AtomicU64::new(0), detected, counter }
    }

    /// The question to send through the block's chain once the block's sockets are open. From the first call on the
    /// guard looks for it, for [`limits::LOOP_PROBE_WITHIN`]; until then it may be sent again if it fails.
    pub fn probe(&self) -> Query {
        let now = self.clock.now();
        let until = now.after(limits::LOOP_PROBE_WITHIN).0;
        let _ = self.until.compare_exchange(0, until, Ordering::Relaxed, Ordering::Relaxed);
        Query {
            name: self.probe.clone(),
            rtype: RecordType::HINFO,
            class: Class::IN,
            dnssec_ok: false,
            checking_disabled: false,
            scope: Scope::Shared,
            client: Client { address: OURSELVES, local: OURSELVES, transport: Transport::Udp },
            edns: None,
            header: (rand::random(), Flags::RD),
            arrived: now,
            reentries: 0,
            refresh: false,
            chased: None,
            past: contract::Past::Not,
            options: contract::Options::default(),
            story: None,
        }
    }

    /// The probe was answered: it is looked for for [`limits::LOOP_SETTLED_AFTER`] more, and no longer, so that nobody who
    /// sees its name upstream can make a loop of it later.
    pub fn settle(&self) {
        let until = self.clock.now().after(limits::LOOP_SETTLED_AFTER).0;
        self.until.fetch_min(until, Ordering::Relaxed);
    }

    /// True while the probe is looked for: it was sent, and its time is not over.
    pub fn is_watchful(&self) -> bool {
        let until = Moment(self.until.load(Ordering::Relaxed));
        until > Moment::default() && self.clock.now() < until
    }

    /// True once a probe came back.
    pub fn detected(&self) -> bool {
        self.detected.borrow().is_some()
    }

    /// Changes once, from `None`, when a probe comes back.
    pub fn detection(&self) -> watch::Receiver<Option<Detection>> {
        self.detected.subscribe()
    }

    fn is_returned_probe(&self, query: &Query) -> bool {
        query.rtype == RecordType::HINFO
            && query.name == self.probe
            && query.client.address != OURSELVES
            && self.is_watchful()
    }

    fn detect(&self, query: &Query) -> Reply {
        self.counter.increment();
        let Client { address: remote, local, .. } = query.client;
        self.detected.send_if_modified(|detection| {
            let first = detection.is_none();
            if first {
                *detection = Some(Detection { remote, local, zone: self.zone.clone(), probe: self.probe.clone() });
            }
            first
        });
        let refused = Answer::empty(&query.name, query.rtype, query.class, Rcode::REFUSED).with_ede(told::LOOP.plain());
        Reply::fresh(refused, Source::Plugin("loop")).unstored()
    }

    async fn remind(self: Arc<Self>) {
        let mut detection = self.detection();
        // The sender lives in `self`, so a change can only be a detection.
        let Ok(Some(detection)) = detection.wait_for(Option::is_some).await.map(|detection| detection.clone()) else {
            return;
        };
        loop {
            tracing::error!(target: "loop", "{detection}");
            tokio::time::sleep(REMIND_AFTER).await;
        }
    }
}

/// No client has port 0.
const OURSELVES: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Plugin for LoopGuard {
    fn name(&self) -> &'static str {
        "loop"
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        if self.is_returned_probe(query) {
            let reply = self.detect(query);
            return Box::pin(async move { Ok(reply) });
        }
        next.serve(query)
    }

    fn run(self: Arc<Self>) -> Boxed<'static, ()> {
        Box::pin(self.remind())
    }
}

/// Two random numbers of 62 bits and the zone, as CoreDNS names its probes; where the zone is so long that they do not
/// fit, below the nearest of its parents that has room.
fn probe_name(zone: &Name) -> Name {
    let numbers = [(); 2].map(|()| rand::random::<u64>() >> 2);
    let mut labels = Vec::with_capacity(PROBE_OCTETS);
    for number in numbers {
        let digits = number.to_string();
        labels.push(u8::try_from(digits.len()).expect("62 bits are at most 19 digits"));
        labels.extend_from_slice(digits.as_bytes());
    }
    let mut zone = zone.clone();
    loop {
        if let Some(name) = Name::join(&labels, &zone) {
            return name;
        }
        zone = zone.parent().expect("two labels fit below the root");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use contract::metrics::Metrics;
    use contract::{Blocks, Failure, FakeClock};

    use super::*;

    /// An upstream that counts its questions and answers NXDOMAIN.
    #[derive(Debug, Default)]
    struct Upstream(Mutex<Vec<Name>>);

    impl Plugin for Upstream {
        fn name(&self) -> &'static str {
            "upstream"
        }
        fn serve<'a>(&'a self, query: &'a Query, _: Next<'a>) -> Boxed<'a, Served> {
            self.0.lock().unwrap().push(query.name.clone());
            let answer = Answer::empty(&query.name, query.rtype, query.class, Rcode::NXDOMAIN);
            Box::pin(async move { Ok(Reply::fresh(answer, Source::Plugin("upstream"))) })
        }
    }

    struct NoBlocks;

    impl Blocks for NoBlocks {
        fn resolve<'a>(&'a self, _: Query) -> Boxed<'a, Served> {
            Box::pin(async { Err(Failure::Panicked) })
        }
    }

    struct Stage {
        clock: Arc<FakeClock>,
        metrics: Arc<Metrics>,
        guard: Arc<LoopGuard>,
        upstream: Arc<Upstream>,
    }

    impl Stage {
        fn new(zone: &str) -> Self {
            let clock = Arc::new(FakeClock::new());
            let metrics = Arc::new(Metrics::default());
            let context = Context {
                clock: clock.clone(),
                metrics: Arc::clone(&metrics),
                lists: Arc::default(),
                server: "dns://.:53".to_owned(),
                state_dir: None,
                cluster: Arc::new(contract::NoCluster),
                shelf: Arc::default(),
                labels: Arc::default(),
                wiretap: None,
            };
            let guard = Arc::new(LoopGuard::new(Name::parse(zone).unwrap(), &context));
            Self { clock, metrics, guard, upstream: Arc::default() }
        }

        async fn ask(&self, query: &Query) -> Rcode {
            let chain: [Arc<dyn Plugin>; 2] = [self.guard.clone(), self.upstream.clone()];
            Next::new(&chain, &NoBlocks).serve(query).await.unwrap().answer.rcode()
        }

        fn forwarded(&self) -> usize {
            self.upstream.0.lock().unwrap().len()
        }
    }

    /// The probe as an upstream brings it back.
    fn returned(probe: &Query) -> Query {
        let address = |text: &str| text.parse().unwrap();
        let client =
            Client { address: address("127.0.0.1:55953"), local: address("127.0.0.1:1053"), transport: Transport::Udp };
        Query { client, ..probe.clone() }
    }

    #[tokio::test]
    async fn a_probe_that_stays_away_is_no_loop() {
        let stage = Stage::new(".");
        let probe = stage.guard.probe();
        assert_eq!(probe.rtype, RecordType::HINFO);
        assert_eq!(stage.ask(&probe).await, Rcode::NXDOMAIN);
        assert_eq!(stage.ask(&probe).await, Rcode::NXDOMAIN, "it may be sent again");
        assert!(!stage.guard.detected());
        assert_eq!(stage.forwarded(), 2);
    }

    #[tokio::test]
    async fn a_probe_that_comes_back_is_a_loop_and_ends_there() {
        let stage = Stage::new("example.org");
        let probe = stage.guard.probe();
        stage.ask(&probe).await;
        let mut detection = stage.guard.detection();
        assert!(!detection.has_changed().unwrap());
        for _ in 0..2 {
            assert_eq!(stage.ask(&returned(&probe)).await, Rcode::REFUSED);
        }
        assert_eq!(stage.forwarded(), 1, "the loop is cut");
        assert!(stage.guard.detected());
        let said = detection.wait_for(Option::is_some).await.unwrap().clone().unwrap().to_string();
        let beginning = "plugin/loop: Loop (127.0.0.1:55953 -> 127.0.0.1:1053) detected for zone \"example.org.\", ";
        assert!(said.starts_with(beginning), "{said}");
        assert!(said.ends_with(&format!("Query: \"HINFO {}\"", probe.name)), "{said}");
        let counted = stage.metrics.text();
        assert!(counted.contains("nearpath_loop_detected_total{server=\"dns://.:53\"} 2\n"), "{counted}");
    }

    #[tokio::test]
    async fn other_questions_pass() {
        let stage = Stage::new(".");
        let probe = stage.guard.probe();
        let other_type = Query { rtype: RecordType::TXT, ..returned(&probe) };
        let other_name = Query { name: Name::parse("1.2").unwrap(), ..returned(&probe) };
        for query in [other_type, other_name] {
            assert_eq!(stage.ask(&query).await, Rcode::NXDOMAIN);
        }
        assert!(!stage.guard.detected());
    }

    #[tokio::test]
    async fn it_is_looked_for_for_its_time_and_no_longer() {
        let unsent = Stage::new(".");
        assert!(!unsent.guard.is_watchful());

        let unanswered = Stage::new(".");
        let probe = unanswered.guard.probe();
        unanswered.clock.advance(limits::LOOP_PROBE_WITHIN - Duration::from_millis(1));
        unanswered.guard.probe();
        assert!(unanswered.guard.is_watchful());
        unanswered.clock.advance(Duration::from_millis(1));
        assert_eq!(unanswered.ask(&returned(&probe)).await, Rcode::NXDOMAIN, "sending again does not prolong it");

        let answered = Stage::new(".");
        let probe = answered.guard.probe();
        answered.guard.settle();
        answered.clock.advance(limits::LOOP_SETTLED_AFTER - Duration::from_millis(1));
        assert!(answered.guard.is_watchful());
        answered.clock.advance(Duration::from_millis(1));
        assert_eq!(answered.ask(&returned(&probe)).await, Rcode::NXDOMAIN);
        assert!(!answered.guard.detected());
    }

    #[test]
    fn every_probe_has_a_name_of_its_own_below_the_zone() {
        let zone = Name::parse("example.org").unwrap();
        let (one, other) = (probe_name(&zone), probe_name(&zone));
        assert_ne!(one, other);
        assert_eq!((zone.encloses(&one), one.label_count()), (true, 4));
        assert!(one.labels().take(2).all(|label| label.iter().all(u8::is_ascii_digit)), "{one}");
        let long = Name::parse(&"a.".repeat(127)).unwrap();
        assert!(probe_name(&long).label_count() > 80);
    }

    /// Counts the errors of this plugin.
    #[derive(Clone, Default)]
    struct Errors(Arc<Mutex<usize>>);

    impl tracing::Subscriber for Errors {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            metadata.target() == "loop"
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            assert_eq!(*event.metadata().level(), tracing::Level::ERROR);
            *self.0.lock().unwrap() += 1;
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_is_said_each_minute() {
        let errors = Errors::default();
        let _guard = tracing::subscriber::set_default(errors.clone());
        let stage = Stage::new(".");
        let reminder = tokio::spawn(stage.guard.clone().run());
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(*errors.0.lock().unwrap(), 0);
        stage.ask(&returned(&stage.guard.probe())).await;
        tokio::time::sleep(Duration::from_secs(125)).await;
        assert_eq!(*errors.0.lock().unwrap(), 3);
        reminder.abort();
    }
}
