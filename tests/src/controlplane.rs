//! A real Kubernetes control plane without containers: kube-apiserver and etcd as processes on loopback.
//!
//! ```text
//!   ControlPlane --starts--> etcd <--- kube-apiserver <---HTTPS--- Api (the test: user, controller, kubelet)
//!                                            ^--------HTTPS------- CoreDns, the daemon (kubeconfig)
//! ```
//!
//! No scheduler, no controllers, no kubelet: the test says itself what they would say (`objects`). Nobody removes what
//! is in a deleted namespace, so each test makes namespaces of its own and leaves them.

mod start;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

pub use self::start::{SERVICE_RANGE, program};
use crate::api::Api;
use crate::certificate::{self, Certificate};
use crate::mode;
use crate::place::{self, Folder};
use crate::program::{Caretaker, NEEDS, Program};

/// How long the API server may take until it is ready. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Who may do everything.
pub const ADMIN: &str = "admin";

/// Who may do what every authenticated user may, and that is nothing of the cluster's objects.
pub const NOBODY: &str = "nobody";

/// A control plane at work; ends with its owner.
#[derive(Debug)]
pub struct ControlPlane {
    etcd: Program,
    api_server: Program,
    etcd_address: SocketAddr,
    address: SocketAddr,
    flags: Vec<String>,
    certificate: Certificate,
    ready_after: Duration,
    folder: Folder,
    /// Only of the shared one, which is never dropped.
    _caretaker: Option<Caretaker>,
}

/// The control plane that all ordinary tests of the tier share; `None` where it cannot run, which is named as skipped.
#[track_caller]
pub fn shared() -> Option<&'static ControlPlane> {
    static SHARED: OnceLock<Option<ControlPlane>> = OnceLock::new();
    if !is_possible() {
        return None;
    }
    let start = || {
        let mut plane = ControlPlane::start();
        plane._caretaker = Some(Caretaker::of(plane.folder.path()));
        Some(plane)
    };
    SHARED.get_or_init(start).as_ref()
}

/// True if control planes can run here. If not, the tier is named as skipped, and in CI the test fails.
#[track_caller]
pub fn is_possible() -> bool {
    let built = std::env::var_os("NEARPATH_CONTROLPLANE").is_some();
    if !mode::have("cluster", if built { &[NEEDS] } else { &[NEEDS, "go"] }) {
        return false;
    }
    if !place::has_pod_network() {
        mode::skip(
            "cluster",
            "addresses of pods are not local here; `tests/cluster/inside COMMAND` makes a network for it",
        );
        return false;
    }
    true
}

impl ControlPlane {
    /// Starts one of its own, for a test that kills it or asks for its metrics, and waits until it is ready. Ask
    /// [`is_possible`] first.
    #[track_caller]
    pub fn start() -> Self {
        Self::given(&[], &[])
    }

    /// The same with more users, each with its groups, and more flags of kube-apiserver.
    #[track_caller]
    pub fn given(users: &[(&str, &[&str])], flags: &[&str]) -> Self {
        let folder = Folder::new();
        let (address, etcd_address) = (place::socket(), place::socket());
        let certificate = certificate::make(&folder, "kubernetes.default.svc", address.ip());
        start::write_users(&folder, users);
        let mut all = start::flags(address, etcd_address, &folder, &certificate);
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let begun = Instant::now();
        let etcd = start::etcd(etcd_address, &folder);
        let api_server = start::api_server(&all, &folder);
        let mut plane = Self {
            etcd,
            api_server,
            etcd_address,
            address,
            flags: all,
            certificate,
            ready_after: Duration::ZERO,
            folder,
            _caretaker: None,
        };
        plane.wait_until_ready();
        plane.ready_after = begun.elapsed();
        plane
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let (api, deadline) = (self.api(), Instant::now() + PATIENCE);
        loop {
            let ready = api.text("/readyz");
            // it remembers for a while that etcd was well, so it has to read something out of it too
            let reads = || api.get("/api/v1/namespaces/kube-system?timeout=2s").is_ok();
            if ready.as_ref().is_ok_and(|text| text == "ok") && reads() {
                return;
            }
            for (name, program) in [("etcd", &mut self.etcd), ("kube-apiserver", &mut self.api_server)] {
                if let Some(status) = program.ended() {
                    panic!("{name} ended with {status}:\n{}", program.last_words());
                }
            }
            let last = || self.api_server.last_words();
            assert!(Instant::now() < deadline, "not ready within {PATIENCE:?}: {ready:?}\n{}", last());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// How long it took from nothing until it was ready.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Where the API server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The authority that signed the API server's certificate, PEM.
    pub fn ca_file(&self) -> &Path {
        &self.certificate.authority
    }

    /// The API as the admin sees it.
    pub fn api(&self) -> Api {
        self.api_of(&self.admin_token())
    }

    /// The API as the owner of a token sees it.
    pub fn api_of(&self, token: &str) -> Api {
        Api::new(self.address, self.ca_file(), token)
    }

    /// The token of [`ADMIN`].
    pub fn admin_token(&self) -> String {
        self.token_for(ADMIN)
    }

    /// The token of a user that it was started with.
    #[track_caller]
    pub fn token_for(&self, user: &str) -> String {
        let known = std::fs::read_to_string(self.folder.file("tokens.csv")).expect("written before it started");
        let user = format!("\"{user}\"");
        let mut lines = known.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let line = lines.find(|line| line[1] == user).unwrap_or_else(|| panic!("no user is called {user}"));
        line[0].to_owned()
    }

    /// A kubeconfig with this token.
    pub fn kubeconfig(&self, token: &str) -> PathBuf {
        self.write_kubeconfig(&json!({ "token": token }))
    }

    /// A kubeconfig that names a file with the token, which may be written anew while it is in use.
    pub fn kubeconfig_with_token_file(&self, token: &Path) -> PathBuf {
        self.write_kubeconfig(&json!({ "tokenFile": token }))
    }

    fn write_kubeconfig(&self, user: &serde_json::Value) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let cluster = json!({ "server": self.url(), "certificate-authority": self.ca_file() });
        // JSON is YAML
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "tests", "cluster": cluster }],
            "users": [{ "name": "tests", "user": user }],
            "contexts": [{ "name": "tests", "context": { "cluster": "tests", "user": "tests" } }],
            "current-context": "tests",
        });
        let name = format!("kubeconfig-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.folder.write(&name, &config.to_string())
    }

    /// Resident memory of the API server, KiB.
    pub fn memory_of_api_server(&self) -> u64 {
        self.api_server.resident()
    }

    /// Resident memory of etcd, KiB.
    pub fn memory_of_etcd(&self) -> u64 {
        self.etcd.resident()
    }

    /// The API server's own metrics, as text.
    #[track_caller]
    pub fn metrics(&self) -> String {
        self.api().text("/metrics").unwrap_or_else(|refusal| panic!("/metrics: {refusal}"))
    }

    /// Kills the API server (-9).
    pub fn kill_api_server(&mut self) {
        self.api_server.kill();
    }

    /// Sends the API server a signal: SIGSTOP makes it hang with its connections open, SIGCONT go on.
    pub fn signal_api_server(&mut self, signal: Signal) {
        self.api_server.signal(signal);
    }

    /// Starts the API server again, at the same address, before the same etcd, and waits until it is ready.
    #[track_caller]
    pub fn start_api_server(&mut self) {
        self.api_server = start::api_server(&self.flags, &self.folder);
        self.wait_until_ready();
    }

    /// Kills etcd (-9). Until it is back, reads that the API server cannot answer from memory and all writes wait up to a
    /// minute, unless their path says `?timeout=1s`.
    pub fn kill_etcd(&mut self) {
        self.etcd.kill();
    }

    /// Starts etcd again with the same data, and waits until the API server, if it runs, is ready again.
    #[track_caller]
    pub fn start_etcd(&mut self) {
        self.etcd = start::etcd(self.etcd_address, &self.folder);
        if self.api_server.ended().is_none() {
            self.wait_until_ready();
        }
    }
}
