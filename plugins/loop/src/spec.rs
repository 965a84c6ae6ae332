//! What `loop` says: nothing but that it is there, and the zone that it probes.

use std::sync::Arc;

use contract::corefile::{Report, Statement, no_arguments};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::guard::LoopGuard;

/// A block that looks for a loop behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopSpec {
    /// The block's first zone, in which the probe's name lies.
    pub zone: Name,
}

/// Reads `loop`.
pub fn check(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<LoopSpec> {
    let before = report.errors();
    no_arguments(statement, report);
    let zone = zones.first().cloned().unwrap_or_else(Name::root);
    (report.errors() == before).then_some(LoopSpec { zone })
}

impl LoopSpec {
    /// The plugin as itself: the daemon sends [`LoopGuard::probe`] and waits for [`LoopGuard::detection`].
    pub fn guard(&self, context: &Context) -> Arc<LoopGuard> {
        Arc::new(LoopGuard::new(self.zone.clone(), context))
    }
}

impl Spec for LoopSpec {
    fn name(&self) -> &'static str {
        "loop"
    }

    fn describe(&self) -> String {
        format!("asks once for a random name in {} and stops the daemon if the question comes back", self.zone)
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        Ok(self.guard(context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Memory, parse};

    fn checked(text: &str, zones: &[Name]) -> (Option<LoopSpec>, String) {
        let mut report = Report::new();
        let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
        let spec = check(&corefile.blocks[0].statements[0], zones, &mut report);
        (spec, report.to_string())
    }

    #[test]
    fn it_is_a_mere_word_about_the_first_zone() {
        let zones = ["example.org", "example.com"].map(|zone| Name::parse(zone).unwrap());
        let (spec, printed) = checked("loop", &zones);
        assert_eq!(spec, Some(LoopSpec { zone: zones[0].clone() }), "{printed}");
        assert!(spec.unwrap().describe().contains("a random name in example.org. "));
        assert_eq!(checked("loop", &[]).0, Some(LoopSpec { zone: Name::root() }));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, expected) in [
            ("loop example.org", "Corefile:2:6: error: unexpected argument `example.org`"),
            ("loop {\n off\n}", "Corefile:3:2: error: `loop` has no properties"),
        ] {
            let (spec, printed) = checked(text, &[]);
            assert_eq!(spec, None);
            assert!(printed.starts_with(expected), "{printed}");
        }
    }
}
