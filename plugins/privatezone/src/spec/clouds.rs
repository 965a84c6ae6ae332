//! Resolvers that clouds have at the same address everywhere, and what they say of their limits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use contract::corefile::{Report, Span};

use super::Transport;
use super::manner::Manner;

/// A cloud's resolver.
struct Cloud {
    name: &'static str,
    addresses: &'static [IpAddr],
    /// What it documents: a number per second, and what is counted.
    limit: Option<(u32, &'static str)>,
    /// Why not to ask it over TCP.
    over_tcp: &'static str,
}

/// Clouds that document no limit of their own for TCP may have one all the same.
const OFTEN_LIMITED: &str = "clouds limit connections to port 53, or count each of their packets";

const CLOUDS: [Cloud; 4] = [
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

/// Warns where a cloud's resolver is asked as it does not like it.
pub(crate) fn check(addresses: &[(SocketAddr, Span)], manner: &Manner, report: &mut Report) {
    for (address, span) in addresses {
        let Some(cloud) = CLOUDS.iter().find(|cloud| cloud.addresses.contains(&address.ip())) else { continue };
        let transport = manner.transport.unwrap_or_default();
        if transport != Transport::Udp {
            let name = cloud.name;
            let over = if transport == Transport::Tls { "TLS" } else { "TCP" };
            let warning =
                report.warning(*span, format!("the resolver of {name}, {}, is asked over {over}", address.ip()));
            warning.help(format!("{}; write `transport udp`", cloud.over_tcp));
        }
        if let (Some((limit, counted)), Some((per_second, span))) = (cloud.limit, manner.max_qps)
            && per_second > limit
        {
            let message =
                format!("`max_qps {per_second}` is more than {} takes: {limit} {counted} per second", cloud.name);
            report.warning(span, message).help("what is above it is lost there, and waited for here");
        }
    }
}
