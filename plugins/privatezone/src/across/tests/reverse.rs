//! Reverse zones of private addresses, which the cluster's are.

use super::{block, only, said, zone};

#[test]
fn a_private_reverse_zone_within_or_around_private_addresses_is_one_warning() {
    for (zones, asked) in [
        ("10.0.0.0/8", "10.in-addr.arpa."),
        ("20.10.in-addr.arpa", "20.10.in-addr.arpa."),
        ("10.96.0.10/32", "10.0.96.10.in-addr.arpa."),
        ("172.16.0.0/12", "16.172.in-addr.arpa. and 15 more"),
        ("31.172.in-addr.arpa", "31.172.in-addr.arpa."),
        ("172.in-addr.arpa", "172.in-addr.arpa."),
        ("192.168.0.0/16", "168.192.in-addr.arpa."),
        ("in-addr.arpa", "in-addr.arpa."),
        ("arpa", "arpa."),
        ("fd00::/8", "d.f.ip6.arpa."),
        ("fc00::/7", "c.f.ip6.arpa. and 1 more"),
        ("f.ip6.arpa", "f.ip6.arpa."),
        ("corp.example 10.0.0.0/8 192.168.0.0/16", "10.in-addr.arpa. and 1 more"),
    ] {
        let column = if zones.starts_with("corp.example") { 26 } else { 13 };
        let wanted = format!(
            "2:{column}: warning: PTR of the cluster's own Services and pods are asked of {asked} where they lie in it"
        );
        only(&block(".", &zone(zones)), &wanted, "name a narrower prefix");
    }
    let own =
        "2:1: warning: PTR of the cluster's own Services and pods are asked of 10.in-addr.arpa. where they lie in it";
    only(&block("10.0.0.0/8", &zone("")), own, "");
}

#[test]
fn other_reverse_zones_are_right() {
    for zones in
        ["192.0.2.0/24", "172.32.0.0/16 172.15.0.0/16", "192.169.0.0/16", "11.0.0.0/8", "2001:db8::/32", "fe80::/10"]
    {
        assert_eq!(said(&block(".", &zone(zones))), "", "{zones}");
    }
    // what is around them, where another block takes them first
    let text = block(".", &zone("192.in-addr.arpa")) + &block("168.192.in-addr.arpa", "errors");
    assert_eq!(said(&text), "");
}
