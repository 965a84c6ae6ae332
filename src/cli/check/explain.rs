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
    for difference in concerned(&written) {
        let about = match difference.directives {
            [] => "in every block".to_owned(),
            some => some.join(", "),
        };
        writeln!(text, "  {about}: {} CoreDNS: {} ({})", difference.nearpath, difference.coredns, difference.reason)
            .expect("a string takes every text");
    }
    text
}

/// Those of directives that are written, then those of every Corefile.
fn concerned<'d>(written: &BTreeSet<&str>) -> Vec<&'d Difference> {
    let (general, special): (Vec<&Difference>, Vec<&Difference>) =
        DIFFERENCES.iter().partition(|one| one.directives.is_empty());
    let special = special.into_iter().filter(|one| one.directives.iter().any(|directive| written.contains(directive)));
    special.chain(general).collect()
}
