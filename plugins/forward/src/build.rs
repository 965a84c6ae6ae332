//! From the specification to the plugin: reads files, looks up host names, opens nothing towards upstreams.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use contract::{BuildError, Context, Plugin, Spec};
use upstream::rustls::ClientConfig;
use upstream::rustls::pki_types::ServerName;
use upstream::{Group, GroupSettings, HealthSettings, Protocol, Settings, Upstream};

use crate::plugin::Forward;
use crate::spec::{ForwardSpec, UPSTREAMS_MAX};
use crate::target::{Place, Target};
use crate::{hostname, resolv};

/// The shortest wait between two health checks: a check in a tight loop would be an attack.
const CHECK_INTERVAL_MIN: std::time::Duration = std::time::Duration::from_millis(10);

impl Spec for ForwardSpec {
    fn name(&self) -> &'static str {
        "forward"
    }

    fn describe(&self) -> String {
        let targets: Vec<String> = self.targets.iter().map(ToString::to_string).collect();
        format!("questions for {} go to {}", self.from, targets.join(", "))
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let over_tls = self.targets.iter().any(|target| target.tls.is_some());
        let config = match (&self.tls, over_tls) {
            (Some(files), _) => Some(files.load()?),
            (None, true) => Some(crate::tls::TlsFiles::default().load()?),
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
        if !(1..=UPSTREAMS_MAX).contains(&upstreams.len()) {
            return Err(BuildError::Unavailable {
                what: format!("forward {}", self.from),
                reason: format!(
                    "{} usable upstreams; from 1 to {UPSTREAMS_MAX} are possible: name their addresses",
                    upstreams.len()
                ),
            });
        }
        let settings = self.settings();
        let upstreams = upstreams
            .into_iter()
            .map(|(address, protocol)| Upstream::new(address, protocol, &settings, &context.metrics))
            .collect();
        Ok(Arc::new(Forward::new(self, Group::new(upstreams, self.group_settings(), context), context)))
    }
}

impl ForwardSpec {
    fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, BuildError> {
        match &target.place {
            Place::Address(address) => Ok(vec![*address]),
            Place::File(path) => resolv::nameservers(path),
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
        }
    }
}
