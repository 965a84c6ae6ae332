//! A scripted API server for what a real one does not do on demand: it keeps pods, slices and Services in memory, tells of
//! them over HTTPS, misbehaves as told, and remembers what it was asked.
//!
//! ```text
//!   test --put, deletes--> Store (objects, versions) --list, watch--> Connection (a thread each) --HTTPS--> daemon
//!     '----fails, heals, dies, revives, .. --> Fault ----------------------^
//! ```

mod connection;
mod fault;
mod request;
mod script;
mod store;

use std::net::{Shutdown, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use self::connection::Connection;
pub use self::fault::{Fault, Streams};
pub use self::request::What;
pub use self::script::Seen;
use self::script::{Script, State, TICK};
use self::store::Store;
use crate::certificate::{Authority, Signed};
use crate::objects::{Pod, PodStatus};
use crate::place::{self, Folder};

/// The token that is accepted at first.
const FIRST_TOKEN: &str = "first-token";
/// A certificate's last year, and one that is over.
const VALID: i32 = 4096;
const EXPIRED: i32 = 2020;

/// The API server. Its sockets close with it.
#[derive(Debug)]
pub struct ApiServer {
    address: SocketAddr,
    folder: Folder,
    authority: Authority,
    script: Arc<Script>,
    listener: Option<JoinHandle<()>>,
}

impl ApiServer {
    /// One that serves and knows nothing.
    #[expect(clippy::new_without_default, reason = "it opens sockets")]
    pub fn new() -> Self {
        let (address, folder, authority) = (place::socket(), Folder::new(), Authority::new());
        let state = State {
            store: Store::new(),
            old: Store::new(),
            fault: None,
            streams: Streams::Given,
            token: FIRST_TOKEN.to_owned(),
            bookmarks_every: Duration::from_secs(1),
            said: Vec::new(),
            expelled: 0,
            ended: 0,
            silent_below: 0,
            seen: Vec::new(),
            tls: shown(&authority.signs("kubernetes", address.ip(), VALID)),
            sockets: Vec::new(),
            connections: 0,
            watching: 0,
            is_open: false,
        };
        let mut server = Self { address, folder, authority, script: Arc::new(Script::new(state)), listener: None };
        server.hands_out(FIRST_TOKEN);
        server.hands_out_authority();
        server.revives();
        server
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A kubeconfig that names a file with the authority and one with the token.
    pub fn kubeconfig(&self) -> PathBuf {
        let cluster = json!({
            "server": format!("https://{}", self.address),
            "certificate-authority": self.folder.file("ca.pem"),
        });
        // JSON is YAML
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "scripted", "cluster": cluster }],
            "users": [{ "name": "scripted", "user": { "tokenFile": self.folder.file("token") } }],
            "contexts": [{ "name": "scripted", "context": { "cluster": "scripted", "user": "scripted" } }],
            "current-context": "scripted",
        });
        self.folder.write("kubeconfig", &config.to_string())
    }

    /// Flags of a daemon on a node of this name. Its folder needs a `resolv.conf`.
    pub fn flags(&self, node: &str) -> Vec<String> {
        let kubeconfig = self.kubeconfig().display().to_string();
        let flags = ["-kubeconfig", &kubeconfig, "-node-name", node, "-host-resolvconf", "resolv.conf"];
        flags.into_iter().chain(["-kubelet-config", "none"]).map(str::to_owned).collect()
    }

    // what there is

    /// Makes or changes an object, and gives it with its uid and version.
    pub fn put(&self, object: Value) -> Value {
        self.script.change(|state| state.store.put(object))
    }

    /// Makes or changes a pod with what its kubelet says of it.
    pub fn pod(&self, pod: &Pod, status: &PodStatus) -> Value {
        let mut object = pod.object();
        object["status"] = status.object();
        self.put(object)
    }

    /// Makes or changes the one slice of a Service: these are ready, over TCP.
    pub fn endpoints(&self, namespace: &str, service: &str, ready: &[SocketAddr]) {
        let port = ready.first().map_or(53, SocketAddr::port);
        let endpoint = |address: &SocketAddr| json!({ "addresses": [address.ip()], "conditions": { "ready": true } });
        let labels = json!({ "kubernetes.io/service-name": service });
        self.put(json!({
            "kind": "EndpointSlice",
            "metadata": { "namespace": namespace, "name": format!("{service}-1"), "labels": labels },
            "addressType": "IPv4",
            "endpoints": ready.iter().map(endpoint).collect::<Vec<_>>(),
            "ports": [{ "name": "dns-tcp", "port": port, "protocol": "TCP" }],
        }));
    }

    /// Removes an object, and gives it as watches tell of it.
    #[track_caller]
    pub fn deletes(&self, kind: &str, namespace: &str, name: &str) -> Value {
        self.script.change(|state| state.store.delete(kind, namespace, name))
    }

    // what it does wrong

    /// Does this wrong until it is healed, or does something else wrong: what is old stays as old as it was then.
    pub fn fails(&self, fault: Fault) {
        self.script.change(|state| {
            if state.fault.is_none() {
                state.old = state.store.clone();
            }
            state.fault = Some(fault);
        });
    }

    /// Does nothing wrong any more.
    pub fn heals(&self) {
        self.script.change(|state| state.fault = None);
    }

    /// How it takes `sendInitialEvents` from now on.
    pub fn streams(&self, how: Streams) {
        self.script.change(|state| state.streams = how);
    }

    /// How often watches get a bookmark: every second unless it is changed.
    pub fn bookmarks_every(&self, interval: Duration) {
        self.script.change(|state| state.bookmarks_every = interval);
    }

    /// Tells an event in all open watches of the object's kind, whatever is true.
    pub fn tells(&self, event: &str, object: &Value) {
        let kind = if object["kind"] == "Pod" { "Pod" } else { "EndpointSlice" };
        let line = json!({ "type": event, "object": object }).to_string();
        self.script.change(|state| state.said.push((kind, line)));
    }

    /// Forgets what happened until now: watches from an earlier version get 410.
    pub fn forgets(&self) {
        self.script.change(|state| {
            state.store.version += 1; // elsewhere in the cluster something has changed
            state.store.forgotten = state.store.version;
        });
    }

    /// The same, and tells open watches so, by an event.
    pub fn expels(&self) {
        self.forgets();
        self.script.change(|state| state.expelled += 1);
    }

    /// Ends all open watches, properly and without a word.
    pub fn ends_watches(&self) {
        self.script.change(|state| state.ended += 1);
    }

    /// Closes all connections and goes on taking new ones.
    pub fn resets(&self) {
        self.script.change(|state| {
            state.sockets.drain(..).for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
        });
    }

    /// Says nothing on any connection that is open now, ever.
    pub fn forsakes(&self) {
        self.script.change(|state| state.silent_below = state.connections);
    }

    /// Closes its sockets: the system answers in its place that nobody is there.
    pub fn dies(&mut self) {
        self.script.change(|state| state.is_open = false);
        if let Some(listener) = self.listener.take() {
            listener.join().expect("an API server's thread does not panic");
        }
        self.resets();
    }

    /// Opens its sockets, at the same address as ever, with all that it knew.
    #[track_caller]
    pub fn revives(&mut self) {
        let listener = TcpListener::bind(self.address).expect("the address is free");
        self.script.change(|state| state.is_open = true);
        let script = Arc::clone(&self.script);
        self.listener = Some(std::thread::spawn(move || listen(&listener, &script)));
    }

    // who may ask, and whom they believe

    /// Accepts this token alone from now on. Open watches go on.
    pub fn accepts(&self, token: &str) {
        self.script.change(|state| token.clone_into(&mut state.token));
    }

    /// Writes the file with the token, as a kubelet does.
    pub fn hands_out(&self, token: &str) {
        self.folder.write("token", token);
    }

    /// Shows a certificate that has expired to new connections.
    pub fn lets_its_certificate_expire(&self) {
        self.shows(EXPIRED);
    }

    /// Shows a valid certificate of the same authority.
    pub fn renews_its_certificate(&self) {
        self.shows(VALID);
    }

    /// Shows a certificate of another authority to new connections, of which nobody was told.
    pub fn changes_its_authority(&mut self) {
        self.authority = Authority::new();
        self.shows(VALID);
    }

    /// Writes the file with the authority.
    pub fn hands_out_authority(&self) {
        self.folder.write("ca.pem", self.authority.pem());
    }

    fn shows(&self, until: i32) {
        let tls = shown(&self.authority.signs("kubernetes", self.address.ip(), until));
        self.script.change(|state| state.tls = tls);
    }

    // what it was asked

    /// All requests, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.script.state().seen.clone()
    }

    /// How many lists of a kind it was asked for, streamed or not.
    pub fn lists_of(&self, kind: &str) -> usize {
        self.seen()
            .iter()
            .filter(|seen| seen.kind == kind && matches!(seen.what, What::List | What::StreamedList))
            .count()
    }

    /// How many connections it took.
    pub fn connections(&self) -> usize {
        self.script.state().connections
    }

    /// How many watches are open.
    pub fn watching(&self) -> usize {
        self.script.state().watching
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.dies();
    }
}

fn listen(listener: &TcpListener, script: &Arc<Script>) {
    listener.set_nonblocking(true).expect("a listener");
    while script.state().is_open {
        let Ok((tcp, _)) = listener.accept() else {
            std::thread::sleep(TICK);
            continue;
        };
        let Ok(socket) = tcp.try_clone() else { continue };
        let number = script.change(|state| {
            state.sockets.push(socket);
            state.connections += 1;
            state.connections - 1
        });
        let script = Arc::clone(script);
        std::thread::spawn(move || Connection::serve(tcp, &script, number).unwrap_or(()));
    }
}

/// What a server with this certificate shows.
fn shown(signed: &Signed) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(signed.certificate.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).expect("PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.expect("ring has them").with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate], key).expect("the key is the certificate's"))
}
