//! Which port of a Service is asked, from what its slices say of ports.

use std::collections::BTreeSet;

/// The port for DNS over TCP in CoreDNS's usual Service.
const DNS_OVER_TCP: &str = "dns-tcp";
/// The one over UDP; servers of DNS answer over TCP there as well (RFC 7766 5).
const DNS: &str = "dns";
/// DNS (RFC 1035 4.2).
const DNS_PORT: u16 = 53;

/// A port of a slice.
#[derive(Debug)]
pub(super) struct Port {
    /// The Service's name for it; empty if the Service has a single port.
    name: Box<str>,
    protocol: Protocol,
    /// The pods' own.
    number: u16,
}

/// What speaks at a port; SCTP does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Protocol {
    Tcp,
    Udp,
}

/// One port of the Service, whatever number each slice has for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice<'p> {
    name: &'p str,
    protocol: Protocol,
}

impl Port {
    /// `None` if nothing can be asked there. Without a protocol it is TCP.
    pub(super) fn of(name: Option<String>, number: i32, protocol: Option<&str>) -> Option<Self> {
        let protocol = match protocol {
            None | Some("TCP") => Protocol::Tcp,
            Some("UDP") => Protocol::Udp,
            Some(_) => return None,
        };
        let number = u16::try_from(number).ok().filter(|number| *number > 0)?;
        Some(Self { name: name.unwrap_or_default().into(), protocol, number })
    }
}

impl<'p> Choice<'p> {
    /// The wanted port among those of all slices: a slice of pods that lack it must not decide for another one.
    pub(super) fn among(ports: impl Iterator<Item = &'p Port>, wanted: Option<&str>) -> Option<Self> {
        let known: BTreeSet<(Protocol, &str, u16)> =
            ports.map(|port| (port.protocol, &*port.name, port.number)).collect();
        let Some(wanted) = wanted else { return for_dns(&known) };
        let Ok(number) = wanted.parse::<u16>() else { return by_name(&known, wanted) };
        let has_number = known.iter().find(|(protocol, _, known)| *protocol == Protocol::Tcp && *known == number);
        match has_number {
            Some((protocol, name, _)) => Some(Self { name, protocol: *protocol }),
            None if number == DNS_PORT => for_dns(&known),
            None => only_tcp(&known),
        }
    }

    /// What this port is in a slice.
    pub(super) fn number(&self, ports: &[Port]) -> Option<u16> {
        ports.iter().find(|port| *port.name == *self.name && port.protocol == self.protocol).map(|port| port.number)
    }
}

type Known<'p> = BTreeSet<(Protocol, &'p str, u16)>;

fn for_dns<'p>(known: &Known<'p>) -> Option<Choice<'p>> {
    let tcp = || known.iter().filter(|(protocol, ..)| *protocol == Protocol::Tcp);
    let found =
        tcp().find(|(_, name, _)| *name == DNS_OVER_TCP).or_else(|| tcp().find(|(.., number)| *number == DNS_PORT));
    match found {
        Some((protocol, name, _)) => Some(Choice { name, protocol: *protocol }),
        None if tcp().next().is_some() => only_tcp(known),
        None => by_name(known, DNS),
    }
}

/// Over TCP if it is offered there; a name that is UDP's alone is asked over TCP all the same.
fn by_name<'p>(known: &Known<'p>, wanted: &str) -> Option<Choice<'p>> {
    // TCP sorts first
    known.iter().find(|(_, name, _)| *name == wanted).map(|(protocol, name, _)| Choice { name, protocol: *protocol })
}

fn only_tcp<'p>(known: &Known<'p>) -> Option<Choice<'p>> {
    let mut names = known.iter().filter(|(protocol, ..)| *protocol == Protocol::Tcp).map(|(_, name, _)| *name);
    let name = names.next()?;
    names.all(|other| other == name).then_some(Choice { name, protocol: Protocol::Tcp })
}
