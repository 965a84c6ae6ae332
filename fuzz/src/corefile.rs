//! A Corefile of any text: read to its end with errors that can be shown, from memory alone.

use corefile_compat::{Memory, Report, parse};

/// Takes a text as the daemon does its Corefile.
pub fn corefile(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut report = Report::new();
    let _ = parse("Corefile", &text, &Memory::new(), &mut report);
    let _ = report.to_string();
}
