//! What was written, in plain words: the line of `nearpath check`.

use std::fmt;

use super::{PrivateZoneSpec, SectionSpec, Transport, UpstreamSpec, WatchSpec};

impl fmt::Display for PrivateZoneSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, section) in self.sections.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ". " })?;
            section.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for SectionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "names of {} are asked of {}", listed(&self.zones), upstreams(self))?;
        if let Some(client) = self.tls.as_ref().and_then(|tls| tls.client.as_ref()) {
            write!(f, ", with the certificate {}", client.0.display())?;
        }
        if let Some(authority) = self.tls.as_ref().and_then(|tls| tls.authority.as_ref()) {
            write!(f, ", trusting {}", authority.display())?;
        }
        f.write_str(&self.times())?;
        match self.fallthrough.as_slice() {
            [] => {}
            all if *all == self.zones => f.write_str("; what does not exist there is asked for elsewhere")?,
            some => write!(f, "; what does not exist there of {} is asked for elsewhere", listed(some))?,
        }
        match &self.watch {
            Some(watch) => write!(f, "; {watch}"),
            None => f.write_str("; nothing is watched"),
        }
    }
}

impl SectionSpec {
    /// How long what is told lives.
    fn times(&self) -> String {
        let ttl = match (self.ttl_min, self.ttl_max) {
            (0, u32::MAX) => String::new(),
            (0, max) => format!("; TTLs are at most {max} s"),
            (min, u32::MAX) => format!("; TTLs are at least {min} s"),
            (min, max) => format!("; TTLs are from {min} to {max} s"),
        };
        let grace = if self.vanish_grace.is_zero() {
            "what vanishes is gone at once".to_owned()
        } else {
            format!("what vanishes keeps its last answer for {:?}", self.vanish_grace)
        };
        format!("{ttl}; denials live at most {} s, {grace}", self.negative_ttl_max)
    }
}

/// All of them, those that are asked alike together.
fn upstreams(section: &SectionSpec) -> String {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for upstream in &section.upstreams {
        let manner = manner(upstream, section);
        match groups.iter_mut().find(|(known, _)| *known == manner) {
            Some((_, addresses)) => addresses.push(upstream.address.to_string()),
            None => groups.push((manner, vec![upstream.address.to_string()])),
        }
    }
    let groups = groups.iter().map(|(manner, addresses)| {
        let each = if addresses.len() > 1 { " each" } else { "" };
        format!("{}{each} {manner}", addresses.join(", "))
    });
    groups.collect::<Vec<_>>().join(", and of ")
}

/// How one of them is asked.
fn manner(upstream: &UpstreamSpec, section: &SectionSpec) -> String {
    let mut text = match (upstream.transport, &upstream.server_name) {
        (Transport::Udp, _) => "over UDP".to_owned(),
        (Transport::Tcp, _) => "over TCP".to_owned(),
        (Transport::Tls, None) => "over TLS".to_owned(),
        (Transport::Tls, Some(name)) => format!("over TLS as {}", name.to_str()),
    };
    text.push_str(&match upstream.rate {
        None => " (as many messages as there are".to_owned(),
        Some(rate) => format!(" (at most {} messages a second, {} at once", rate.per_second, rate.burst),
    });
    if let Some(count) = upstream.outstanding_max {
        text.push_str(&format!(", {count} questions outstanding"));
    }
    if section.zones.first() != Some(&upstream.check_name) {
        text.push_str(&format!(", checked by {} NS", upstream.check_name));
    }
    text + ")"
}

impl fmt::Display for WatchSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = &self.wanted;
        let kinds =
            [(wanted.endpoints, "DNSEndpoints"), (wanted.services, "Services"), (wanted.ingresses, "Ingresses")];
        let kinds: Vec<&str> = kinds.iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, name)| *name).collect();
        match &wanted.namespace {
            Some(namespace) => write!(f, "{} of the namespace {namespace} are watched", kinds.join(", "))?,
            None => write!(f, "{} of all namespaces are watched", kinds.join(", "))?,
        }
        f.write_str(if self.answers { ", and answer for the zone when nobody does" } else { ", and answer nothing" })
    }
}

fn listed(zones: &[contract::wire::Name]) -> String {
    zones.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
