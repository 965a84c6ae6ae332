//! Given files as they are found on disks, when a server is made of them, then it shakes hands as `tls` says, or one
//! line says which file is wrong and what to do.

#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::corefile::{Memory, Report, parse};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection};
use tls::TlsSpec;

/// A folder of its own with `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key` and `other.key`; gone at
/// the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nearpath-tls-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let this = Self(path);
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        this.write("ca.pem", &ca.pem());
        for who in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([format!("{who}.test")]).unwrap();
            this.write(&format!("{who}.pem"), &params.signed_by(&key, &ca).unwrap().pem());
            this.write(&format!("{who}.key"), &key.serialize_pem());
        }
        this.write("other.key", &KeyPair::generate().unwrap().serialize_pem());
        this
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// The specification of a line in which `@name` means a file of this folder.
    fn spec(&self, line: &str) -> TlsSpec {
        let mut report = Report::new();
        let text = format!(". {{\n{}\n}}\n", line.replace('@', &format!("{}/", self.0.display())));
        let corefile = parse("Corefile", &text, &Memory::new(), &mut report);
        let spec = tls::check(&corefile.blocks[0].statements[0], &[], &mut report);
        spec.unwrap_or_else(|| panic!("{report}"))
    }

    fn server(&self, line: &str) -> Arc<ServerConfig> {
        self.spec(line).load(&[b"dot"]).unwrap_or_else(|error| panic!("{error}"))
    }

    fn error(&self, line: &str) -> String {
        self.spec(line).load(&[]).unwrap_err().to_string()
    }

    /// A client that trusts the folder's authority and shows `name`'s certificate if there is one.
    fn client(&self, name: Option<&str>, version: &'static rustls::SupportedProtocolVersion) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match name {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let certificate = CertificateDer::from_pem_file(self.path(&format!("{name}.pem"))).unwrap();
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key"))).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"dot".to_vec()];
        Arc::new(config)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Shakes hands in memory; the server's side at its end, or what either side objects to.
fn handshake(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> Result<ServerConnection, rustls::Error> {
    let mut server = ServerConnection::new(server)?;
    let mut client = ClientConnection::new(client, "server.test".try_into().unwrap())?;
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut unread = wire.as_slice();
        while !unread.is_empty() {
            server.read_tls(&mut unread).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut unread = wire.as_slice();
        while !unread.is_empty() {
            client.read_tls(&mut unread).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!server.is_handshaking() && !client.is_handshaking());
    Ok(server)
}

#[test]
fn both_versions_and_the_protocol_are_agreed_on() {
    let folder = Folder::new("versions");
    let server = folder.server("tls @server.pem @server.key");
    for (version, number) in
        [(&rustls::version::TLS12, ProtocolVersion::TLSv1_2), (&rustls::version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let connection = handshake(Arc::clone(&server), folder.client(None, version)).unwrap();
        assert_eq!(connection.protocol_version(), Some(number));
        assert_eq!(connection.alpn_protocol(), Some(&b"dot"[..]));
    }
}

#[test]
fn clients_are_asked_for_what_client_auth_says() {
    let folder = Folder::new("clients");
    // The client of another authority: its certificate is sound, but nobody here knows who signed it.
    let stranger = Folder::new("stranger");
    for name in ["client.pem", "client.key"] {
        fs::copy(stranger.path(name), folder.0.join(name.replace("client", "stranger"))).unwrap();
    }
    for (word, nobody, known, unknown) in [
        ("nocert", true, true, true),
        ("request", true, true, true),
        ("require", false, true, true),
        ("verify_if_given", true, true, false),
        ("require_and_verify", false, true, false),
    ] {
        let server = folder.server(&format!("tls @server.pem @server.key @ca.pem {{\n client_auth {word}\n}}"));
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            for (who, expected) in [(None, nobody), (Some("client"), known), (Some("stranger"), unknown)] {
                let shaken = handshake(Arc::clone(&server), folder.client(who, version));
                assert_eq!(shaken.is_ok(), expected, "{word} {who:?} {:?}", shaken.err());
                let shown = shaken.is_ok_and(|server| server.peer_certificates().is_some());
                assert_eq!(shown, expected && who.is_some() && word != "nocert", "{word} {who:?}");
            }
        }
    }
}

#[test]
fn secrets_go_to_the_keylog_that_only_its_owner_reads() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new("keylog");
    let server = folder.server("tls @server.pem @server.key {\n keylog @keys\n}");
    handshake(server, folder.client(None, &rustls::version::TLS13)).unwrap();
    let text = fs::read_to_string(folder.path("keys")).unwrap();
    let line = text.lines().find(|line| line.starts_with("SERVER_TRAFFIC_SECRET_0 ")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!((words.len(), words[1].len()), (3, 64), "{line}");
    assert_eq!(fs::metadata(folder.path("keys")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_wrong_with_a_file_is_said_in_one_line_that_names_it() {
    let folder = Folder::new("errors");
    folder.write("empty", "");
    folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    folder.write("noise.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    folder.write("noise.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    fs::create_dir(folder.0.join("folder")).unwrap();
    let verify = "{\n client_auth require_and_verify\n}";
    for (line, file, reason) in [
        ("tls @none @server.key".to_owned(), "none", "name an existing file"),
        ("tls @folder @server.key".to_owned(), "folder", "not a file of at most"),
        ("tls @server.pem @none".to_owned(), "none", "name an existing file"),
        ("tls @empty @server.key".to_owned(), "empty", "no PEM section with a certificate"),
        ("tls @server.pem @empty".to_owned(), "empty", "no PEM section with a private key"),
        ("tls @server.key @server.pem".to_owned(), "server.key", "are the files of `tls` in their order?"),
        ("tls @broken.pem @server.key".to_owned(), "broken.pem", "broken PEM"),
        ("tls @noise.pem @server.key".to_owned(), "noise.pem", "its first certificate is broken"),
        ("tls @server.pem @noise.key".to_owned(), "noise.key", "not a usable key"),
        ("tls @server.pem @other.key".to_owned(), "other.key", "not the key of"),
        (format!("tls @server.pem @server.key @none {verify}"), "none", "name an existing file"),
        (format!("tls @server.pem @server.key @empty {verify}"), "empty", "no PEM section with a certificate"),
        (format!("tls @server.pem @server.key @noise.pem {verify}"), "noise.pem", "can be used as authority"),
        ("tls @server.pem @server.key {\n keylog @folder\n}".to_owned(), "folder", "the daemon may write to"),
    ] {
        let error = folder.error(&line);
        assert!(error.starts_with(&format!("{}: ", folder.path(file))), "{line}: {error}");
        assert!(error.contains(reason), "{line}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn without_an_authority_of_its_own_the_systems_are_meant() {
    let folder = Folder::new("system");
    let loaded = folder.spec("tls @server.pem @server.key {\n client_auth verify_if_given\n}").load(&[]);
    let bundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"];
    match bundles.iter().any(|path| Path::new(path).is_file()) {
        true => {
            let known = handshake(loaded.unwrap(), folder.client(Some("client"), &rustls::version::TLS13));
            assert!(known.is_err(), "no public authority signed it");
        }
        false => assert!(loaded.is_ok() || loaded.unwrap_err().to_string().contains("name a CA behind the key")),
    }
}
