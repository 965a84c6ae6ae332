//! What the node's side counts: node-cache's errors under their names, repairs, and whom the failsafe sends to.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use contract::metrics::{Counter, Gauge, Metrics};

use super::SetupError;
use super::rules::{Means, RulesError};

/// The kernel's failsafe as it was last set up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Armed {
    /// True if questions go to central servers once no daemon is there.
    pub(crate) is_armed: bool,
    /// By what the rules are made; `None`: there are none.
    pub(crate) means: Option<Means>,
    /// The addresses that have them.
    pub(crate) addresses: Vec<IpAddr>,
    /// When it was last renewed.
    pub(crate) renewed: Option<Instant>,
}

/// Counters of the node's side.
pub(super) struct Meters {
    errors: [Arc<Counter>; SetupError::ALL.len()],
    repairs: Vec<(&'static str, Arc<Counter>)>,
    servers: [Arc<Gauge>; 2],
    stands_in: Arc<Gauge>,
    armed: Arc<Mutex<Armed>>,
    /// What was said last of each trouble: the same is said once.
    said: Mutex<[Option<String>; SetupError::ALL.len()]>,
}

impl Meters {
    /// All at zero.
    pub(super) fn new(metrics: &Metrics) -> Self {
        let error = |trouble: SetupError| trouble.counter(metrics);
        let repair = |what| {
            let counter = metrics.counter(
                "nearpath_node_repairs_total",
                "What had gone from the node and was put back.",
                &[("what", what)],
            );
            (what, counter)
        };
        let servers = |family| {
            metrics.gauge(
                "nearpath_failsafe_servers",
                "Servers that the kernel sends to without a daemon.",
                &[("family", family)],
            )
        };
        Self {
            errors: SetupError::ALL.map(error),
            repairs: ["link", "detour", "rules"].map(repair).into(),
            servers: [servers("ipv4"), servers("ipv6")],
            stands_in: metrics.gauge(
                "nearpath_failsafe_possible",
                "1 if this node's rules can send questions on without a daemon.",
                &[],
            ),
            armed: Arc::default(),
            said: Mutex::default(),
        }
    }

    /// Counts something that does not work, and says it unless it was said already.
    pub(super) fn trouble(&self, trouble: SetupError, what: &str) {
        let index = place(trouble);
        self.errors[index].increment();
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if said[index].as_deref() != Some(what) {
            tracing::error!("{what}");
            said[index] = Some(what.to_owned());
        }
    }

    /// It works, or works again.
    pub(super) fn works(&self, trouble: SetupError) {
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(what) = said[place(trouble)].take() {
            tracing::info!("mended: {what}");
        }
    }

    /// How the failsafe is, for whoever wants to know it later.
    pub(super) fn failsafe(&self) -> Arc<Mutex<Armed>> {
        Arc::clone(&self.armed)
    }

    /// These addresses have rules.
    pub(super) fn ruled(&self, means: Means, addresses: &[IpAddr]) {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.means = Some(means).filter(|means| *means != Means::Nothing && !addresses.is_empty());
        armed.addresses = addresses.to_vec();
    }

    /// The dead man's switch was set again.
    pub(super) fn renewed(&self) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).renewed = Some(Instant::now());
    }

    /// Counts a repair.
    pub(super) fn repaired(&self, what: &str) {
        self.repairs.iter().filter(|(name, _)| *name == what).for_each(|(_, counter)| counter.increment());
    }

    /// Whom the kernel sends to, if it can.
    pub(super) fn armed(&self, servers: &[SocketAddr], possible: bool) {
        let of = |v4: bool| servers.iter().filter(|at| at.is_ipv4() == v4 && possible).count() as i64;
        self.servers[0].set(of(true));
        self.servers[1].set(of(false));
        self.stands_in.set(i64::from(possible));
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.is_armed = possible && !servers.is_empty();
    }
}

/// What an error of the rules counts as.
pub(super) fn of_rules(error: &RulesError) -> SetupError {
    match error {
        RulesError::Late { program } if !program.contains("nft") => SetupError::IptablesLock,
        RulesError::Refused { complaint, .. } if complaint.contains("xtables lock") => SetupError::IptablesLock,
        _ => SetupError::Iptables,
    }
}

fn place(trouble: SetupError) -> usize {
    SetupError::ALL.iter().position(|one| *one == trouble).expect("ALL has every trouble")
}
