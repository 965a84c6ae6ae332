//! What the rules are to do, in terms of DNS: addresses, servers, and for how long.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use contract::limits::RULES_CENTRAL_MAX;

/// What the rules are to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The addresses that pods ask, IPv4 and IPv6.
    pub own: Vec<IpAddr>,
    /// Those of `own` that are the address of a Service too: without a socket its proxy takes what is sent there.
    pub of_services: Vec<IpAddr>,
    /// The port that pods ask.
    pub port: u16,
    /// The port of `health`; its probes are not tracked.
    pub health_port: u16,
    /// What is done without a socket; `None`: nothing, and the rules are node-cache's, which do not expire.
    pub failsafe: Option<Failsafe>,
    /// The way of questions from the host's own processes without a socket; `None`: they get no answer then.
    pub host: Option<Detour>,
}

/// What the kernel does with questions that no socket takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failsafe {
    /// How long it does so after it was renewed last; whole seconds, at least one.
    pub lasts: Duration,
    /// The central servers, of which it chooses one by chance: never the address of a Service, since what is translated
    /// once is not translated again. Those beyond [`RULES_CENTRAL_MAX`] are not used. May be empty: then nobody answers, but for
    /// [`Wanted::of_services`].
    pub central: Vec<SocketAddr>,
}

/// A pair of links that leads out of the host's stack and in again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detour {
    /// The end that leads out.
    pub device: String,
    /// The end by which it comes in again.
    pub back: String,
    /// The next hop of what leaves by `device`.
    pub address: Ipv4Addr,
    /// The same for IPv6; `None`: there is none for it.
    pub address6: Option<Ipv6Addr>,
}

/// Which kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Wanted {
    /// The addresses for which nobody stands in: without a central server of their family, and of no Service.
    pub fn bare(&self) -> Vec<IpAddr> {
        let stands_in = |ip: &IpAddr| self.central().any(|server| server.is_ipv4() == ip.is_ipv4());
        let is_safe = |ip: &IpAddr| self.failsafe.is_some() && (self.of_services.contains(ip) || stands_in(ip));
        self.own.iter().copied().filter(|ip| !is_safe(ip)).collect()
    }

    /// The central servers that are used. Ours are none of them: a question would come round.
    pub(super) fn central(&self) -> impl Iterator<Item = SocketAddr> {
        let all = self.failsafe.iter().flat_map(|failsafe| &failsafe.central).copied();
        all.filter(|server| !self.own.contains(&server.ip())).take(RULES_CENTRAL_MAX)
    }

    /// The same, for the addresses of one family.
    pub(super) fn of(&self, family: Family) -> Self {
        let mut part = self.clone();
        part.own.retain(|ip| family.has(ip));
        if family == Family::V6 && part.host.as_ref().is_some_and(|host| host.address6.is_none()) {
            part.host = None;
        }
        part
    }

    /// Something of everything, to be tried in the kernel; addresses are those of documentation.
    pub(super) fn sample() -> Self {
        let central = ["192.0.2.3:53", "192.0.2.4:53"].map(|text| text.parse().expect("they are addresses"));
        Self {
            own: vec![Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::new(192, 0, 2, 2).into()],
            of_services: vec![Ipv4Addr::new(192, 0, 2, 2).into()],
            port: 53,
            health_port: 8080,
            failsafe: Some(Failsafe { lasts: Duration::from_secs(60), central: central.into() }),
            host: None,
        }
    }
}

impl Family {
    /// Both, in the order in which they are written.
    pub(super) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// True if the address is of this family.
    pub(super) fn has(self, ip: &IpAddr) -> bool {
        ip.is_ipv4() == (self == Self::V4)
    }
}
