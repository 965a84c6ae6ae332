//! From files to a TLS server. Each thing that can be wrong with a file is said in one line that names the file.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use contract::BuildError;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig};

use crate::any_client::AnyClient;
use crate::keylog::KeyLogFile;
use crate::spec::{ClientAuth, TlsSpec};

/// The largest file that is read, octets; a bundle of all public authorities is a quarter of a million.
const FILE_MAX: u64 = 4 << 20;

impl TlsSpec {
    /// Reads the files and makes the server's side of TLS 1.2 and 1.3. `alpn`: protocols in order of preference, such as
    /// `dot` (RFC 7858) or `h2` and `http/1.1`; empty: none is negotiated.
    pub fn load(&self, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, BuildError> {
        let provider = Arc::new(ring::default_provider());
        let certified = self.certified_key(&provider)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3");
        let builder = match self.client_verifier(&provider)? {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        if let Some(path) = &self.keylog {
            let file = KeyLogFile::open(path).map_err(|error| {
                BuildError::file(path, format!("{error}; `keylog` needs a file that the daemon may write to"))
            })?;
            config.key_log = Arc::new(file);
        }
        Ok(Arc::new(config))
    }

    fn certified_key(&self, provider: &CryptoProvider) -> Result<CertifiedKey, BuildError> {
        let chain = certificates(&self.certificate)?;
        let pem = read(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| not_pem(&self.key, &error, "a private key"))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let certificate = self.certificate.display();
                BuildError::file(&self.key, format!("not the key of {certificate}; the two files must belong together"))
            }
            Error::InvalidCertificate(reason) => BuildError::file(
                &self.certificate,
                format!("its first certificate is broken ({reason:?}); write it anew"),
            ),
            other => {
                BuildError::file(&self.key, format!("not a usable key ({other}); RSA, ECDSA and Ed25519 keys are"))
            }
        })
    }

    fn client_verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, BuildError> {
        let mandatory = match self.client_auth {
            ClientAuth::NoCert => return Ok(None),
            ClientAuth::Request => return Ok(Some(AnyClient::new(Arc::clone(provider), false))),
            ClientAuth::Require => return Ok(Some(AnyClient::new(Arc::clone(provider), true))),
            ClientAuth::VerifyIfGiven => false,
            ClientAuth::RequireAndVerify => true,
        };
        let roots = match &self.ca {
            Some(path) => authorities(path)?,
            None => system_authorities()?,
        };
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let builder = if mandatory { builder } else { builder.allow_unauthenticated() };
        Ok(Some(builder.build().expect("there are authorities, and no revocation lists")))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    let advice = "name an existing file that the daemon may read";
    let size = fs::metadata(path).map_err(|error| BuildError::file(path, format!("{error}; {advice}")))?;
    if !size.is_file() || size.len() > FILE_MAX {
        return Err(BuildError::file(path, format!("not a file of at most {FILE_MAX} octets; {advice}")));
    }
    fs::read(path).map_err(|error| BuildError::file(path, format!("{error}; {advice}")))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(none) if none.is_empty() => Err(not_pem(path, &pem::Error::NoItemsFound, "a certificate")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(not_pem(path, &error, "a certificate")),
    }
}

fn not_pem(path: &Path, error: &pem::Error, what: &str) -> BuildError {
    let reason = match error {
        pem::Error::NoItemsFound => format!("no PEM section with {what} in it; are the files of `tls` in their order?"),
        _ => format!("broken PEM where {what} should stand; write the file anew"),
    };
    BuildError::file(path, reason)
}

/// The authorities of a bundle. Those that cannot be read are left out, as bundles of systems hold very old ones; one
/// must remain.
fn authorities(path: &Path) -> Result<RootCertStore, BuildError> {
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(certificates(path)?);
    match usable {
        0 => Err(BuildError::file(path, "no certificate in it can be used as authority")),
        _ => Ok(roots),
    }
}

/// Those whom our own questions over TLS trust too. None are compiled in for clients: whoever signs for everybody says of nobody
/// that he may ask here, so that this must be the administrator's own word.
fn system_authorities() -> Result<RootCertStore, BuildError> {
    let roots = upstream::system_authorities();
    match roots.is_empty() {
        false => Ok(roots),
        true => Err(BuildError::Unavailable {
            what: "tls".to_owned(),
            reason: "this system has no certificates of authorities; name a CA behind the key".to_owned(),
        }),
    }
}
