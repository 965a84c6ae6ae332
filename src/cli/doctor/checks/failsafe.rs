//! `failsafe`: the kernel knows whom to send questions to without a daemon, and its knowledge has not run out.

use std::net::IpAddr;
use std::time::Duration;

use super::super::patient::Patient;
use super::super::verdict::Finding;
use super::{listed, rules};
use crate::node::NodePlan;
use crate::node::rules::Told;

/// It is renewed each minute: less is left only if nobody does.
const LEFT_MIN: Duration = Duration::from_secs(5 * 60);
const RENEW: &str = "a daemon renews it each minute: kubectl -n kube-system rollout restart daemonset/nearpath; its log says what it may not do";

/// Looks at the sets of the rules, and at the servers that they lead to.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let Some(node) = patient.options.as_ref().and_then(|options| options.node.as_ref()) else {
        return Finding::skip("no -localip: nothing of the node is set up");
    };
    let Some(lasts) = node.failsafe.filter(|_| node.rules) else {
        return Finding::skip("not wanted: -failsafe 0 or -setupiptables=false");
    };
    let own = rules::bound(patient, &node.own);
    match rules::told(&node.name).await {
        Ok(told) if told.rules == 0 && told.lines.is_empty() => Finding::skip("there are no rules: see `rules`"),
        Ok(told) => {
            Finding::worst(own.iter().map(|ip| one(*ip, node, lasts, &told)), "no address has rules: see `rules`")
        }
        Err(why) => Finding::skip(format!("the rules cannot be seen: {why}")),
    }
}

fn one(ip: IpAddr, node: &NodePlan, lasts: Duration, told: &Told) -> Finding {
    if node.services.contains(&ip) {
        return Finding::ok(format!("{ip} is the address of a Service: its proxy stands in"));
    }
    let central: Vec<_> = told.central.iter().filter(|server| server.is_ipv4() == ip.is_ipv4()).collect();
    if central.is_empty() {
        return Finding::warn(
            format!("{ip}: no central server is known to send questions to"),
            "name them by -failsafe-to, or write `forward . @kube-system/kube-dns` in the Corefile",
        );
    }
    if told.rules == 0 {
        return Finding::ok(format!("{ip}: iptables sends questions to {} without a daemon", listed(central)));
    }
    let element = |set: &[crate::node::rules::Element]| set.iter().find(|element| element.address == ip).copied();
    match (element(&told.own), element(&told.stand_in)) {
        (Some(_), Some(element)) => match element.left {
            Some(left) if left < LEFT_MIN.min(lasts / 4) => {
                Finding::warn(format!("{ip}: it ends in {} s, and nobody renews it", left.as_secs()), RENEW)
            }
            _ => Finding::ok(format!("{ip}: without a daemon questions go to {}", listed(central))),
        },
        _ => Finding::fail(format!("{ip}: not armed; its element of the set has expired or was removed"), RENEW),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::super::verdict::State;
    use super::*;
    use crate::node::Leaving;
    use crate::node::rules::Element;

    #[test]
    fn armed_expiring_expired() {
        let ip: IpAddr = "169.254.20.10".parse().unwrap();
        let mut node = NodePlan {
            own: vec![ip],
            services: BTreeSet::new(),
            port: 53,
            health_port: 8080,
            name: "x".to_owned(),
            interface: true,
            rules: true,
            sync_every: Duration::from_secs(60),
            failsafe: None,
            host_processes: true,
            central: Vec::new(),
            leaving: Leaving::Stay,
        };
        let element = |seconds| Element { address: ip, left: Some(Duration::from_secs(seconds)) };
        let of = |stand_in: Vec<Element>, central: &[&str]| Told {
            rules: 9,
            own: vec![element(86_000)],
            stand_in,
            central: central.iter().map(|text| text.parse().unwrap()).collect(),
            ..Told::default()
        };
        let day = Duration::from_secs(86_400);
        for (told, state) in [
            (of(vec![element(86_390)], &["10.2.0.2:53"]), State::Ok),
            (of(vec![element(200)], &["10.2.0.2:53"]), State::Warn),
            (of(vec![], &["10.2.0.2:53"]), State::Fail),
            (of(vec![], &["[fd02::2]:53"]), State::Warn),
        ] {
            assert_eq!(one(ip, &node, day, &told).state, state, "{told:?}");
        }
        node.services.insert(ip);
        assert_eq!(one(ip, &node, day, &of(vec![], &[])).state, State::Ok);
    }
}
