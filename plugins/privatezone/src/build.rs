//! From the specification to the plugin: reads certificates, opens nothing towards upstreams.

use std::sync::Arc;

use contract::wire::Rcode;
use contract::{BuildError, Context, Plugin, Server, Spec};
use upstream::rustls::ClientConfig;
use upstream::rustls::pki_types::ServerName;
use upstream::{Group, GroupSettings, HealthSettings, Protocol, Settings, Upstream};

use crate::follow::Follow;
use crate::plugin::PrivateZone;
use crate::section::Section;
use crate::spec::{PrivateZoneSpec, SectionSpec, Transport, UpstreamSpec};

impl Spec for PrivateZoneSpec {
    fn name(&self) -> &'static str {
        "privatezone"
    }

    fn describe(&self) -> String {
        self.to_string()
    }

    fn servers(&self) -> Vec<Server> {
        Vec::new() // they know their zone and little else: nobody's questions can be sent there without us
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let sections: Result<Vec<Section>, BuildError> =
            self.sections.iter().map(|section| section.build(context)).collect();
        Ok(Arc::new(PrivateZone::new(sections?)))
    }
}

impl SectionSpec {
    fn build(&self, context: &Context) -> Result<Section, BuildError> {
        let over_tls = self.upstreams.iter().any(|upstream| upstream.transport == Transport::Tls);
        let config = match over_tls {
            true => Some(self.tls.clone().unwrap_or_default().load()?),
            false => None,
        };
        let upstreams = self.upstreams.iter().map(|upstream| {
            Upstream::new(upstream.address, upstream.protocol(config.as_ref()), &upstream.settings(), context)
        });
        let group = Group::new(upstreams.collect(), self.group_settings(), context);
        let follow = match &self.watch {
            Some(watch) => {
                let zone = self.zones.first().expect("a section has a zone");
                Some(Follow::new(context.cluster.published(&watch.wanted)?, watch.answers, zone, context))
            }
            None => None,
        };
        Ok(Section::new(self, group, follow, context))
    }

    fn group_settings(&self) -> GroupSettings {
        GroupSettings {
            health: HealthSettings {
                domain: self.zones.first().expect("a section has a zone").clone(),
                ..HealthSettings::default()
            },
            overlapping_checks: true, // stale answers and failures end with the first one that is answered
            // who does not serve the zone, or cannot now, is not the only one that was named
            failover: vec![Rcode::SERVFAIL, Rcode::REFUSED, Rcode::NOTAUTH],
            ..GroupSettings::default()
        }
    }
}

impl UpstreamSpec {
    fn protocol(&self, config: Option<&Arc<ClientConfig>>) -> Protocol {
        match (self.transport, config) {
            (Transport::Tls, Some(config)) => {
                // without a name the certificate must be for the address
                let named = self.server_name.clone();
                let server_name = named.unwrap_or_else(|| ServerName::IpAddress(self.address.ip().into()));
                Protocol::Tls { server_name, config: Arc::clone(config) }
            }
            (Transport::Tcp, _) => Protocol::Tcp,
            (Transport::Udp | Transport::Tls, _) => Protocol::Udp,
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            rate: self.rate,
            outstanding_max: self.outstanding_max,
            check_name: Some(self.check_name.clone()),
            ..Settings::of("privatezone")
        }
    }
}
