//! What an upstream and a group tell of themselves: their standing for people, and the steps of a question's story.

use std::net::SocketAddr;

use contract::{Answer, Down, Failure, Query, Standing, Transport, What};
use tokio::time::Instant;

use crate::attempt::Attempt;
use crate::group::Group;
use crate::members::Lineup;
use crate::settings::Protocol;
use crate::upstream::Upstream;

impl Protocol {
    /// As it is written for people.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::AsAsked => "udp, tcp",
            Self::Tls { .. } => "tls",
        }
    }

    /// Over what a question is asked.
    fn label_for(&self, query: &Query) -> &'static str {
        match self {
            Self::AsAsked if query.client.transport == Transport::Udp => "udp",
            Self::AsAsked => "tcp",
            Self::Udp | Self::Tcp | Self::Tls { .. } => self.label(),
        }
    }
}

impl Upstream {
    /// The step that an attempt was: somebody was asked, or was not as a bound is reached.
    pub(crate) fn step(&self, query: &Query, is_hedge: bool, outcome: &Result<Answer, Failure>) -> What {
        match outcome {
            Err(failure @ Failure::Bound { .. }) => What::Plugin {
                name: self.directive,
                text: format!("{} is not asked: {failure}", self.address()).into(),
            },
            outcome => What::Asked {
                upstream: self.address(),
                protocol: self.protocol.label_for(query),
                hedge: is_hedge,
                outcome: outcome.as_ref().map(Answer::rcode).map_err(ToString::to_string),
            },
        }
    }

    fn standing(&self, plugin: &'static str, zones: &str, max_fails: u32, now: Instant) -> Standing {
        Standing {
            address: self.address(),
            protocol: self.protocol.label(),
            plugin,
            zones: zones.to_owned(),
            is_up: !self.health.is_down(max_fails),
            since: self.health.since(now),
            round_trip: self.round_trip(),
            outstanding: self.outstanding(),
            last_failure: self.health.last_failure(),
        }
    }
}

impl Attempt<'_> {
    /// Tells how it ended.
    pub(crate) fn tell(&self, query: &Query, outcome: &Result<Answer, Failure>) {
        query.tell_since(Some(self.begun), || self.upstream.step(query, self.is_hedge, outcome));
    }
}

impl Group {
    /// How each of its upstreams is doing, for whichever directive asks them, and for these zones.
    pub fn standings(&self, plugin: &'static str, zones: &str) -> Vec<Standing> {
        let (lineup, now) = (self.members.now(), Instant::now());
        let max_fails = self.settings.max_fails;
        lineup.upstreams.iter().map(|upstream| upstream.standing(plugin, zones, max_fails, now)).collect()
    }

    /// Who of its upstreams has been down longest.
    pub fn longest_down(&self) -> Option<Down> {
        self.longest_of(&self.members.now())
    }

    pub(crate) fn longest_of(&self, lineup: &Lineup) -> Option<Down> {
        let now = Instant::now();
        let down = lineup.upstreams.iter().filter(|upstream| upstream.health.is_down(self.settings.max_fails));
        let since = |upstream: &Upstream| Some((upstream.address(), upstream.health.since(now)?));
        let all = down.filter_map(|upstream| since(upstream));
        all.max_by_key(|(_, since)| *since).map(|(upstream, since): (SocketAddr, _)| Down { upstream, since })
    }
}
