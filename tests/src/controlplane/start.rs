//! How a control plane starts: where its programs come from, who its users are, its flags.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::{ADMIN, NOBODY};
use crate::certificate::Certificate;
use crate::mode;
use crate::place::Folder;
use crate::program::Program;

/// Where cluster IPs come from.
pub const SERVICE_RANGE: &str = "10.96.0.0/16";

/// The users that every control plane knows, with their groups. Further ones: [`ControlPlane::given`], or service
/// accounts ([`Api::service_account_token`]).
const USERS: &[(&str, &[&str])] = &[(ADMIN, &["system:masters"]), (NOBODY, &[])];

/// A program of the control plane, or CoreDNS: from the folder that `NEARPATH_CONTROLPLANE` names, else built now.
pub fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os("NEARPATH_CONTROLPLANE") {
            return folder.into();
        }
        let own = std::env::current_exe().expect("a test knows where it is");
        let folder = own.ancestors().nth(3).expect("target/debug/deps/all").join("controlplane");
        let status = Command::new(mode::root().join("tests/cluster/build")).arg(&folder).status();
        assert!(status.is_ok_and(|status| status.success()), "the control plane does not build");
        folder
    });
    folder.join(name)
}

/// Writes the users with their tokens, and the keys that sign the tokens of service accounts.
pub(super) fn write_users(folder: &Folder, users: &[(&str, &[&str])]) {
    folder.write("tokens.csv", &tokens(USERS.iter().chain(users)));
    let key = rcgen::KeyPair::generate().expect("a key");
    folder.write("accounts.key", &key.serialize_pem());
    folder.write("accounts.pub", &key.public_key_pem());
}

/// Lines of a token file: `token,user,uid,"group,.."`.
fn tokens<'a>(users: impl Iterator<Item = &'a (&'a str, &'a [&'a str])>) -> String {
    let line = |(number, (user, groups)): (usize, &(&str, &[&str]))| {
        format!("token-{number}-of-the-tests,\"{user}\",{number},\"{}\"\n", groups.join(","))
    };
    users.enumerate().map(line).collect()
}

pub(super) fn etcd(address: SocketAddr, folder: &Folder) -> Program {
    let clients = format!("http://{address}");
    let peers = format!("http://{}", SocketAddr::new(address.ip(), address.port() + 1));
    let flags = [
        "--name=tests".to_owned(),
        format!("--data-dir={}", folder.file("etcd").display()),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=tests={peers}"),
        "--log-level=warn".to_owned(),
        // what is written survives the process, and nobody pulls the plug
        "--unsafe-no-fsync".to_owned(),
    ];
    Program::start(&program("etcd"), &flags, &[], &folder.file("etcd.log"))
}

pub(super) fn api_server(flags: &[String], folder: &Folder) -> Program {
    Program::start(&program("kube-apiserver"), flags, &[], &folder.file("kube-apiserver.log"))
}

pub(super) fn flags(address: SocketAddr, etcd: SocketAddr, folder: &Folder, certificate: &Certificate) -> Vec<String> {
    let file = |name: &str| folder.file(name).display().to_string();
    vec![
        format!("--bind-address={}", address.ip()),
        format!("--secure-port={}", address.port()),
        // nobody reaches it by the service `kubernetes`: that would take an address that is no loopback
        format!("--advertise-address={}", address.ip()),
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--cert-dir={}", file("certificates")),
        format!("--tls-cert-file={}", certificate.certificate.display()),
        format!("--tls-private-key-file={}", certificate.key.display()),
        format!("--etcd-servers=http://{etcd}"),
        format!("--service-account-key-file={}", file("accounts.pub")),
        format!("--service-account-signing-key-file={}", file("accounts.key")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-cluster-ip-range={SERVICE_RANGE}"),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--authorization-mode=Node,RBAC".to_owned(),
        // no controller makes the accounts that this plugin would ask for
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--profiling=false".to_owned(),
    ]
}
