//! `corefile`: what `nearpath check` says of it.

use contract::corefile::Severity;

use super::super::patient::Patient;
use super::super::verdict::Finding;

/// Tells errors, or else warnings, with their places.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let (text, checked) = match (&patient.text, &patient.checked) {
        (Ok(text), Some(checked)) => (text, checked),
        (Err(why), _) if patient.options.is_some() => {
            return Finding::fail(why.clone(), "name the file by -conf, or mount it");
        }
        (Err(why), _) => return Finding::skip(why.clone()),
        (Ok(_), None) => return Finding::skip("it was not checked"),
    };
    let mend = format!("nearpath check {}", text.name);
    let said = checked.report.diagnostics().into_iter().map(|diagnostic| {
        let told = format!("{}: {}", checked.report.place(diagnostic.span()), diagnostic.message());
        match diagnostic.severity() {
            Severity::Error => {
                Finding::fail(told, format!("{mend}; a running daemon keeps what it serves until the file is right"))
            }
            Severity::Warning => Finding::warn(told, mend.clone()),
            Severity::Hint => Finding::ok(told),
        }
    });
    let rendered = text.warnings.iter().map(|warning| Finding::warn(warning.clone(), mend.clone()));
    Finding::worst(said.chain(rendered).chain([Finding::ok(format!("{} has no error", text.name))]), "")
}
