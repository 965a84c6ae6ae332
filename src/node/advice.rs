//! What a Corefile and the flags leave unused on a node, and what would bring it: said once at the start, for whoever has
//! just changed the image of an installed node-local-dns.

use contract::wire::Name;

use crate::plan::Plan;

/// A line for each thing that is not there.
pub fn lines(plan: &Plan, cluster_domain: &Name, keeps_state: bool) -> Vec<String> {
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
    lines
}

fn encloses(zones: &[Name], domain: &Name) -> bool {
    zones.iter().any(|zone| zone.encloses(domain))
}

#[cfg(test)]
mod tests {
    use contract::corefile::Disk;

    use super::*;

    fn lines_of(text: &str) -> Vec<String> {
        let checked = crate::plan::check("Corefile", text, &Disk, 53);
        let plan = checked.plan.unwrap_or_else(|| panic!("{}", checked.report));
        lines(&plan, &"cluster.local".parse().unwrap(), false)
    }

    #[test]
    fn what_is_missing_is_named_with_what_would_bring_it() {
        let stock = lines_of("cluster.local {\n bind 169.254.20.10\n forward . 10.96.0.11\n}\n");
        assert_eq!(stock.len(), 2, "{stock:?}");
        for (line, word) in stock.iter().zip(["autopath @kubernetes", "-statedir"]) {
            assert!(line.contains(word), "{line}");
        }
        let full = lines_of("cluster.local {\n bind nodelocaldns\n autopath @kubernetes\n forward . 10.96.0.11\n}\n");
        assert_eq!(full.len(), 1, "{full:?}");
    }
}
