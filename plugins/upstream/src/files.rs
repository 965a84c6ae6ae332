//! From certificates in files to the client's side of TLS.

mod authorities;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::BuildError;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub use authorities::system_authorities;

/// The arguments of the property `tls`: `tls [CA]`, `tls CERT KEY` or `tls CERT KEY CA`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The client's certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whom to trust; `None`: whom the system trusts, or the public authorities where it has none.
    pub authority: Option<PathBuf>,
}

impl TlsFiles {
    /// Reads the files.
    pub fn load(&self) -> Result<Arc<ClientConfig>, BuildError> {
        let roots = match &self.authority {
            None => authorities::or_public(system_authorities()),
            Some(path) => written(path)?,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(roots);
        let Some((certificate, key)) = &self.client else { return Ok(Arc::new(builder.with_no_client_auth())) };
        let chain = certificates(certificate)?;
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| BuildError::file(key, format!("{error}; `tls` needs a private key in PEM form here")))?;
        let config = builder.with_client_auth_cert(chain, private);
        config.map(Arc::new).map_err(|error| BuildError::file(certificate, format!("with {}: {error}", key.display())))
    }
}

/// The authorities of a file that was named: each must be one.
fn written(path: &Path) -> Result<RootCertStore, BuildError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| BuildError::file(path, error))?;
    }
    Ok(roots)
}

/// All certificates of a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let hint = "`tls` needs a certificate in PEM form here";
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| BuildError::file(path, format!("{error}; {hint}")))?;
    if certificates.is_empty() {
        return Err(BuildError::file(path, format!("no certificate in it; {hint}")));
    }
    Ok(certificates)
}
