//! A certificate authority and a server's certificates for one test.

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

/// Whoever signs.
#[derive(Debug)]
pub struct Authority {
    pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

/// A certificate and its key in PEM form.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// A new one, of the same name as every other.
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "nearpath tests");
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = parameters.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: rcgen::Issuer::new(parameters, key) }
    }

    /// Its own certificate in PEM form.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Signs a certificate for a name and an address, valid up to the end of the year before `until`.
    pub fn signs(&self, name: &str, address: IpAddr, until: i32) -> Signed {
        let names = vec![name.to_owned(), address.to_string()];
        let mut parameters = rcgen::CertificateParams::new(names).expect("a name and an address");
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        Signed { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// Makes a certificate for a name and an address, in a folder.
pub fn make(folder: &Folder, name: &str, address: IpAddr) -> Certificate {
    let authority = Authority::new();
    let signed = authority.signs(name, address, 4096);
    Certificate {
        certificate: folder.write("server.pem", &signed.certificate),
        key: folder.write("server.key", &signed.key),
        authority: folder.write("authority.pem", authority.pem()),
    }
}
