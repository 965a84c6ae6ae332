//! The directive `loadbalance`: the addresses of a reply in another order each time, so that clients which take the first
//! one spread over them.
//!
//! ```text
//!   each reply, hits too --arrange--> first one by weight, or all shuffled --> preferred prefixes first    (where it lies)
//!   MX, ANY --> next --> composed anew: CNAME, all else, addresses and MX, each of these two shuffled
//! ```
//!
//! Addresses are moved where the reply lies. MX records have compressed names, to which others may point: replies with
//! them are composed anew.

mod arrange;
mod compose;
mod file;
mod policy;
mod random;
mod run;
mod spec;
#[cfg(test)]
mod tests;
mod weights;

use std::sync::Arc;

use contract::wire::{Class, Rcode, RecordType};
use contract::{Ahead, Arranger, Boxed, Client, Next, Plugin, Query, Served};

pub use policy::Subnet;
pub use spec::{LoadBalanceSpec, PolicySpec, WeightedSpec, check};

use policy::{Order, Policy};

/// The directive's name.
const NAME: &str = "loadbalance";

/// Puts records in order.
#[derive(Debug)]
pub(crate) struct LoadBalance {
    order: Order,
}

impl Plugin for LoadBalance {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        if !is_composed(query.rtype) || matches!(self.order.policy, Policy::Weighted(_)) {
            return next.serve(query);
        }
        Box::pin(async move {
            let reply = next.serve(query).await?;
            if reply.answer.rcode() != Rcode::NOERROR {
                return Ok(reply);
            }
            Ok(compose::shuffled(reply, &mut random::below))
        })
    }

    fn ahead(&self) -> Option<&dyn Ahead> {
        matches!(self.order.policy, Policy::RoundRobin).then_some(self)
    }

    fn arranger(&self) -> Option<&dyn Arranger> {
        Some(self)
    }

    fn run(self: Arc<Self>) -> Boxed<'static, ()> {
        match &self.order.policy {
            Policy::Weighted(file) => Box::pin(Arc::clone(file).watched()),
            Policy::RoundRobin => Box::pin(async {}),
        }
    }
}

impl Arranger for LoadBalance {
    fn arrange(&self, reply: &mut [u8]) {
        arrange::arrange(reply, &self.order, &mut random::below);
    }
}

impl Ahead for LoadBalance {
    fn always(&self, _client: &Client, rtype: RecordType) -> bool {
        is_composed(rtype)
    }

    /// Nothing beyond [`Ahead::always`]: what is memorised is the same for everybody.
    fn touches(&self, _name: &[u8], _rtype: RecordType, _class: Class) -> bool {
        false
    }
}

/// True for questions whose replies may hold MX records.
fn is_composed(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::MX | RecordType::ANY)
}
