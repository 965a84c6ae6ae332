//! Resolvers that clouds have at the same address everywhere, and what they say of their limits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use contract::corefile::{Report, Span};

use super::Transport;

/// A cloud's resolver.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) name: &'static str,
    addresses: &'static [IpAddr],
    /// What it documents: a number per second, for all its addresses together, and what is counted.
    pub(crate) limit: Option<(u32, &'static str)>,
    /// Why not to ask it over TCP.
    over_tcp: &'static str,
}

/// Clouds that document no limit of their own for TCP may have one all the same.
const OFTEN_LIMITED: &str = "clouds limit connections to port 53, or count each of their packets";

pub(crate) static CLOUDS: [Cloud; 4] = [
    Cloud {
        name: "Alibaba Cloud",
        addresses: &[IpAddr::V4(Ipv4Addr::new(100, 100, 2, 136)), IpAddr::V4(Ipv4Addr::new(100, 100, 2, 138))],
        // "Limits on using Private DNS": requests of an instance
        limit: Some((5_000, "questions of an instance")),
        over_tcp: OFTEN_LIMITED,
    },
    Cloud {
        name: "AWS",
        addresses: &[
            IpAddr::V4(Ipv4Addr::new(169, 254, 169, 253)),
            IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253)),
        ],
        // "Hybrid Cloud DNS Options for Amazon VPC", and the VPC user guide's DNS quotas
        limit: Some((1_024, "packets of a network interface")),
        over_tcp: "it takes 1024 packets a second of a network interface, and TCP needs several for a question",
    },
    Cloud {
        name: "Azure",
        addresses: &[IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16))],
        limit: None,
        over_tcp: OFTEN_LIMITED,
    },
    Cloud {
        name: "Google Cloud",
        addresses: &[IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254))],
        limit: None,
        over_tcp: OFTEN_LIMITED,
    },
];

impl Cloud {
    /// True of an address of its resolver.
    pub(crate) fn has(&self, address: SocketAddr) -> bool {
        self.addresses.contains(&address.ip())
    }
}

/// Warns where a cloud's resolver is asked over what it does not like. Its limit is looked at with all server blocks.
pub(crate) fn check(addresses: &[(SocketAddr, Span)], transport: Transport, report: &mut Report) {
    let over = match transport {
        Transport::Udp => return,
        Transport::Tcp => "TCP",
        Transport::Tls => "TLS",
    };
    for (address, span) in addresses {
        let Some(cloud) = CLOUDS.iter().find(|cloud| cloud.has(*address)) else { continue };
        let message = format!("the resolver of {}, {}, is asked over {over}", cloud.name, address.ip());
        report.warning(*span, message).help(format!("{}; write `transport udp`", cloud.over_tcp));
    }
}
