//! `--explain`: the plan in plain words, and what CoreDNS would do otherwise with the directives in it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use contract::corefile::differences::{DIFFERENCES, Difference};

use crate::plan::Plan;

/// The plan, then the differences that concern it, those of all Corefiles last.
pub(super) fn text(plan: &Plan) -> String {
    let mut text = plan.to_string();
    let written: BTreeSet<&str> = plan.blocks.iter().flat_map(|block| block.directives.iter().copied()).collect();
    text.push_str("\nWhat differs from CoreDNS:\n");
    for Difference { directives, coredns, nearpath, reason, .. } in concerned(&written) {
        let about = match directives {
            [] => "in every block".to_owned(),
            some => some.join(", "),
        };
        let lines = format!("  {about}\n    CoreDNS: {coredns}\n    here:    {nearpath}\n    why:     {reason}");
        writeln!(text, "{lines}").expect("a string takes every text");
    }
    text
}

/// Those of directives that are written, then those of every Corefile. What one accepts and the other refuses is told as an
/// error, or does not concern the file.
fn concerned<'d>(written: &BTreeSet<&str>) -> Vec<&'d Difference> {
    let answers = DIFFERENCES.iter().filter(|one| !one.id.starts_with("parse-"));
    let (general, special): (Vec<&Difference>, Vec<&Difference>) = answers.partition(|one| one.directives.is_empty());
    let special = special.into_iter().filter(|one| one.directives.iter().any(|directive| written.contains(directive)));
    special.chain(general).collect()
}

#[cfg(test)]
mod tests {
    use contract::corefile::Disk;

    use super::*;

    fn explained(corefile: &str) -> String {
        let checked = crate::plan::check("Corefile", corefile, &Disk, 53);
        text(&checked.plan.unwrap_or_else(|| panic!("{}", checked.report)))
    }

    #[test]
    fn what_is_not_written_is_not_told() {
        let plain = explained(". {\n whoami\n}\n");
        assert!(plain.contains("RA is set in every reply") && !plain.contains("stale"), "{plain}");
        let cached = explained(". {\n cache\n forward . 10.0.0.1\n}\n");
        assert!(cached.contains("\n  cache\n    CoreDNS: stale records have TTL 0"), "{cached}");
        assert!(!cached.contains("it is an error"), "{cached}");
    }
}
