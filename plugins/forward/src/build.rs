//! From the specification to the plugin: reads files, looks up host names, opens nothing towards upstreams.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use contract::{BuildError, Context, Plugin, Server, Spec, limits};
use upstream::rustls::ClientConfig;
use upstream::rustls::pki_types::ServerName;
use upstream::{Group, GroupSettings, HealthSettings, Policy, Protocol, Seat, Settings, TlsFiles, Upstream};

use crate::follow::Follow;
use crate::plugin::Forward;
use crate::spec::{ForwardSpec, UPSTREAMS_MAX};
use crate::target::{Place, Target};
use crate::{hostname, resolv};

/// The shortest wait between two health checks: a check in a tight loop would be an attack.
const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(10);

impl Spec for ForwardSpec {
    fn name(&self) -> &'static str {
        "forward"
    }

    fn describe(&self) -> String {
        let others = |target: &&Target| target.service().is_none();
        let others: Vec<String> = self.targets.iter().filter(others).map(ToString::to_string).collect();
        let Some(service) = self.service() else {
            let over = match (self.force_tcp, self.prefer_udp) {
                _ if self.targets.iter().all(|target| target.tls.is_some()) => "",
                (true, _) => " over TCP",
                (false, true) => " over UDP first",
                (false, false) => " over UDP or TCP, as the client asked",
            };
            return format!("questions for {} go to {}{over}", self.from, others.join(", "));
        };
        let then = if others.is_empty() { String::new() } else { format!(", then to {}", others.join(", ")) };
        format!(
            "questions for {} go to the ready endpoints of {service}; while there are none, to that Service's own \
             address{then}",
            self.from
        )
    }

    fn servers(&self) -> Vec<Server> {
        let plain = self.targets.iter().filter(|target| target.tls.is_none());
        plain
            .filter_map(|target| match &target.place {
                Place::Address(address) => Some(Server::Address(*address)),
                Place::Service(port) => Some(Server::Service(port.clone())),
                Place::Host(..) | Place::File(_) => None,
            })
            .collect()
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let upstreams = self.upstreams()?;
        let settings = self.settings();
        if let Some(service) = self.service() {
            let seat = |(address, protocol)| Seat { address, protocol, near: true, to: address.to_string() };
            let fallbacks = upstreams.into_iter().map(seat).collect();
            let follow = Follow::new(service, fallbacks, self.service_protocol(), settings, context)?;
            let group = Group::following(self.group_settings(), context);
            follow.begin(&group);
            return Ok(Arc::new(Forward::new(self, group, Some(follow), context)));
        }
        let upstreams = upstreams
            .into_iter()
            .map(|(address, protocol)| Upstream::new(address, protocol, &settings, context))
            .collect();
        Ok(Arc::new(Forward::new(self, Group::new(upstreams, self.group_settings(), context), None, context)))
    }
}

impl ForwardSpec {
    /// The upstreams that are written, each once, and how each is asked; none but beside a Service.
    fn upstreams(&self) -> Result<Vec<(SocketAddr, Protocol)>, BuildError> {
        let over_tls = self.targets.iter().any(|target| target.tls.is_some());
        let config = match (&self.tls, over_tls) {
            (Some(files), _) => Some(files.load()?),
            (None, true) => Some(TlsFiles::default().load()?),
            (None, false) => None,
        };
        let mut upstreams: Vec<(SocketAddr, Protocol)> = Vec::new();
        for target in &self.targets {
            for address in self.addresses(target)? {
                if !upstreams.iter().any(|(known, _)| *known == address) {
                    upstreams.push((address, self.protocol(target, address.ip(), config.as_ref())));
                }
            }
        }
        let least = usize::from(self.service().is_none());
        if !(least..=UPSTREAMS_MAX).contains(&upstreams.len()) {
            return Err(BuildError::Unavailable {
                what: format!("forward {}", self.from),
                reason: format!(
                    "{} usable upstreams; from {least} to {UPSTREAMS_MAX} are possible: name their addresses",
                    upstreams.len()
                ),
            });
        }
        Ok(upstreams)
    }

    fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, BuildError> {
        match &target.place {
            Place::Address(address) => Ok(vec![*address]),
            Place::File(path) => resolv::nameservers(path),
            Place::Service(_) => Ok(Vec::new()), // they come and go
            Place::Host(name, port) => {
                let usable = |address: &IpAddr| {
                    self.source_address.is_none_or(|source| crate::target::same_family(source, *address))
                };
                let found = hostname::resolve(name, &self.resolver)?;
                Ok(found.into_iter().filter(usable).map(|address| SocketAddr::new(address, *port)).collect())
            }
        }
    }

    fn protocol(&self, target: &Target, address: IpAddr, config: Option<&Arc<ClientConfig>>) -> Protocol {
        if let (Some(tls), Some(config)) = (&target.tls, config) {
            let named = tls.server_name.clone().or_else(|| self.tls_servername.clone());
            // without a name the certificate must be for the address
            let server_name = named.unwrap_or_else(|| ServerName::IpAddress(address.into()));
            return Protocol::Tls { server_name, config: Arc::clone(config) };
        }
        match (self.force_tcp, self.prefer_udp) {
            (true, _) => Protocol::Tcp,
            (false, true) => Protocol::Udp,
            (false, false) => Protocol::AsAsked,
        }
    }

    /// Over TCP, so that no question needs an entry of the connection tracker, unless UDP is wished.
    fn service_protocol(&self) -> Protocol {
        if self.prefer_udp && !self.force_tcp { Protocol::Udp } else { Protocol::Tcp }
    }

    fn settings(&self) -> Settings {
        Settings {
            expire: self.expire,
            max_age: self.max_age,
            max_idle: self.max_idle_conns,
            source: self.source_address,
            attempt_within: self.read_timeout,
            ..Settings::of("forward")
        }
    }

    fn group_settings(&self) -> GroupSettings {
        GroupSettings {
            policy: self.policy,
            max_fails: self.max_fails,
            health: HealthSettings { interval: self.health.interval.max(CHECK_INTERVAL_MIN), ..self.health.clone() },
            failover: self.failover.clone(),
            failfast: self.failfast,
            max_attempts: self.max_connect_attempts,
            hedge_after: match self.policy {
                Policy::Sequential => limits::SEQUENTIAL_HEDGE_AFTER,
                Policy::Random | Policy::RoundRobin => Duration::ZERO,
            },
            ..GroupSettings::default()
        }
    }
}
