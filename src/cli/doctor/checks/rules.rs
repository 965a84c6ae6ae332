//! `rules`: those for each address that pods ask are in the kernel.

use std::net::IpAddr;

use super::super::patient::Patient;
use super::super::verdict::Finding;
use super::listed;
use crate::node::rules::{Rules, Told};

/// What mends rules that have gone: a daemon looks at them at its start.
const AGAIN: &str = "the daemon puts them back within -syncinterval; at once: kubectl -n kube-system rollout restart daemonset/nearpath";

/// Looks at the rules by nft and iptables.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let Some(node) = patient.options.as_ref().and_then(|options| options.node.as_ref()) else {
        return Finding::skip("no -localip: nothing of the node is set up");
    };
    if !node.rules {
        return Finding::skip("-setupiptables=false: no rules are wanted");
    }
    match told(&node.name).await {
        Ok(told) => judge(&told, &bound(patient, &node.own)),
        Err(why) => Finding::skip(format!("the rules cannot be seen: {why}")),
    }
}

/// The addresses with sockets of their own: others have no rules, as the daemon's log says.
pub(super) fn bound(patient: &Patient, own: &[IpAddr]) -> Vec<IpAddr> {
    let plan = patient.checked.as_ref().and_then(|checked| checked.plan.as_ref());
    let is_wild = plan.is_some_and(|plan| plan.blocks.iter().all(|block| block.settings.bind.is_empty()));
    if is_wild { Vec::new() } else { own.to_vec() }
}

/// What the kernel has of a name; the programs that show it are waited for elsewhere.
pub(super) async fn told(name: &str) -> Result<Told, String> {
    let name = name.to_owned();
    let told = tokio::task::spawn_blocking(move || Rules::told(&name)).await;
    told.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

fn judge(told: &Told, own: &[IpAddr]) -> Finding {
    if own.is_empty() {
        return Finding::warn(
            "no address has rules, because no server block binds one by itself",
            "write `bind` with the addresses of -localip into the server blocks",
        );
    }
    let missing: Vec<IpAddr> = own.iter().copied().filter(|ip| !told.is_for(*ip)).collect();
    let none = told.rules == 0 && told.lines.is_empty();
    match (none, missing.as_slice(), told.empty.as_slice()) {
        (true, ..) => Finding::fail("there are none", AGAIN),
        (_, [], []) if told.rules > 0 => Finding::ok(format!("{} rules of nftables for {}", told.rules, listed(own))),
        (_, [], []) => Finding::ok(format!("{} lines of iptables for {}", told.lines.len(), listed(own))),
        (_, [], empty) => Finding::fail(format!("chains without a rule: {}", listed(empty)), AGAIN),
        (_, missing, _) => Finding::fail(format!("none for {}", listed(missing)), AGAIN),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::State;
    use super::*;
    use crate::node::rules::Element;

    #[test]
    fn what_is_missing_is_told() {
        let ip: IpAddr = "169.254.20.10".parse().unwrap();
        let whole = Told { rules: 9, own: vec![Element { address: ip, left: None }], ..Told::default() };
        let flushed = Told { empty: vec!["ip nat_prerouting".to_owned()], ..whole.clone() };
        let iptables = Told { lines: vec!["raw -d 169.254.20.10/32".to_owned()], ..Told::default() };
        for (told, own, state) in [
            (&whole, vec![ip], State::Ok),
            (&iptables, vec![ip], State::Ok),
            (&flushed, vec![ip], State::Fail),
            (&Told { rules: 0, ..whole.clone() }, vec![ip], State::Fail),
            (&whole, vec![ip, "fd00::53".parse().unwrap()], State::Fail),
            (&whole, vec![], State::Warn),
        ] {
            assert_eq!(judge(told, &own).state, state, "{told:?}");
        }
    }
}
