//! What a Corefile and the flags leave unused on a node, and what would bring it: said once at the start, for whoever has
//! just changed the image of an installed node-local-dns.

use std::net::IpAddr;

use bind::Target;
use contract::wire::Name;

use super::NodePlan;
use crate::plan::Plan;

/// A line for each thing that is not there.
pub fn lines(node: &NodePlan, plan: &Plan, cluster_domain: &Name, keeps_state: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let steps = || plan.blocks.iter().flat_map(|block| block.chain.iter().map(move |step| (block, step)));
    if !steps().any(|(block, step)| step.name() == "autopath" && encloses(&block.zones, cluster_domain)) {
        lines.push(format!(
            "no AutoPath: pods walk their search lists themselves; write `autopath @kubernetes` in the block {domain} and give \
             the daemon the role of deploy/rbac.yaml",
            domain = cluster_domain.to_string().trim_end_matches('.')
        ));
    }
    if !keeps_state {
        lines.push(
            "nothing is remembered over a restart: mount a folder of the host and name it by -statedir".to_owned(),
        );
    }
    for ip in unbound(node, plan) {
        lines.push(format!(
            "no block binds {ip} itself: without `bind {ip}` the kernel cannot tell our sockets from others, and the failsafe \
             does not hold for it"
        ));
    }
    lines
}

fn encloses(zones: &[Name], domain: &Name) -> bool {
    zones.iter().any(|zone| zone.encloses(domain))
}

/// The local addresses that no block binds by name, where the failsafe is to hold.
fn unbound(node: &NodePlan, plan: &Plan) -> Vec<IpAddr> {
    let targets = || plan.blocks.iter().flat_map(|block| &block.settings.bind).flat_map(|bind| &bind.targets);
    let is_bound = |ip: &IpAddr| {
        targets().any(|target| match target {
            Target::Ip(bound) => bound == ip,
            Target::Interface(name) => *name == node.name,
        })
    };
    node.own.iter().copied().filter(|ip| node.failsafe.is_some() && !is_bound(ip)).collect()
}

#[cfg(test)]
mod tests {
    use contract::corefile::Disk;

    use super::*;
    use crate::node::Leaving;

    fn lines_of(text: &str) -> Vec<String> {
        let node = NodePlan {
            own: vec!["169.254.20.10".parse().unwrap(), "fd00::53".parse().unwrap()],
            services: std::collections::BTreeSet::new(),
            port: 53,
            health_port: 8080,
            name: "nodelocaldns".to_owned(),
            interface: true,
            rules: true,
            sync_every: std::time::Duration::from_secs(60),
            failsafe: Some(std::time::Duration::from_secs(60)),
            host_processes: true,
            central: Vec::new(),
            leaving: Leaving::Stay,
        };
        let checked = crate::plan::check("Corefile", text, &Disk, 53);
        let plan = checked.plan.unwrap_or_else(|| panic!("{}", checked.report));
        lines(&node, &plan, &"cluster.local".parse().unwrap(), false)
    }

    #[test]
    fn what_is_missing_is_named_with_what_would_bring_it() {
        let stock = lines_of("cluster.local {\n bind 169.254.20.10\n forward . 10.96.0.11\n}\n");
        assert_eq!(stock.len(), 3, "{stock:?}");
        for (line, word) in stock.iter().zip(["autopath @kubernetes", "-statedir", "bind fd00::53"]) {
            assert!(line.contains(word), "{line}");
        }
        let full = lines_of("cluster.local {\n bind nodelocaldns\n autopath @kubernetes\n forward . 10.96.0.11\n}\n");
        assert_eq!(full.len(), 1, "{full:?}");
    }
}
