//! A certificate authority and a server's certificate for one test.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::place::Folder;

/// Files in PEM form.
#[derive(Debug)]
pub struct Certificate {
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority that signed it.
    pub authority: PathBuf,
}

/// Makes a certificate for a name and an address, in a folder.
pub fn make(folder: &Folder, name: &str, address: IpAddr) -> Certificate {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "nearpath tests");
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let authority = parameters.self_signed(&authority_key).expect("a certificate");
    let issuer = rcgen::Issuer::new(parameters, authority_key);

    let mut parameters =
        rcgen::CertificateParams::new(vec![name.to_owned(), address.to_string()]).expect("a name and an address");
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = parameters.signed_by(&key, &issuer).expect("a certificate");
    Certificate {
        certificate: folder.write("server.pem", &certificate.pem()),
        key: folder.write("server.key", &key.serialize_pem()),
        authority: folder.write("authority.pem", &authority.pem()),
    }
}
