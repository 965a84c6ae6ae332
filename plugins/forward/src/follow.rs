//! Follows the endpoints of a Service: they are the upstreams; while there are none, the Service's own address is, and behind
//! it what else was written.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::metrics::{Gauge, Metrics};
use contract::{BuildError, Context, Endpoint, Endpoints, ServicePort, limits};
use tokio::sync::watch;
use upstream::{Change, Group, Protocol, Seat, Settings};

use crate::target::same_family;

/// How often is looked whether the endpoints that are known are there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is followed, and who is asked meanwhile.
#[derive(Debug)]
pub(crate) struct Follow {
    service: String,
    states: watch::Receiver<Arc<Endpoints>>,
    fallbacks: Vec<Seat>,
    protocol: Protocol,
    settings: Settings,
    metrics: Arc<Metrics>,
    /// Chooses among too many endpoints, on each node others.
    choice: RandomState,
    endpoints: Arc<Gauge>,
    fallback: Arc<Gauge>,
    left_out: Arc<Gauge>,
    said: Mutex<Said>,
}

/// What the log was told.
#[derive(Debug, Default)]
struct Said {
    /// `None`: nothing yet.
    by_endpoints: Option<bool>,
    stranded: bool,
    left_out: bool,
}

impl Follow {
    /// Begins to follow. `protocol`: how endpoints and the Service's own address are asked.
    pub(crate) fn new(
        service: &ServicePort,
        fallbacks: Vec<Seat>,
        protocol: Protocol,
        settings: Settings,
        context: &Context,
    ) -> Result<Self, BuildError> {
        let (states, metrics) = (context.cluster.endpoints(service)?, &context.metrics);
        let service = service.to_string();
        let labels = [("service", service.as_str())];
        Ok(Self {
            states,
            endpoints: metrics.gauge(
                "nearpath_forward_endpoints",
                "Ready endpoints of a Service that questions go to.",
                &labels,
            ),
            fallback: metrics.gauge(
                "nearpath_forward_fallback",
                "1 while questions go to the Service's own address or the addresses written beside it.",
                &labels,
            ),
            left_out: metrics.gauge(
                "nearpath_forward_endpoints_left_out",
                "Ready endpoints that are not asked: there are too many, or source_address does not reach them.",
                &labels,
            ),
            fallbacks,
            protocol,
            settings,
            metrics: Arc::clone(metrics),
            choice: RandomState::new(),
            said: Mutex::default(),
            service,
        })
    }

    /// Seats whom to ask now.
    pub(crate) fn begin(&self, group: &Group) {
        let state = Arc::clone(&self.states.borrow());
        self.apply(&state, group);
    }

    /// Follows for as long as somebody tells of the endpoints; then the last ones stay.
    pub(crate) async fn run(&self, group: &Group) {
        let mut states = self.states.clone();
        loop {
            let state = Arc::clone(&states.borrow_and_update());
            self.apply(&state, group);
            tokio::select! {
                changed = states.changed() => {
                    if changed.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Whether all endpoints that are asked are down: they may be gone, and nobody said so.
    fn is_stranded(&self, ready: &[Seat], group: &Group) -> bool {
        let asked = group.upstreams();
        let are_asked = ready.iter().all(|seat| asked.iter().any(|upstream| upstream.address() == seat.address));
        are_asked && !group.is_up(|address| ready.iter().any(|seat| seat.address == address))
    }

    fn apply(&self, state: &Endpoints, group: &Group) {
        let (mut ready, left_out) = self.taken(&state.ready);
        let by_endpoints = !ready.is_empty();
        let stranded = by_endpoints && self.is_stranded(&ready, group);
        self.say_stranded(stranded);
        if stranded {
            ready.extend(self.stand_ins(state.service).into_iter().map(|seat| Seat { near: false, ..seat }));
        }
        let seats = if by_endpoints { ready } else { self.stand_ins(state.service) };
        let change = group.set(&seats, &self.settings, &self.metrics);
        self.endpoints.set(if by_endpoints { i64::try_from(seats.len()).unwrap_or(i64::MAX) } else { 0 });
        self.fallback.set(i64::from(!by_endpoints || stranded));
        self.left_out.set(i64::try_from(left_out).unwrap_or(i64::MAX));
        self.say(by_endpoints, &seats, &change, state, left_out);
    }

    /// The endpoints that are asked, and how many are not. Near ones go before others, and those once chosen stay chosen.
    fn taken(&self, ready: &[Endpoint]) -> (Vec<Seat>, usize) {
        let reachable = |endpoint: &&Endpoint| self.reaches(endpoint.address.ip());
        let mut taken: Vec<Endpoint> = ready.iter().filter(reachable).copied().collect();
        if taken.len() > limits::UPSTREAM_ENDPOINTS_MAX {
            taken.sort_by_cached_key(|endpoint| (!endpoint.near, self.choice.hash_one(endpoint.address)));
            taken.truncate(limits::UPSTREAM_ENDPOINTS_MAX);
        }
        let left_out = ready.len() - taken.len();
        (taken.iter().map(|endpoint| self.seat(endpoint.address, endpoint.near)).collect(), left_out)
    }

    /// The Service's own address first, then what was written.
    fn stand_ins(&self, service: Option<SocketAddr>) -> Vec<Seat> {
        let service = service.filter(|address| self.reaches(address.ip()));
        let mut seats: Vec<Seat> = service.iter().map(|address| self.seat(*address, true)).collect();
        let near = seats.is_empty();
        seats.extend(self.fallbacks.iter().map(|seat| Seat { near, ..seat.clone() }));
        seats
    }

    fn reaches(&self, address: IpAddr) -> bool {
        self.settings.source.is_none_or(|source| same_family(source, address))
    }

    /// Pods' addresses change without end, so metrics name the Service instead.
    fn seat(&self, address: SocketAddr, near: bool) -> Seat {
        Seat { address, protocol: self.protocol.clone(), near, to: self.service.clone() }
    }

    fn say_stranded(&self, stranded: bool) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let service = &self.service;
        if std::mem::replace(&mut said.stranded, stranded) != stranded {
            match stranded {
                true => tracing::warn!("forward: no endpoint of {service} answers; its own address is asked as well"),
                false => tracing::info!("forward: endpoints of {service} answer again"),
            }
        }
    }

    /// A line for a change, and none without.
    fn say(&self, by_endpoints: bool, seats: &[Seat], change: &Change, state: &Endpoints, left_out: usize) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let service = &self.service;
        if by_endpoints && (said.by_endpoints != Some(true) || !change.is_empty()) {
            let far = seats.iter().filter(|seat| !seat.near).count();
            let (count, came, went) = (seats.len(), list(&change.came), list(&change.went));
            tracing::info!(
                "forward: ready endpoints of {service}: {count}, for other zones {far}; came {came}; went {went}"
            );
        } else if !by_endpoints && (said.by_endpoints != Some(false) || !change.is_empty()) {
            let why = if state.synced { "has no ready endpoint" } else { "is not known yet" };
            match seats {
                [] if said.by_endpoints.is_none() && !state.synced => {
                    tracing::info!("forward: {service} {why}; questions wait for it a little");
                }
                [] => tracing::warn!("forward: {service} {why}, and nobody else can be asked"),
                seats => {
                    let addresses: Vec<_> = seats.iter().map(|seat| seat.address).collect();
                    tracing::warn!("forward: {service} {why}; asking {} meanwhile", list(&addresses));
                }
            }
        }
        said.by_endpoints = Some(by_endpoints);
        if left_out > 0 && !said.left_out {
            said.left_out = true;
            tracing::warn!(
                "forward: {left_out} endpoints of {service} are left out: at most {} are asked, and only those that \
                 source_address reaches",
                limits::UPSTREAM_ENDPOINTS_MAX
            );
        }
    }
}

fn list(addresses: &[SocketAddr]) -> String {
    match addresses {
        [] => "nobody".to_owned(),
        addresses => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
