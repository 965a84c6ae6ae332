//! Certificates made for one test.

use std::sync::Arc;

use upstream::rustls::pki_types::PrivateKeyDer;
use upstream::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The two ends of TLS: a server whose certificate is for these names, and a client that trusts it.
pub(crate) fn ends(names: &[&str]) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let made = made.unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let certificate = made.cert.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}
