//! Keeps interface, addresses, rules and failsafe as they are to be, in a thread of its own: what it does may wait for the
//! kernel and for other programs, and questions do not wait for it.
//!
//! ```text
//!   start: lease, interface --> the daemon binds --> bound: rules --> keep: netlink's word, the clock, new central servers
//!     '---- it cannot: undo <-------'                                         '--leave--> all stays | is torn down
//! ```

use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc as handover;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use contract::metrics::Metrics;
use contract::{Endpoints, Server};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::central::Known;
use super::conntrack;
use super::detour::Detour;
use super::lease::{self, Lease};
use super::link::{self, Changes, Handle, Link, LinkError, Made, Unwanted};
use super::meters::{self, Meters};
use super::rules::{self, Failsafe, Means, Rules, Wanted};
use super::{Leaving, NodePlan, SetupError};

/// How often the set with the dead man's switch is renewed, unless it lives for a shorter time.
const RENEW_EVERY: Duration = Duration::from_secs(60);
/// How often the kernel is asked who is behind the addresses that are forwarded to.
const TRACE_EVERY: Duration = Duration::from_secs(10);
/// The first of these questions, when the first connections are open.
const TRACE_FIRST: Duration = Duration::from_secs(1);

/// How often it is seen whether others serve the node too.
const COMPANY_EVERY: Duration = Duration::from_secs(1);
/// How long readiness waits for the rules.
const RULES_WITHIN: Duration = Duration::from_secs(10);
/// How long a leaving daemon waits for what the keeper has under way.
const REST_WITHIN: Duration = Duration::from_secs(1);

/// The thread that keeps the node.
///
/// Dropped before it has left, it takes back what was made for it: the start has failed.
pub struct Keeper {
    commands: mpsc::UnboundedSender<Command>,
    thread: Option<JoinHandle<()>>,
    without: Vec<IpAddr>,
}

enum Command {
    /// These of our addresses have sockets of their own; questions for the cluster go to these servers; Services among them are
    /// watched by these receivers.
    Serving(Vec<IpAddr>, Vec<Server>, Vec<watch::Receiver<Arc<Endpoints>>>),
    /// What a watch says.
    Endpoints(Vec<SocketAddr>),
    /// Sockets are open: rules come in place. What is handed over is dropped when they are.
    Bound(Box<dyn Any + Send>),
    /// Nothing is to be begun any more; the sender is dropped when nothing is under way.
    Rest(handover::Sender<()>),
    /// The end; the sender is dropped when it is done.
    End(End, handover::Sender<()>),
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The start failed: what was made for it is taken back.
    Undo,
    /// As the plan says.
    Leave,
}

impl Keeper {
    /// Takes part in serving the node. When this returns, its addresses can be bound; rules of an earlier instance are as they
    /// were.
    ///
    /// # Errors
    /// The interface or its addresses cannot be had. Then nothing is left of the attempt.
    pub fn start(plan: &NodePlan, metrics: &Metrics) -> anyhow::Result<Self> {
        let (commands, queue) = mpsc::unbounded_channel();
        let (ready, made) = handover::channel();
        let (plan, meters, sender) = (plan.clone(), Meters::new(metrics), commands.clone());
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime.context("cannot start the node's thread") {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            runtime.block_on(async {
                match Node::make(plan, meters, sender).await {
                    Ok(node) => {
                        let _ = ready.send(Ok(node.without())); // whoever waits for it is there
                        drop(ready);
                        node.keep(queue).await;
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            });
        };
        let thread = std::thread::Builder::new().name("nearpath-node".to_owned()).spawn(work)?;
        let without = made.recv().context("the node's thread has ended")??;
        Ok(Self { commands, thread: Some(thread), without })
    }

    /// Says which addresses have sockets of their own, whom questions for the cluster are forwarded to, and how their
    /// Services are watched. Rules are for addresses with sockets alone: questions for the others would all go to the centre.
    pub fn serving(&self, served: Vec<IpAddr>, servers: Vec<Server>, endpoints: Vec<watch::Receiver<Arc<Endpoints>>>) {
        self.tell(Command::Serving(served, servers, endpoints));
    }

    /// Addresses that cannot be had, because IPv6 is missing here.
    pub fn without(&self) -> &[IpAddr] {
        &self.without
    }

    /// Says that the sockets are open: the rules come in place, and then `pending` is dropped.
    pub fn bound(&self, pending: impl Any + Send) {
        self.tell(Command::Bound(Box::new(pending)));
    }

    /// Begins nothing any more. To be called before sockets close: a program that is being started holds copies of them for a
    /// moment, and the kernel would send questions there.
    pub fn rest(&self) {
        let (done, resting) = handover::channel();
        self.tell(Command::Rest(done));
        let _ = resting.recv_timeout(REST_WITHIN); // later is too late for whoever waits for the end
    }

    /// Leaves: interface, addresses and rules stay for the others, and if there are none, as the plan says. To be called
    /// when the sockets are closed.
    pub fn leave(mut self) {
        self.end(End::Leave);
    }

    fn end(&mut self, end: End) {
        let Some(thread) = self.thread.take() else { return };
        let (done, ended) = handover::channel();
        self.tell(Command::End(end, done));
        let _ = ended.recv(); // an error says that it is done
        let _ = thread.join(); // a panic in it was told
    }

    fn tell(&self, command: Command) {
        let _ = self.commands.send(command); // refused only if the thread has panicked
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end(End::Undo);
    }
}

/// The node as this instance has it.
struct Node {
    plan: NodePlan,
    lease: Lease,
    handle: Handle,
    link: Link,
    /// What was made of the interface, if it is ours to make.
    made: Option<Made>,
    detour: Option<Detour>,
    /// `None` before the sockets are open, and if the rules are somebody else's.
    rules: Option<Rules>,
    /// What waits for the rules.
    pending: Option<Box<dyn Any + Send>>,
    /// Those of our addresses that have sockets of their own.
    served: Vec<IpAddr>,
    /// True while the rules are another instance's, which came later.
    yielded: bool,
    others: usize,
    known: Known,
    /// Tasks that hear of endpoints.
    watches: Vec<AbortHandle>,
    sender: mpsc::UnboundedSender<Command>,
    meters: Meters,
    /// What was told of the failsafe last.
    told: String,
}

impl Node {
    async fn make(plan: NodePlan, meters: Meters, sender: mpsc::UnboundedSender<Command>) -> anyhow::Result<Self> {
        let lease = Lease::take(&plan.name).with_context(|| format!("cannot take part in serving {}", plan.name))?;
        let handle = link::connect().context("cannot speak to the kernel by netlink")?;
        let mut node = Self {
            link: Link::new(&plan.name, &plan.own),
            known: Known {
                told: plan.central.clone(),
                of_services: plan.services.clone(),
                own: plan.own.clone(),
                ..Known::default()
            },
            pending: None,
            served: Vec::new(),
            yielded: false,
            others: 0,
            plan,
            lease,
            handle,
            made: None,
            detour: None,
            rules: None,
            watches: Vec::new(),
            sender,
            meters,
            told: String::new(),
        };
        let refused: Vec<String> = node.known.refused().iter().map(ToString::to_string).collect();
        if !refused.is_empty() {
            tracing::warn!(
                "-failsafe-to {}: the kernel cannot send there; an address of a Service, of this host or of the daemon itself is \
                 none of a server",
                refused.join(",")
            );
        }
        if node.plan.interface {
            // what others may want stays at least until this start has succeeded
            let made = node.link.ensure(&node.handle, Unwanted::Leave).await?;
            tracing::info!("{made}");
            node.made = Some(made);
            let without = node.without();
            let own: Vec<IpAddr> = node.plan.own.iter().copied().filter(|ip| !without.contains(ip)).collect();
            node.link = Link::new(&node.plan.name, &own);
        }
        node.others = node.others();
        Ok(node)
    }

    /// The addresses that cannot be had.
    fn without(&self) -> Vec<IpAddr> {
        match self.made.as_ref().and_then(|made| made.without.as_ref()) {
            Some(LinkError::NoIpv6 { addresses, .. }) => addresses.clone(),
            _ => Vec::new(),
        }
    }

    /// How many other instances serve this node. What is not known is taken for somebody.
    fn others(&self) -> usize {
        self.lease.others().unwrap_or(1)
    }

    /// Addresses on our interface that this instance does not want go, unless another one may.
    fn unwanted(&self) -> Unwanted {
        if self.others() == 0 { Unwanted::Remove } else { Unwanted::Leave }
    }

    /// The sockets are open: puts the rules in place. Those of an earlier instance have been there until now, and what it knew of
    /// the central servers stands until more is known.
    async fn rule(&mut self) {
        if self.made.is_some() {
            self.settle_link().await;
        }
        if !self.plan.rules {
            self.pending = None;
            return;
        }
        self.find_rules().await;
        self.put_rules();
        // what was tracked before there were rules would go on hiding them
        match conntrack::forget(&self.plan.own, self.plan.port) {
            Ok(0) => {}
            Ok(count) => tracing::info!("{count} tracked flows of before are forgotten"),
            Err(error) => tracing::debug!(%error, "tracked flows of before are not forgotten"),
        }
    }

    /// Finds out by what rules can be made here.
    async fn find_rules(&mut self) {
        let rules = Rules::find(&self.plan.name);
        match rules.armed() {
            Ok(armed) if self.known.before.is_empty() => self.known.before = armed,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "it is not known what the rules of before were"),
        }
        if self.rules.as_ref().is_none_or(|before| before.means() != rules.means()) {
            tell_means(&rules);
        }
        self.rules = Some(rules);
        self.make_detour().await;
    }

    /// The way for the host's own processes. Without it the failsafe holds for pods alone.
    async fn make_detour(&mut self) {
        let possible = self.rules.as_ref().is_some_and(|rules| rules.means() == Means::Nft);
        if !possible || self.plan.failsafe.is_none() || !self.plan.host_processes {
            return;
        }
        match Detour::ensure(&self.handle, &self.plan.name, &self.plan.own).await {
            Ok(detour) => {
                self.detour = Some(detour);
                self.meters.works(SetupError::InterfaceAdd);
            }
            Err(error) => {
                self.meters
                    .trouble(SetupError::InterfaceAdd, &format!("no failsafe for the host's own processes: {error}"));
            }
        }
    }

    fn wanted(&self) -> Wanted {
        let failsafe = |lasts| Failsafe { lasts, central: self.known.servers() };
        Wanted {
            own: self.served.clone(),
            of_services: self.plan.intercepted(),
            port: self.plan.port,
            health_port: self.plan.health_port,
            failsafe: self.plan.failsafe.map(failsafe),
            host: self.detour.as_ref().map(path),
        }
    }

    /// Puts the rules in place, whatever is there.
    fn put_rules(&mut self) {
        let wanted = self.wanted();
        let Some(rules) = &mut self.rules else { return };
        let applied = match wanted.own.is_empty() {
            true => rules.remove().map(|_| ()),
            false => rules.apply(&wanted),
        };
        let stands_in = matches!(rules.means(), Means::Nft | Means::Iptables { .. }) && wanted.failsafe.is_some();
        if let Err(error) = applied {
            self.meters.armed(&[], false);
            return self.meters.trouble(meters::of_rules(&error), &format!("rules are not in place: {error}"));
        }
        match rules.without() {
            Some(without) => self.meters.trouble(SetupError::Iptables, &without.to_string()),
            None => self.meters.works(SetupError::Iptables),
        }
        self.meters.works(SetupError::IptablesLock);
        self.yielded = false;
        self.pending = None;
        self.meters.armed(&self.known.servers(), stands_in && !wanted.own.is_empty());
        if stands_in && let Some(failsafe) = &wanted.failsafe {
            self.tell_armed(&wanted, failsafe);
        }
    }

    /// Says whom the kernel sends to, and for which addresses it does not, if that has changed.
    fn tell_armed(&mut self, wanted: &Wanted, failsafe: &Failsafe) {
        let list = |items: Vec<String>| items.join(" ");
        let servers = list(failsafe.central.iter().map(ToString::to_string).collect());
        let bare = list(wanted.bare().iter().map(ToString::to_string).collect());
        let told = format!("{servers}; {bare}");
        if std::mem::replace(&mut self.told, told.clone()) == told {
            return;
        }
        if !servers.is_empty() {
            tracing::info!(
                "failsafe: without a daemon the kernel sends questions to {servers} for {} s",
                failsafe.lasts.as_secs()
            );
        }
        if !bare.is_empty() {
            tracing::warn!("no failsafe for {bare} yet: no central server of the family is known (see -failsafe-to)");
        }
    }

    /// Keeps all until the end.
    async fn keep(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut changes = self.changes();
        let mut sync = every(self.plan.sync_every);
        let mut renew = every(self.plan.failsafe.map_or(RENEW_EVERY, |lasts| RENEW_EVERY.min(lasts / 3)));
        let mut trace = every(TRACE_EVERY);
        trace.reset_after(TRACE_FIRST);
        let mut company = every(COMPANY_EVERY);
        let patience = tokio::time::sleep(RULES_WITHIN);
        tokio::pin!(patience);
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Serving(served, servers, endpoints)) => self.follow(served, servers, endpoints),
                    Some(Command::Endpoints(endpoints)) => self.learn(|known| known.endpoints = endpoints),
                    Some(Command::Bound(pending)) => {
                        self.pending = Some(pending);
                        self.rule().await;
                    }
                    Some(Command::Rest(done)) => {
                        drop(done);
                        return self.rest(commands).await;
                    }
                    Some(Command::End(end, done)) => {
                        self.end(end).await;
                        return drop(done);
                    }
                    None => return,
                },
                () = next(&mut changes) => self.look().await,
                _ = sync.tick() => self.look().await,
                _ = renew.tick() => self.renew(),
                _ = trace.tick() => self.trace(),
                _ = company.tick() => self.look_around().await,
                () = &mut patience, if self.pending.is_some() => self.pending = None,
            }
        }
    }

    /// Waits for the end and does nothing else.
    async fn rest(self, mut commands: mpsc::UnboundedReceiver<Command>) {
        while let Some(command) = commands.recv().await {
            if let Command::End(end, done) = command {
                self.end(end).await;
                return drop(done);
            }
        }
    }

    /// The kernel's word on what is ours. Without it everything is looked at once in a while.
    fn changes(&self) -> Option<Changes> {
        let [out, back] = Detour::names(&self.plan.name);
        let watched = Changes::watch(&[&self.plan.name, &out, &back], &self.plan.own);
        watched.inspect_err(|error| tracing::warn!("a deleted interface is not noticed at once: {error}")).ok()
    }

    /// Looks whether everything is as it is to be, and makes it so.
    async fn look(&mut self) {
        if self.made.is_some() {
            self.look_at_link().await;
        }
        let v6 = self.plan.own.iter().any(IpAddr::is_ipv6);
        if let Some(detour) = &self.detour
            && detour.address6.is_none()
            && v6
        {
            // the host may have begun to forward IPv6 since
            self.make_detour().await;
            if self.detour.as_ref().is_some_and(|detour| detour.address6.is_some()) {
                self.put_rules();
            }
        }
        if let Some(detour) = &self.detour
            && !detour.holds(&self.handle).await.unwrap_or(true)
        // what is not told is not mended
        {
            self.meters.repaired("detour");
            self.make_detour().await;
        }
        if self.rules.as_ref().is_some_and(|rules| !rules.settled()) {
            self.find_rules().await;
            return self.put_rules();
        }
        self.look_at_rules();
    }

    fn look_at_rules(&mut self) {
        let wanted = self.wanted();
        let Some(rules) = self.rules.as_ref().filter(|_| !wanted.own.is_empty()) else { return };
        match rules.holds(&wanted) {
            Ok(true) if rules.without().is_none() => {
                self.meters.works(SetupError::Iptables);
                self.meters.works(SetupError::IptablesLock);
            }
            Ok(true) => {}
            Ok(false) if self.others > 0 && rules.armed().is_ok_and(|armed| !armed.is_empty()) => {
                if !std::mem::replace(&mut self.yielded, true) {
                    tracing::info!("the rules are those of another instance, and stay so until it leaves");
                }
            }
            Ok(false) => {
                if !self.yielded {
                    self.meters.repaired("rules");
                    tracing::warn!("the rules were not as they are to be, and are put in place again");
                }
                self.put_rules();
            }
            Err(error) => self.meters.trouble(meters::of_rules(&error), &format!("cannot see the rules: {error}")),
        }
    }

    /// Sees whether another instance has come or left: what that one had made its own is to be ours.
    async fn look_around(&mut self) {
        let others = self.others();
        let before = std::mem::replace(&mut self.others, others);
        if others < before {
            self.look().await;
        } else if others > before {
            self.yielded = true; // who comes later knows better, and makes the rules its own
        }
    }

    async fn look_at_link(&mut self) {
        match self.link.holds(&self.handle).await {
            Ok(true) => self.meters.works(SetupError::InterfaceCheck),
            Ok(false) => self.settle_link().await,
            Err(error) => self.meters.trouble(SetupError::InterfaceCheck, &error.to_string()),
        }
    }

    /// Makes the interface as it is to be; what this start has made of it is remembered as it was.
    async fn settle_link(&mut self) {
        match self.link.ensure(&self.handle, self.unwanted()).await {
            Ok(made) if made.nothing() => self.meters.works(SetupError::InterfaceCheck),
            Ok(made) => {
                self.meters.repaired("link");
                self.meters.works(SetupError::InterfaceCheck);
                tracing::warn!("the interface was not as it is to be: {made}");
            }
            Err(error) => self.meters.trouble(SetupError::InterfaceCheck, &error.to_string()),
        }
    }

    /// Keeps the dead man's switch from going off.
    fn renew(&mut self) {
        let wanted = self.wanted();
        let Some(rules) = self.rules.as_mut().filter(|_| !self.yielded) else { return };
        if let Err(error) = rules.renew(&wanted) {
            tracing::debug!(%error, "the set of the failsafe is not renewed");
            self.put_rules();
        }
    }

    /// Asks the kernel who is behind the addresses that are forwarded to, while nobody else says it.
    fn trace(&mut self) {
        let addresses = self.known.addresses();
        let told = !self.known.told.is_empty() || !self.known.endpoints.is_empty();
        if told || addresses.is_empty() || self.plan.failsafe.is_none() || self.rules.is_none() {
            return;
        }
        match conntrack::behind(&addresses) {
            Ok(behind) if behind.translated.is_empty() && behind.plain.is_empty() => {} // what was known stands
            Ok(behind) => self.learn(|known| known.behind = behind),
            Err(error) => tracing::debug!(%error, "the kernel does not say who is behind a Service"),
        }
    }

    /// Takes over what is newly known, and arms the failsafe with it if it makes a difference.
    fn learn(&mut self, change: impl FnOnce(&mut Known)) {
        let before = self.known.servers();
        change(&mut self.known);
        let now = self.known.servers();
        if !now.is_empty() {
            self.known.before.clone_from(&now);
        }
        if now != before && !self.yielded {
            self.put_rules();
        }
    }

    fn follow(&mut self, served: Vec<IpAddr>, servers: Vec<Server>, endpoints: Vec<watch::Receiver<Arc<Endpoints>>>) {
        let unserved = self.plan.own.iter().filter(|ip| !served.contains(ip) && !self.without().contains(ip));
        for ip in unserved {
            tracing::warn!(
                "no block listens on {ip} itself: the kernel could not tell its sockets from others, so it has no rules and no \
                 failsafe; write `bind {ip}`"
            );
        }
        let served: Vec<IpAddr> = self.plan.own.iter().copied().filter(|ip| served.contains(ip)).collect();
        let others_served = self.served != served;
        self.served = served;
        self.watches.drain(..).for_each(|task| task.abort());
        if !endpoints.is_empty() {
            let sender = self.sender.clone();
            self.watches.push(tokio::spawn(hear(endpoints, sender)).abort_handle());
        }
        self.learn(|known| {
            known.endpoints.clear();
            known.behind = conntrack::Behind::default();
            known.servers = servers;
        });
        if others_served {
            self.put_rules();
        }
    }

    async fn end(mut self, end: End) {
        self.watches.drain(..).for_each(|task| task.abort());
        match end {
            End::Undo => self.undo().await,
            End::Leave => self.leave().await,
        }
    }

    async fn leave(self) {
        let Self { plan, lease, handle, made, .. } = self;
        let last = lease.leave().unwrap_or_else(|error| {
            tracing::warn!("it is not known whether others serve {}: {error}", plan.name);
            false
        });
        match (last, plan.leaving) {
            (false, _) => tracing::info!("others serve {}; interface and rules are theirs now", plan.name),
            (true, Leaving::TearDown) => {
                let done = tear_down(&plan.name, &plan.own, &handle, plan.rules, made.is_some()).await;
                done.left.iter().for_each(|line| tracing::error!("{line}"));
                tracing::info!("removed: {}", done.removed.join(", "));
            }
            (true, Leaving::Stay) => tracing::info!(
                "interface and rules of {} stay, and the kernel stands in as far as the failsafe is armed (`nearpath cleanup` \
                 removes them)",
                plan.name
            ),
        }
    }

    /// Takes back what this start has made, unless others stand on it by now.
    async fn undo(self) {
        let Self { lease, handle, made, .. } = self;
        let alone = lease.leave().unwrap_or(false);
        if let Some(made) = made.filter(|_| alone)
            && let Err(error) = made.undo(&handle).await
        {
            tracing::error!("what was made of the interface is left: {error}");
        }
    }
}

/// The detour as the rules know it.
fn path(detour: &Detour) -> rules::Detour {
    let Detour { device, back, address, address6, .. } = detour;
    rules::Detour { device: device.clone(), back: back.clone(), address: *address, address6: *address6 }
}

/// What a tear-down came to.
#[derive(Default)]
struct TornDown {
    removed: Vec<String>,
    left: Vec<String>,
}

/// Removes rules and interface, as far as they are ours to remove.
async fn tear_down(name: &str, own: &[IpAddr], handle: &Handle, rules: bool, link: bool) -> TornDown {
    let mut done = TornDown::default();
    let mut note = |what: &str, tried: Result<bool, String>| match tried {
        Ok(true) => done.removed.push(format!("{what} of {name}")),
        Ok(false) => {}
        Err(error) => done.left.push(format!("the {what} of {name} is left: {error}")),
    };
    if rules {
        note("rules", Rules::remove_all(name).map_err(|error| error.to_string()));
        note("detour", Detour::remove(handle, name).await.map_err(|error| error.to_string()));
    }
    if link {
        note("interface", Link::new(name, own).remove(handle).await.map_err(|error| error.to_string()));
    }
    done
}

/// Removes everything of a name from this node; what there was.
///
/// # Errors
/// An instance serves it, unless that is to be passed over; or something is left.
pub fn clean_up(name: &str, force: bool) -> anyhow::Result<Vec<String>> {
    if !force && !lease::nobody(name)? {
        anyhow::bail!("an instance serves {name} on this node and would put it all back: stop it first, or say -force");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let handle = link::connect().context("cannot speak to the kernel by netlink")?;
        anyhow::Ok(tear_down(name, &[], &handle, true, true).await)
    })?;
    match done.left.is_empty() {
        true => Ok(done.removed),
        false => Err(anyhow::anyhow!("{}", done.left.join("\n"))),
    }
}

async fn next(changes: &mut Option<Changes>) {
    match changes {
        Some(changes) => changes.next().await,
        None => std::future::pending().await,
    }
}

/// Says by what the rules are made, and what they cannot do by that.
fn tell_means(rules: &Rules) {
    let refusals = || rules.refusals().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    match rules.means() {
        Means::Nft => tracing::info!("rules are made by nftables"),
        Means::Iptables { expires: true } => {
            tracing::info!("rules are made by iptables; no failsafe for the host's own processes ({})", refusals());
        }
        Means::Iptables { expires: false } => tracing::warn!(
            "rules are made by iptables; no failsafe for the host's own processes, and it does not end by itself after an \
             uninstall that forgets `nearpath cleanup` ({})",
            refusals()
        ),
        Means::IptablesPlain => {
            tracing::warn!("rules are made by iptables, and this node has no failsafe ({})", refusals())
        }
        Means::Nothing => tracing::error!("no rules and no failsafe on this node ({})", refusals()),
    }
}

/// Tells of the endpoints of some Services, all together, whenever they change. Before the first word of the API server
/// there is nothing to tell.
async fn hear(mut services: Vec<watch::Receiver<Arc<Endpoints>>>, sender: mpsc::UnboundedSender<Command>) {
    loop {
        let now: Vec<_> = services.iter_mut().map(|service| Arc::clone(&service.borrow_and_update())).collect();
        if now.iter().any(|endpoints| endpoints.synced && !endpoints.ready.is_empty()) {
            let ready = now.iter().flat_map(|endpoints| endpoints.ready.iter().map(|endpoint| endpoint.address));
            if sender.send(Command::Endpoints(ready.collect())).is_err() {
                return;
            }
        }
        let changed = services.iter_mut().map(|service| Box::pin(service.changed()));
        if futures_util::future::select_all(changed).await.0.is_err() {
            return;
        }
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = interval(period.max(Duration::from_millis(100)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.reset();
    interval
}
