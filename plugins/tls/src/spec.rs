//! What `tls` says.

use std::path::PathBuf;

use contract::corefile::reader::repeated;
use contract::corefile::{Report, Statement, unknown_property, value};
use contract::wire::Name;

/// A server's certificate and what it asks of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSpec {
    /// The certificate chain, the server's own first (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM: PKCS #8, PKCS #1 or SEC1).
    pub key: PathBuf,
    /// Who signs clients' certificates (PEM); `None`: the system's authorities.
    pub ca: Option<PathBuf>,
    /// What is asked of clients.
    pub client_auth: ClientAuth,
    /// Where the secrets of every connection are written, for whoever must decrypt a capture.
    pub keylog: Option<PathBuf>,
}

/// Whether a client shows a certificate, and whether it is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// None is asked for.
    #[default]
    NoCert,
    /// One is asked for; whoever signed it.
    Request,
    /// One is needed; whoever signed it.
    Require,
    /// One that is shown must be signed by the authority.
    VerifyIfGiven,
    /// One is needed, signed by the authority.
    RequireAndVerify,
}

impl ClientAuth {
    const WORDS: [(&str, Self); 5] = [
        ("nocert", Self::NoCert),
        ("request", Self::Request),
        ("require", Self::Require),
        ("verify_if_given", Self::VerifyIfGiven),
        ("require_and_verify", Self::RequireAndVerify),
    ];

    /// True if certificates are held against an authority.
    pub fn verifies(self) -> bool {
        matches!(self, Self::VerifyIfGiven | Self::RequireAndVerify)
    }
}

const PROPERTIES: [&str; 2] = ["client_auth", "keylog"];

/// What belongs to certificates that a server gets for itself (RFC 8555).
const ACME: [&str; 6] = ["acme", "email", "ca", "storage", "ca_root", "resolver"];

/// Reads `tls CERT KEY [CA] { client_auth WORD; keylog FILE }`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<TlsSpec> {
    let before = report.errors();
    if let Some(acme) = acme(statement) {
        let error = report.error(acme.name.span, "certificates are not obtained by ACME here");
        error.help("let cert-manager or an ACME client obtain them, and name the files: `tls CERT KEY`");
        return None;
    }
    let mut reader = statement.reader(report);
    let certificate = reader.value("the file of the certificate (PEM)", path);
    let key = certificate.is_some().then(|| reader.value("the file of its private key (PEM)", path)).flatten();
    let ca = reader.optional_value("the file of the authority of clients (PEM)", path);
    let ca_at = ca.as_ref().and(statement.arguments.get(2)).map(|word| word.span);
    reader.finish();
    let (mut client_auth, mut keylog) = (ClientAuth::default(), None);
    for property in statement.properties() {
        let name = property.name.as_str();
        if PROPERTIES.contains(&name) && repeated(statement, property, report) {
            continue;
        }
        let mut reader = property.reader(report);
        match name {
            "client_auth" => client_auth = reader.choice(&ClientAuth::WORDS).unwrap_or_default(),
            "keylog" => keylog = reader.value("a file to write to", path),
            _ => {
                unknown_property(property, &PROPERTIES, report);
                continue;
            }
        }
        reader.finish();
    }
    if report.errors() != before {
        return None;
    }
    if let Some(span) = ca_at.filter(|_| !client_auth.verifies()) {
        let warning = report.warning(span, "no client's certificate is verified, so CA has no effect");
        warning.help("remove it, or add `client_auth verify_if_given` or `client_auth require_and_verify`");
    }
    Some(TlsSpec { certificate: certificate?, key: key?, ca, client_auth, keylog })
}

impl TlsSpec {
    /// One line in plain words.
    pub fn describe(&self) -> String {
        let asked = match self.client_auth {
            ClientAuth::NoCert => "clients show no certificate",
            ClientAuth::Request => "clients may show a certificate, not verified",
            ClientAuth::Require => "clients must show a certificate, not verified",
            ClientAuth::VerifyIfGiven => "a certificate that a client shows is verified",
            ClientAuth::RequireAndVerify => "clients must show a certificate, verified",
        };
        let keylog = self.keylog.as_ref().map_or("", |_| "; its secrets are written to a file");
        format!("certificate {}, key {}; {asked}{keylog}", self.certificate.display(), self.key.display())
    }
}

/// The first property that belongs to ACME, if the certificate is to come from there. `ca` alone is none of ours either.
fn acme(statement: &Statement) -> Option<&Statement> {
    let properties = statement.properties();
    properties.iter().find(|property| ACME.contains(&property.name.as_str()))
}

fn path(text: &str) -> Result<PathBuf, String> {
    match value::text(text)? {
        empty if empty.is_empty() => Err("an empty path".to_owned()),
        path => Ok(PathBuf::from(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Memory, parse};

    fn checked(text: &str) -> (Option<TlsSpec>, Report) {
        let mut report = Report::new();
        let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
        let spec = check(&corefile.blocks[0].statements[0], &[], &mut report);
        (spec, report)
    }

    #[test]
    fn every_property() {
        let plain = TlsSpec {
            certificate: "c.pem".into(),
            key: "k.pem".into(),
            ca: None,
            client_auth: ClientAuth::NoCert,
            keylog: None,
        };
        assert_eq!(checked("tls c.pem k.pem").0, Some(plain.clone()));
        for (word, client_auth) in ClientAuth::WORDS {
            let meant = TlsSpec { ca: Some("ca.pem".into()), client_auth, ..plain.clone() };
            assert_eq!(
                checked(&format!("tls c.pem k.pem ca.pem {{\n client_auth {word}\n}}")).0,
                Some(meant),
                "{word}"
            );
        }
        let meant = TlsSpec { keylog: Some("/tmp/keys".into()), ..plain };
        assert_eq!(checked("tls c.pem k.pem {\n keylog /tmp/keys\n}").0, Some(meant));
    }

    #[test]
    fn an_authority_without_use_is_warned_of() {
        for (text, warnings) in [
            ("tls c k ca", 1),
            ("tls c k ca {\n client_auth request\n}", 1),
            ("tls c k ca {\n client_auth verify_if_given\n}", 0),
            ("tls c k {\n client_auth require_and_verify\n}", 0),
        ] {
            let (spec, report) = checked(text);
            assert!(spec.is_some(), "{report}");
            assert_eq!(report.warnings(), warnings, "{text}: {report}");
        }
    }

    #[test]
    fn it_is_said_in_plain_words() {
        let (spec, _) = checked("tls c k {\n client_auth require_and_verify\n keylog f\n}");
        assert_eq!(
            spec.unwrap().describe(),
            "certificate c, key k; clients must show a certificate, verified; its secrets are written to a file"
        );
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("tls", "2:4", "the file of the certificate"),
            ("tls c.pem", "2:10", "the file of its private key"),
            ("tls \"\" k.pem", "2:5", "an empty path"),
            ("tls c k ca more", "2:12", "unexpected argument `more`"),
            ("tls c k {\n client_auth\n}", "3:13", "missing argument of `client_auth`"),
            ("tls c k {\n client_auth required\n}", "3:14", "did you mean `require`"),
            ("tls c k {\n client_auth request now\n}", "3:22", "unexpected argument `now`"),
            ("tls c k {\n client_auth request\n client_auth nocert\n}", "4:2", "`client_auth` stands twice"),
            ("tls c k {\n keylog\n}", "3:8", "missing argument of `keylog`"),
            ("tls c k {\n client_aut request\n}", "3:2", "did you mean `client_auth`"),
            ("tls {\n acme dns.example.org\n email a@example.org\n}", "3:2", "not obtained by ACME"),
        ] {
            let (spec, report) = checked(text);
            assert_eq!(spec, None, "{text}");
            let printed = report.to_string();
            assert!(printed.starts_with(&format!("Corefile:{place}: error")), "{text}: {printed}");
            assert!(printed.contains(reason), "{text}: {printed}");
            assert_eq!(report.errors(), 1, "{printed}");
        }
    }
}
