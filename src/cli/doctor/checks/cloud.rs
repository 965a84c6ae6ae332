//! `cloud limits`: resolvers of clouds take only so much of a node, and what is too much is dropped in silence.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::patient::Patient;
use super::super::upstreams::Upstream;
use super::super::verdict::Finding;

/// Where the machine's maker is told.
const VENDOR: &str = "/sys/class/dmi/id/sys_vendor";
/// What AWS calls its machines there.
const AWS_VENDOR: &str = "Amazon EC2";
const AWS: &str = "AWS: 1024 packets a second of a network interface";

/// Addresses that mean the same everywhere, and what is documented of their limits.
const RESOLVERS: [(IpAddr, &str); 6] = [
    (IpAddr::V4(Ipv4Addr::new(169, 254, 169, 253)), AWS),
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253)), AWS),
    (IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)), "Azure: a limit of each machine"),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), "Google Cloud: a limit of each machine"),
    (IpAddr::V4(Ipv4Addr::new(100, 100, 2, 136)), "Alibaba Cloud: 5000 questions a second of an instance"),
    (IpAddr::V4(Ipv4Addr::new(100, 100, 2, 138)), "Alibaba Cloud: 5000 questions a second of an instance"),
];

/// Looks at whom the Corefile asks.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let vendor = std::fs::read_to_string(VENDOR).unwrap_or_default();
    let bad = patient.upstreams.iter().filter_map(|upstream| one(upstream, vendor.trim()));
    Finding::worst(bad.chain([Finding::ok("no resolver of a cloud is asked without a rate")]), "")
}

fn one(upstream: &Upstream, vendor: &str) -> Option<Finding> {
    let limit = limit_of(upstream.address.ip(), vendor).filter(|_| !upstream.has_rate)?;
    let at = upstream.address.ip();
    let mend = match upstream.directive.as_str() {
        "privatezone" => format!("write `max_qps 500` in `privatezone {}`", upstream.zone),
        _ => format!(
            "`forward` has no rate: keep `cache` in that block, and give busy zones `privatezone ZONE {{ to {at} ; max_qps 500 }}`"
        ),
    };
    Some(Finding::warn(format!("{at} is asked by `{}` without `max_qps` ({limit})", upstream.directive), mend))
}

/// What is known of an address; on AWS the third of a network, by its last octet 2, is the VPC's resolver.
fn limit_of(ip: IpAddr, vendor: &str) -> Option<&'static str> {
    let known = RESOLVERS.iter().find(|(known, _)| *known == ip).map(|(_, limit)| *limit);
    let is_vpc = matches!(ip, IpAddr::V4(v4) if v4.is_private() && v4.octets()[3] == 2);
    known.or_else(|| (vendor == AWS_VENDOR && is_vpc).then_some(AWS))
}

#[cfg(test)]
mod tests {
    use super::super::super::upstreams::By;
    use super::*;

    #[test]
    fn resolvers_of_clouds_need_a_rate() {
        let upstream = |address: &str, has_rate| Upstream {
            address: format!("{address}:53").parse().unwrap(),
            directive: "privatezone".to_owned(),
            zone: "p.example".to_owned(),
            by: By::Udp,
            has_rate,
            file: None,
        };
        for (address, has_rate, vendor, warned) in [
            ("169.254.169.253", false, "", true),
            ("169.254.169.253", true, "", false),
            ("168.63.129.16", false, "", true),
            ("169.254.169.254", false, "", true),
            ("100.100.2.136", false, "", true),
            ("10.0.0.2", false, "", false),
            ("10.0.0.2", false, AWS_VENDOR, true),
            ("10.0.0.3", false, AWS_VENDOR, false),
        ] {
            assert_eq!(one(&upstream(address, has_rate), vendor).is_some(), warned, "{address} {vendor}");
        }
    }
}
