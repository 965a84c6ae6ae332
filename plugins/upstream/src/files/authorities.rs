//! Whom the system trusts: the authorities that its administrator has put where Go's programs look for them too, so that an upstream
//! that CoreDNS trusts is trusted here.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustls_native_certs::{CertificateResult, ErrorKind, load_certs_from_paths};
use tokio_rustls::rustls::RootCertStore;

/// Files with many certificates, of which the first that can be read counts.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",                // Debian
    "/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora
    "/etc/ssl/ca-bundle.pem",                            // openSUSE
    "/etc/pki/tls/cacert.pem",                           // OpenELEC
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL
    "/etc/ssl/cert.pem",                                 // Alpine
];

/// Folders of files with certificates, all of which count.
const FOLDERS: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// The authorities that the system trusts; none in an image from nothing.
pub fn system_authorities() -> RootCertStore {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
    of(&places(variable("SSL_CERT_FILE").as_deref(), variable("SSL_CERT_DIR").as_deref()))
}

/// These, or where there is none the public ones that are compiled in.
pub(super) fn or_public(mut roots: RootCertStore) -> RootCertStore {
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// Files and folders to look in, with what the environment says in place of the usual ones: a file; folders with colons between
/// them. Each is said for itself, as with Go: `load_native_certs` would leave the usual folders out where only a file is said.
pub(super) fn places(bundle: Option<&OsStr>, folders: Option<&OsStr>) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let bundles = bundle.map_or_else(|| BUNDLES.map(PathBuf::from).to_vec(), |path| vec![path.into()]);
    let folders = folders.map_or_else(|| FOLDERS.map(PathBuf::from).to_vec(), |list| env::split_paths(list).collect());
    (bundles, folders)
}

/// Whoever is found there, each once.
pub(super) fn of((bundles, folders): &(Vec<PathBuf>, Vec<PathBuf>)) -> RootCertStore {
    let bundle = bundles.iter().find_map(|path| readable(path));
    let loose = folders.iter().map(|folder| load_certs_from_paths(None, Some(folder)));
    let mut certificates: Vec<_> = bundle.into_iter().chain(loose).flat_map(|found| found.certs).collect();
    certificates.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    certificates.dedup(); // a folder has those of the bundle too
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    roots
}

/// What a file has, if it can be read to its end. Certificates that are none are passed over.
fn readable(path: &Path) -> Option<CertificateResult> {
    let found = load_certs_from_paths(Some(path), None);
    let is_read = !found.errors.iter().any(|error| matches!(error.kind, ErrorKind::Io { .. }));
    is_read.then_some(found)
}
