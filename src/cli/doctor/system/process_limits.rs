//! `/proc/PID/limits`: what a process may have open.

use std::path::Path;

/// The limit of open files that holds for a process; `None` where it cannot be read, or there is none.
pub(in super::super) fn open_files(process: &Path) -> Option<u64> {
    parse(&std::fs::read_to_string(process.join("limits")).ok()?)
}

/// `Max open files            1024                 524288               files`: the first figure holds.
fn parse(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_holds() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max cpu time              unlimited            unlimited            seconds   \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(parse(text), Some(1_024));
        assert_eq!(parse(&text.replace("1024", "unlimited")), None);
        assert_eq!(parse(""), None);
        assert!(open_files(Path::new("/proc/self")).is_some_and(|limit| limit > 0));
    }
}
