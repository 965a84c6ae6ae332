//! What `debug` says: nothing but that it is there.

use contract::corefile::{Report, Statement, no_arguments};
use contract::wire::Name;

/// Lines of level debug are written, by the whole daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DebugSpec;

/// Reads `debug`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<DebugSpec> {
    let before = report.errors();
    no_arguments(statement, report);
    (report.errors() == before).then_some(DebugSpec)
}

impl DebugSpec {
    /// One line in plain words.
    pub fn describe(&self) -> String {
        "writes lines of level debug, for the whole daemon".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Memory, parse};

    fn checked(text: &str) -> (Option<DebugSpec>, String) {
        let mut report = Report::new();
        let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
        let spec = check(&corefile.blocks[0].statements[0], &[], &mut report);
        (spec, report.to_string())
    }

    #[test]
    fn it_is_a_mere_word() {
        assert_eq!(checked("debug"), (Some(DebugSpec), String::new()));
        let (spec, printed) = checked("debug all");
        assert_eq!(spec, None);
        assert!(printed.starts_with("Corefile:2:7: error: unexpected argument `all`"), "{printed}");
        let (spec, printed) = checked("debug {\n x\n}");
        assert_eq!(spec, None);
        assert!(printed.starts_with("Corefile:3:2: error: `debug` has no properties"), "{printed}");
    }
}
