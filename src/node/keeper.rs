//! Keeps interface, addresses, rules and failsafe as they are to be, in a thread of its own: what it does may wait for the
//! kernel and for other programs, and questions do not wait for it.
//!
//! ```text
//!   start: lease, interface --> the daemon binds --> bound: rules --> keep: netlink's word, the clock, new central servers
//!     '---- it cannot: undo <-------'                                         '--leave--> all stays | is torn down
//! ```

mod leave;
mod look;
mod rule;

use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc as handover;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use contract::metrics::Metrics;
use contract::{Endpoints, Server};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

pub use self::leave::clean_up;
use super::NodePlan;
use super::central::Known;
use super::conntrack;
use super::detour::Detour;
use super::lease::Lease;
use super::link::{self, Changes, Handle, Link, LinkError, Made, Unwanted};
use super::meters::{Armed, Meters};
use super::rules::{Means, Rules};
use crate::see::api::FailsafeState;

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
    armed: Arc<Mutex<Armed>>,
}

enum Command {
    /// These of our addresses have sockets of their own; questions for the cluster go to these servers; Services among them are
    /// watched by these receivers.
    Serving(Vec<IpAddr>, Vec<Server>, Vec<watch::Receiver<Arc<Endpoints>>>),
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
        let (plan, meters) = (plan.clone(), Meters::new(metrics));
        let armed = meters.failsafe();
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime.context("cannot start the node's thread") {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            runtime.block_on(async {
                match Node::make(plan, meters).await {
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
        Ok(Self { commands, thread: Some(thread), without, armed })
    }

    /// Says which addresses have sockets of their own, whom questions for the cluster are forwarded to, and how their
    /// Services are watched. Rules are for addresses with sockets alone: questions for the others would all go to the centre.
    pub fn serving(&self, served: Vec<IpAddr>, servers: Vec<Server>, endpoints: Vec<watch::Receiver<Arc<Endpoints>>>) {
        self.tell(Command::Serving(served, servers, endpoints));
    }

    /// How the kernel's failsafe is; to be asked whenever somebody wants to know.
    pub(crate) fn standing(&self) -> impl Fn() -> FailsafeState + Send + Sync + use<> {
        let armed = Arc::clone(&self.armed);
        move || {
            let armed = armed.lock().unwrap_or_else(PoisonError::into_inner).clone();
            FailsafeState {
                armed: armed.is_armed,
                rules: match armed.means {
                    Some(Means::Nft) => "nftables",
                    Some(Means::Iptables { .. } | Means::IptablesPlain) => "iptables",
                    Some(Means::Nothing) | None => "none",
                }
                .to_owned(),
                addresses: armed.addresses.iter().map(IpAddr::to_string).collect(),
                renewed_s: armed.renewed.map(|renewed| renewed.elapsed().as_secs_f64()),
            }
        }
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
    /// The endpoints of the Services that are watched; dropped, they are watched no longer.
    endpoints: Option<watch::Receiver<Vec<SocketAddr>>>,
    meters: Meters,
    /// What was told of the failsafe last.
    told: String,
}

impl Node {
    async fn make(plan: NodePlan, meters: Meters) -> anyhow::Result<Self> {
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
            endpoints: None,
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
                endpoints = heard(&mut self.endpoints) => self.learn(|known| known.endpoints = endpoints),
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
        let (sender, receiver) = watch::channel(Vec::new());
        self.endpoints = (!endpoints.is_empty()).then_some(receiver);
        tokio::spawn(hear(endpoints, sender));
        self.learn(|known| {
            known.endpoints.clear();
            known.behind = conntrack::Behind::default();
            known.servers = servers;
        });
        if others_served {
            self.put_rules();
        }
    }
}

async fn next(changes: &mut Option<Changes>) {
    match changes {
        Some(changes) => changes.next().await,
        None => std::future::pending().await,
    }
}

/// The endpoints, when they are others than before.
async fn heard(endpoints: &mut Option<watch::Receiver<Vec<SocketAddr>>>) -> Vec<SocketAddr> {
    if let Some(receiver) = endpoints
        && receiver.changed().await.is_ok()
    {
        return receiver.borrow_and_update().clone();
    }
    std::future::pending().await // nobody tells any more, or nobody ever did
}

/// Tells of the endpoints of some Services, all together, whenever they change, for as long as somebody listens. Before the
/// first word of the API server there is nothing to tell, and when none is ready those of before stand.
async fn hear(mut services: Vec<watch::Receiver<Arc<Endpoints>>>, to: watch::Sender<Vec<SocketAddr>>) {
    while !services.is_empty() {
        let now: Vec<_> = services.iter_mut().map(|service| Arc::clone(&service.borrow_and_update())).collect();
        let synced = now.iter().filter(|endpoints| endpoints.synced);
        let ready: Vec<SocketAddr> =
            synced.flat_map(|endpoints| endpoints.ready.iter().map(|endpoint| endpoint.address)).collect();
        if !ready.is_empty() {
            to.send_replace(ready);
        }
        let changed = services.iter_mut().map(|service| Box::pin(service.changed()));
        tokio::select! {
            (changed, ..) = futures_util::future::select_all(changed) => if changed.is_err() { return },
            () = to.closed() => return,
        }
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = interval(period.max(Duration::from_millis(100)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.reset();
    interval
}

#[cfg(test)]
mod tests {
    use contract::Endpoint;

    use super::*;

    fn state(synced: bool, addresses: &[&str]) -> Arc<Endpoints> {
        let ready = addresses.iter().map(|at| Endpoint { address: at.parse().unwrap(), near: true }).collect();
        Arc::new(Endpoints { ready, service: None, synced })
    }

    #[tokio::test]
    async fn ready_endpoints_are_heard_and_the_last_ones_stand_while_there_are_none() {
        let (service, watched) = watch::channel(state(false, &["192.0.2.9:53"]));
        let (to, receiver) = watch::channel(Vec::new());
        let hearing = tokio::spawn(hear(vec![watched], to));
        let mut endpoints = Some(receiver);
        service.send_replace(state(true, &["10.2.0.2:53", "10.2.0.3:53"]));
        let first: Vec<String> = heard(&mut endpoints).await.iter().map(ToString::to_string).collect();
        assert_eq!(first, ["10.2.0.2:53", "10.2.0.3:53"]);
        service.send_replace(state(true, &[]));
        tokio::task::yield_now().await;
        service.send_replace(state(true, &["10.2.0.4:53"]));
        let second = heard(&mut endpoints).await;
        assert_eq!(second, ["10.2.0.4:53".parse().unwrap()], "and not none in between");
        drop(endpoints);
        hearing.await.unwrap();
        assert_eq!(service.receiver_count(), 0, "whoever does not listen does not keep the watch going");
    }
}
