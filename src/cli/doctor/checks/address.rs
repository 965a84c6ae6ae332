//! `address`: those that pods ask are on an interface.

use std::net::IpAddr;

use super::super::patient::Patient;
use super::super::verdict::Finding;

/// Looks for each address that pods ask.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let Some(node) = patient.options.as_ref().and_then(|options| options.node.as_ref()) else {
        return Finding::skip("no -localip: nothing of the node is set up");
    };
    let found = node.own.iter().map(|ip| one(*ip, &node.name, node.interface, &patient.on_host));
    Finding::worst(found, "")
}

fn one(ip: IpAddr, name: &str, ours: bool, on_host: &[(String, IpAddr)]) -> Finding {
    let holders: Vec<&str> = on_host.iter().filter(|(_, known)| *known == ip).map(|(link, _)| link.as_str()).collect();
    let length = if ip.is_ipv4() { 32 } else { 128 };
    let add = format!(
        "ip link show {name} || ip link add {name} type dummy; ip addr add {ip}/{length} dev {name}; ip link set {name} up"
    );
    match holders.as_slice() {
        [] => Finding::fail(format!("{ip} is on no interface"), add),
        links if links.contains(&name) || !ours => Finding::ok(format!("{ip} is on {}", links.join(", "))),
        [other, ..] => Finding::warn(
            format!("{ip} is on {other}, and not on {name}"),
            format!(
                "remove what another program left there: ip addr del {ip}/{length} dev {other}; the daemon makes its own"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::State;
    use super::*;

    #[test]
    fn an_address_is_where_it_should_be() {
        let ip: IpAddr = "169.254.20.10".parse().unwrap();
        let on = |link: &str| vec![(link.to_owned(), ip)];
        for (on_host, ours, state) in [
            (on("nodelocaldns"), true, State::Ok),
            (on("lo"), false, State::Ok),
            (on("lo"), true, State::Warn),
            (Vec::new(), true, State::Fail),
        ] {
            assert_eq!(one(ip, "nodelocaldns", ours, &on_host).state, state, "{on_host:?} {ours}");
        }
    }
}
