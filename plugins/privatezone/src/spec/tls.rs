//! The property `tls`, and what is written of TLS where nobody is asked over it.

use std::path::PathBuf;

use contract::corefile::{Reader, Report, Statement};
use upstream::TlsFiles;

/// `tls [CA]`, `tls CERT KEY` or `tls CERT KEY CA`.
pub(crate) fn files(reader: &mut Reader<'_, '_>) -> TlsFiles {
    let mut files = Vec::new();
    while files.len() < 3
        && let Some(word) = reader.optional()
    {
        files.push(PathBuf::from(&word.text));
    }
    let mut files = files.into_iter();
    match (files.next(), files.next(), files.next()) {
        (Some(certificate), Some(key), authority) => TlsFiles { client: Some((certificate, key)), authority },
        (authority, ..) => TlsFiles { client: None, authority },
    }
}

/// Warns of what only TLS has.
pub(crate) fn without_effect(statement: &Statement, report: &mut Report) {
    for name in ["tls", "tls_servername"] {
        if let Some(property) = statement.property(name) {
            let message = format!("`{name}` has no effect: no upstream is asked over TLS");
            report.warning(property.name.span, message).help("write `transport tls`");
        }
    }
}
