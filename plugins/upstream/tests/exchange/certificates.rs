//! Certificates made for one test.

use std::sync::Arc;

use upstream::rustls::crypto::ring;
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
    // named, so that it does not matter which others are built in beside it
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let server = server.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = client.unwrap().with_root_certificates(roots).with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}
