//! The daemon's life: checked, assembled, bound, running, reloaded, drained.
//!
//! ```text
//!   check --Plan--> assemble --Assembly--> bind --Bound--> start --Daemon--> drain
//!                      ^                                      |
//!                      '------------- reload -----------------'   what fails leaves the old one running
//! ```

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, bail};
use cache::Store;
use contract::corefile::Disk;
use contract::metrics::{Counter, Metrics};
use contract::{Bound as BoundName, Clock, RuntimeClock, SearchLists, Server};
use kubernetes::Kubernetes;
use ready::Monitor;
use reload::ReloadSpec;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::admin::{self, Admin, Ports, State};
use crate::assembly::{self, Assembly, Endpoint, Register};
use crate::files::{self, PidFile};
use crate::listening::{CannotListen, Listening, Sockets};
use crate::node::{Keeper, Migration, SetupError, Warmth, Watchdog, abort, advice, central, first_word, memory};
pub use crate::options::Options;
use crate::plan::{self, Checked, Plan};
use crate::see::See;
use crate::see::doors::Doors;
use crate::see::tap::Taps;
use crate::serve::chaos::Presence;
use crate::serve::entrance::Entrance;
use crate::serve::zones::Shared;
use crate::serve::{Flights, Turnstile};
use crate::signals::Signals;
use crate::source::Flawed;
use crate::source::config_map::ConfigMapError;
use crate::{loops, wiring};

/// How long a leaving daemon answers what is under way.
pub const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// How long a start waits for an address of the node that is not there.
const ADDRESS_WITHIN: Duration = Duration::from_secs(3);
/// How often answers past their last use are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Threads of the miss path.
const RUNTIME_THREADS_MAX: usize = 2;

/// A running daemon.
pub struct Daemon {
    /// First, so that a start that fails takes back what was made of the node.
    keeper: Option<Keeper>,
    options: Options,
    runtime: Runtime,
    shared: Arc<Shared>,
    register: Arc<Register>,
    state: Arc<State>,
    doors: Doors,
    admin: Admin,
    listening: Listening,
    watchdog: Watchdog,
    warmth: Arc<Warmth>,
    work: Vec<AbortHandle>,
    digest: u64,
    settings: Settings,
    /// Where a guard tells that questions go in a circle.
    looped: watch::Sender<bool>,
}

/// What this is, in the labels that CoreDNS has for it.
const BUILD: [(&str, &str); 3] = [
    ("version", env!("CARGO_PKG_VERSION")),
    // set by whoever builds an image
    (
        "revision",
        match option_env!("NEARPATH_REVISION") {
            Some(revision) => revision,
            None => "unknown",
        },
    ),
    ("goversion", "none"),
];

/// What of the plan is needed while running.
struct Settings {
    reload: Option<ReloadSpec>,
    lameduck: Duration,
    monitor: Monitor,
}

impl Settings {
    fn of(plan: &Plan) -> Self {
        let settings = || plan.blocks.iter().map(|block| &block.settings);
        Self {
            reload: settings().find_map(|settings| settings.reload),
            lameduck: settings()
                .find_map(|settings| settings.health.as_ref())
                .map_or(Duration::ZERO, |health| health.lameduck),
            monitor: settings()
                .filter_map(|settings| settings.ready.as_ref())
                .find(|ready| ready.monitor == Monitor::Continuously)
                .map_or(Monitor::UntilReady, |ready| ready.monitor),
        }
    }
}

/// Serves the Corefile on disk until a signal ends it.
pub fn run(options: &Options) -> anyhow::Result<()> {
    abort::without_core_dumps();
    let (text, checked) = files::read_first(&options.source, options.dns_port)?;
    let _pidfile = options.pidfile.as_deref().map(PidFile::write).transpose()?;
    options.state_dir.as_deref().map_or(Ok(()), files::make_state_dir)?;
    let fitted = memory::fitted(options, memory::limit());
    let (mut daemon, signals) = begin(checked, &fitted, || Signals::listen(&options.source))?;
    files::keep(&options.source, &text, &daemon.shared.metrics);
    let end = signals.follow(&mut daemon);
    daemon.stop();
    end
}

/// Serves a text. When it returns, every socket is open and served.
pub fn start(name: &str, text: &str, options: &Options) -> anyhow::Result<Daemon> {
    begin(plan::check(name, text, &Disk, options.dns_port), options, || Ok(())).map(|(daemon, ())| daemon)
}

/// Binds and starts. `first` is done inside the runtime before anything is bound: what is sent to the process from then on
/// is not lost.
fn begin<T>(
    checked: Checked,
    options: &Options,
    first: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(Daemon, T)> {
    let Some(plan) = &checked.plan else {
        bail!("the Corefile cannot be served\n{}", checked.report);
    };
    warn(&checked);
    let runtime = miss_path(options).context("cannot start threads")?;
    let _inside = runtime.enter();
    let first = first()?;
    let shared = Arc::new(shared(options, runtime.handle()));
    let register = Arc::new(Register::default());
    let keeper = options.node.as_ref().map(|node| Keeper::start(node, &shared.metrics)).transpose()?;
    let mut assembly = assemble(plan, options.dns_port, &shared, &register)?;
    leave_out(&mut assembly, keeper.as_ref());
    let warmth = Arc::new(Warmth::new(options, &shared, &register));
    warmth.restore(assembly.entrances());
    let sockets = bind(&assembly, options.threads, keeper.is_some())?;
    let mut listening = Listening::start(options.threads, &options.bounds, runtime.handle().clone())?;
    let state = Arc::new(State::new(Arc::clone(&shared), Arc::clone(&register), listening.meters()));
    let failsafe = keeper.as_ref().map(Keeper::standing);
    let failsafe = Box::new(move || failsafe.as_ref().map(|standing| standing()));
    let doors = Doors::open(options, Arc::clone(&state), failsafe)?;
    let mut admin = Admin::new(Arc::clone(&state), if options.node.is_some() { Ports::Shared } else { Ports::Own });
    if let Some(error) = admin.reconcile(&admin::pages(plan, options.metrics_address)).into_iter().next() {
        return Err(error.into());
    }
    listening.serve(&assembly, sockets)?;
    let watchdog = Watchdog::start(listening.roster(), &shared, Arc::clone(&state)).context("cannot start threads")?;
    runtime.spawn(Arc::clone(&warmth).keep_regularly());
    let told = memory::Told::new(&shared);
    if let Some(limit) = options.memory.clone() {
        runtime.spawn(memory::watch(limit, told, Arc::clone(&shared)));
    }
    if options.node.is_some() {
        SetupError::register(&shared.metrics);
        let entrances = assembly.entrances().collect();
        runtime.spawn(first_word::hear(entrances, Arc::clone(&shared), state.pending("upstream")));
    }
    reloads(&shared.metrics); // visible at zero
    let mut daemon = Daemon {
        keeper,
        options: options.clone(),
        shared,
        register,
        state,
        doors,
        admin,
        listening,
        watchdog,
        warmth,
        work: Vec::new(),
        looped: watch::Sender::new(false),
        digest: checked.digest,
        settings: Settings::of(plan),
        runtime: {
            drop(_inside);
            runtime
        },
    };
    daemon.adopt(assembly, plan);
    tell_version(&daemon.shared.metrics, &checked);
    advise(options, plan);
    daemon.keeper.iter().for_each(|keeper| keeper.bound(daemon.state.pending("rules")));
    Ok((daemon, first))
}

/// The threads of the miss path.
fn miss_path(options: &Options) -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.threads.clamp(1, RUNTIME_THREADS_MAX))
        .thread_name("nearpath-miss")
        .enable_all()
        .build()
}

/// Binds all. On a node an address may have gone for a moment, with another instance that tears down what was its own; the
/// keeper puts it back.
fn bind(assembly: &Assembly, threads: usize, on_node: bool) -> Result<Sockets, CannotListen> {
    let begun = std::time::Instant::now();
    loop {
        match Sockets::bind(assembly, threads, on_node) {
            Err(error) if on_node && error.is_missing() && begun.elapsed() < ADDRESS_WITHIN => {
                std::thread::sleep(Duration::from_millis(20));
            }
            bound => return bound,
        }
    }
}

/// Leaves out the listeners at addresses that this node cannot have, so that the others serve.
fn leave_out(assembly: &mut Assembly, keeper: Option<&Keeper>) {
    let without = keeper.map(Keeper::without).unwrap_or_default();
    assembly.listeners.retain(|listener| {
        let missing = without.contains(&listener.at.address.ip());
        if missing {
            tracing::warn!("{} is not served: IPv6 is missing here", listener.at);
        }
        !missing
    });
}

fn shared(options: &Options, runtime: &tokio::runtime::Handle) -> Shared {
    let metrics = Arc::new(Metrics::default());
    let clock: Arc<dyn Clock> = Arc::new(RuntimeClock::start());
    let lists: Arc<SearchLists> = Arc::default();
    let cluster = Kubernetes::new(
        options.cluster.clone(),
        Arc::clone(&clock),
        Arc::clone(&metrics),
        Arc::clone(&lists),
        runtime.clone(),
    );
    let bound = |bound: BoundName| {
        metrics.counter("nearpath_bounds_reached_total", "Questions refused at a bound.", &[("bound", bound.label())])
    };
    metrics.gauge("coredns_build_info", "Always 1; the labels tell the version.", &BUILD).set(1);
    let taps = Taps::new(Arc::clone(&clock), &metrics);
    Shared {
        store: Store::with_hasher(options.cache_bytes, Arc::clone(&metrics), options.hasher.clone()),
        flights: Arc::new(Flights::default()),
        turnstile: Arc::new(Turnstile::new(options.bounds.misses)),
        clock,
        state_dir: options.state_dir.clone(),
        lists,
        cluster: Arc::new(cluster),
        shelf: Arc::default(),
        presence: Presence::new(options.debug_hooks),
        dig_explain: options.dig_explain,
        heard: AtomicBool::new(false),
        runtime: runtime.clone(),
        node_name: options.node_name.clone(),
        taps,
        places: Arc::default(),
        coalesced: metrics.counter("nearpath_coalesced_total", "Questions that waited for an identical one.", &[]),
        stale: metrics.counter("nearpath_stale_replies_total", "Replies past their end.", &[]),
        panics: metrics.counter("coredns_panics_total", "Queries lost to an internal error.", &[]),
        bounds: BoundName::ALL.map(bound),
        metrics,
    }
}

/// Builds a plan; all that cannot be had is told at once.
fn assemble(plan: &Plan, dns_port: u16, shared: &Arc<Shared>, register: &Register) -> anyhow::Result<Assembly> {
    if plan.blocks.is_empty() {
        bail!("the Corefile has no server block; a smallest one is `. {{ forward . /etc/resolv.conf }}`");
    }
    assembly::assemble(plan, dns_port, shared, register).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(lines.join("\n"))
    })
}

/// Says what a node does without, and what would bring it.
fn advise(options: &Options, plan: &Plan) {
    if options.node.is_none() {
        return;
    }
    let lines = advice::lines(plan, &options.cluster_domain(), options.state_dir.is_some());
    lines.iter().for_each(|line| tracing::info!("{line}"));
}

fn warn(checked: &Checked) {
    if checked.report.warnings() > 0 {
        tracing::warn!("the Corefile has warnings\n{}", checked.report);
    }
}

/// Removes what can no longer be served, once in a while.
async fn sweep(shared: Arc<Shared>, register: Arc<Register>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        register.sweep(&shared.store);
        shared.store.sweep(shared.clock.now());
    }
}

/// The blocks of a text's first listener, without sockets: for tests and measurements of the way of a query.
///
/// # Errors
/// What is wrong with the text, or cannot be had.
pub fn without_sockets(text: &str, options: &Options, runtime: &tokio::runtime::Handle) -> anyhow::Result<Entrance> {
    without_sockets_of("Corefile", text, options, runtime)
}

/// The same for the text of a file: what it imports is looked for beside it.
///
/// # Errors
/// What is wrong with the text, or cannot be had.
pub fn without_sockets_of(
    name: &str,
    text: &str,
    options: &Options,
    runtime: &tokio::runtime::Handle,
) -> anyhow::Result<Entrance> {
    let checked = plan::check(name, text, &Disk, options.dns_port);
    let plan = checked.plan.ok_or_else(|| anyhow::anyhow!("{}", checked.report))?;
    let shared = Arc::new(shared(options, runtime));
    let assembly = assemble(&plan, options.dns_port, &shared, &Register::default())?;
    assembly.entrances().next().context("the text has no server block")
}

/// Counts of reloads: those that were taken, and those that failed.
fn reloads(metrics: &Metrics) -> (Arc<Counter>, Arc<Counter>) {
    let failed = metrics.counter("coredns_reload_failed_total", "Reloads of the Corefile that failed.", &[]);
    (metrics.counter("nearpath_reload_total", "Reloads of the Corefile that were taken over.", &[]), failed)
}

/// Tells which text is served.
fn tell_version(metrics: &Metrics, checked: &Checked) {
    let labels = vec![("hash", "sha512"), ("value", checked.version.as_str())];
    metrics.info("coredns_reload_version_info", "Always 1; the labels tell which Corefile is served.", &[labels]);
}

/// What all listeners share: for tests that make their blocks by hand.
#[cfg(test)]
pub(crate) fn shared_for_tests(options: &Options, runtime: &tokio::runtime::Handle) -> Arc<Shared> {
    Arc::new(shared(options, runtime))
}

impl Daemon {
    /// Serves the Corefile as it is now, if it is good. Nothing is lost: sockets whose address stays are kept, and so are
    /// answers of blocks that stay. Unless it was `asked` for, a text that is served or was refused already is passed over.
    pub fn reload(&mut self, asked: bool) {
        let read = files::read(&self.options.source, Flawed::Refuse, self.options.dns_port);
        // a broken file is told once, not at each look
        let digest = read.as_ref().map_or(0, |(_, checked)| checked.digest);
        if std::mem::replace(&mut self.digest, digest) == digest && !asked {
            return;
        }
        let (good, bad) = reloads(&self.shared.metrics);
        match read.and_then(|(text, checked)| self.take_over(&checked).map(|()| text)) {
            Ok(text) => {
                files::keep(&self.options.source, &text, &self.shared.metrics);
                good.increment();
                tracing::info!("reloaded {}", self.options.source.path().display());
            }
            Err(error) => {
                bad.increment();
                if error.is::<ConfigMapError>() {
                    SetupError::Configmap.counter(&self.shared.metrics).increment();
                }
                tracing::error!("the new Corefile is not taken, the old one goes on: {error:#}");
            }
        }
    }

    fn take_over(&mut self, checked: &Checked) -> anyhow::Result<()> {
        let Some(plan) = &checked.plan else { bail!("it has errors\n{}", checked.report) };
        warn(checked);
        let handle = self.runtime.handle().clone();
        let _inside = handle.enter();
        let mut assembly = assemble(plan, self.options.dns_port, &self.shared, &self.register)?;
        leave_out(&mut assembly, self.keeper.as_ref());
        self.listening.reconcile(&assembly)?;
        for error in self.admin.reconcile(&admin::pages(plan, self.options.metrics_address)) {
            tracing::error!("{error}");
        }
        self.settings = Settings::of(plan);
        self.adopt(assembly, plan);
        tell_version(&self.shared.metrics, checked);
        Ok(())
    }

    /// Starts the work of the plugins beside the queries, and ends that of those before.
    fn adopt(&mut self, assembly: Assembly, plan: &Plan) {
        self.point_kernel(plan);
        assembly.tell_enabled(&self.shared.metrics);
        self.work.drain(..).for_each(|work| work.abort());
        let spawn = |work| self.runtime.spawn(work).abort_handle();
        self.work = assembly.plugins.iter().map(|plugin| spawn(Arc::clone(plugin).run())).collect();
        let entrances: Vec<_> = assembly.entrances().collect();
        {
            let _inside = self.runtime.enter();
            self.doors.serve(entrances.clone(), self.options.state_dir.as_deref());
        }
        let guards = wiring::loop_guards(&assembly.plugins);
        self.work.extend(
            guards
                .into_iter()
                .map(|guard| spawn(Box::pin(loops::watch(guard, entrances.clone(), self.looped.clone())))),
        );
        self.work.push(spawn(Box::pin(sweep(Arc::clone(&self.shared), Arc::clone(&self.register)))));
        self.state.serving(assembly.plugins, self.settings.monitor == Monitor::Continuously);
        let at: Vec<String> = self.listening.endpoints().map(Endpoint::to_string).collect();
        tracing::info!("serving {}", at.join(" "));
    }

    /// Tells the kernel's failsafe whom this plan forwards questions for the cluster to.
    fn point_kernel(&self, plan: &Plan) {
        let Some(keeper) = &self.keeper else { return };
        let servers = central::servers_of(plan, &self.options.cluster_domain());
        let watched = |server: &Server| match server {
            Server::Service(port) => self.shared.cluster.endpoints(port).ok(), // `forward` has said why it cannot be watched
            Server::Address(_) => None,
        };
        let endpoints = servers.iter().filter_map(watched).collect();
        keeper.serving(self.listening.served(self.options.dns_port), servers, endpoints);
    }

    /// What can be seen of it.
    pub fn see(&self) -> &Arc<See> {
        self.doors.see()
    }

    /// How often the Corefile is looked at, if it is.
    pub fn reload_spec(&self) -> Option<&ReloadSpec> {
        self.settings.reload.as_ref()
    }

    /// Where futures of the daemon run.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Becomes true when a loop was found: then the daemon must not go on.
    pub fn looped(&self) -> watch::Receiver<bool> {
        self.looped.subscribe()
    }

    /// Not ready from now on; answers for as long as `lameduck` says, then what is under way, then leaves.
    pub fn stop(self) {
        self.state.leaving();
        self.warmth.leaving();
        std::thread::sleep(self.settings.lameduck);
        let ports: Vec<u16> = self.listening.endpoints().map(|at| at.address.port()).collect();
        let migration = self.options.node.as_ref().and_then(|_| Migration::begin(&ports));
        self.keeper.iter().for_each(Keeper::rest);
        self.doors.leave();
        let answered = self.runtime.block_on(self.listening.drain(DRAIN_WITHIN));
        drop(migration);
        self.work.iter().for_each(AbortHandle::abort);
        match answered {
            true => tracing::info!("drained"),
            false => tracing::warn!("left with questions unanswered after {} s", DRAIN_WITHIN.as_secs()),
        }
        self.warmth.keep();
        drop(self.watchdog); // until now: draining can hang too
        self.runtime.shutdown_timeout(Duration::from_millis(200));
        self.keeper.into_iter().for_each(Keeper::leave);
    }
}
