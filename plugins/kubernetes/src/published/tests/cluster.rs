//! The watches as `Cluster::published` starts them, over TCP on loopback: shared, and ended with the last holder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::wire::{Name, RecordType};
use contract::{Cluster as _, RuntimeClock, Wanted};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::{Kubernetes, Settings};

/// Nothing here takes longer on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that streams one object of each collection, and stays silent then.
#[derive(Clone, Default)]
struct Server {
    /// The paths of watches that are open.
    open: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Server {
    /// Its address.
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        format!("http://{address}")
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap_or(b'\n'));
            assert!(head.len() < 10_000);
        }
        let path = String::from_utf8(head).unwrap().split([' ', '?']).nth(1).unwrap_or_default().to_owned();
        *self.open.lock().unwrap().entry(path.clone()).or_default() += 1;
        let meta = json!({"name": "web", "namespace": "shop", "uid": "1", "resourceVersion": "7",
            "annotations": {"external-dns.alpha.kubernetes.io/hostname": "web.z"}});
        let object = json!({"metadata": meta, "spec": {"type": "ExternalName", "externalName": "192.0.2.1"}});
        let end = json!({"metadata": {"resourceVersion": "9", "annotations": {"k8s.io/initial-events-end": "true"}}});
        let lines =
            format!("{}\n{}\n", json!({"type": "ADDED", "object": object}), json!({"type": "BOOKMARK", "object": end}));
        let reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{lines}\r\n",
            lines.len()
        );
        if stream.write_all(reply.as_bytes()).await.is_ok() {
            let _ = stream.read_u8().await; // until the other side goes
        }
        *self.open.lock().unwrap().get_mut(&path).unwrap() -= 1;
    }

    async fn until(&self, is_so: impl Fn(&BTreeMap<String, usize>) -> bool) {
        let wait = async {
            while !is_so(&self.open.lock().unwrap()) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{:?}", self.open.lock().unwrap()));
    }
}

fn kubernetes(url: &str, folder: &Path) -> Kubernetes {
    std::fs::create_dir_all(folder).unwrap();
    let file = folder.join("kubeconfig");
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": url}}], "users": [{"name": "x", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]});
    std::fs::write(&file, config.to_string()).unwrap();
    let settings = Settings { kubeconfig: Some(file), ..Settings::default() };
    let runtime = tokio::runtime::Handle::current();
    Kubernetes::new(settings, Arc::new(RuntimeClock::start()), Arc::default(), Arc::default(), runtime)
}

fn wanted(zones: &[&str], namespace: Option<&str>) -> Wanted {
    let zones = zones.iter().map(|zone| Name::parse(zone).unwrap()).collect();
    Wanted { zones, namespace: namespace.map(str::to_owned), services: true, ..Wanted::default() }
}

#[tokio::test]
async fn who_wants_the_same_shares_a_watch_which_ends_with_the_last_of_them() {
    let server = Server::default();
    let folder = std::env::temp_dir().join(format!("nearpath-published-{}", std::process::id()));
    let kubernetes = kubernetes(&server.start().await, &folder);
    let first = kubernetes.published(&wanted(&["z", "y"], None)).unwrap();
    let second = kubernetes.published(&wanted(&["y", "z", "y"], None)).unwrap();
    let third = kubernetes.published(&wanted(&["y"], Some("shop"))).unwrap();
    assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&first, &third));
    let (all, one) = ("/api/v1/services", "/api/v1/namespaces/shop/services");
    server.until(|open| open.get(all) == Some(&1) && open.get(one) == Some(&1)).await;
    let mut versions = first.versions();
    timeout(PATIENCE, versions.wait_for(|_| first.is_listed())).await.unwrap().unwrap();
    assert_eq!(first.at(&Name::parse("web.z").unwrap())[0].1.rtype, Some(RecordType::A));
    drop((first, third));
    server.until(|open| open.get(one) == Some(&0)).await;
    assert_eq!(server.open.lock().unwrap().get(all), Some(&1), "the second holds it");
    drop(second);
    server.until(|open| open.get(all) == Some(&0)).await;
    let again = kubernetes.published(&wanted(&["y", "z"], None)).unwrap();
    server.until(|open| open.get(all) == Some(&1)).await;
    drop(again);
    let nothing = Wanted { services: false, ..wanted(&["z"], None) };
    assert!(kubernetes.published(&nothing).unwrap().is_listed(), "there is nothing to wait for");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn without_an_api_server_it_is_said_that_there_is_none() {
    let runtime = tokio::runtime::Handle::current();
    let clock = Arc::new(RuntimeClock::start());
    let kubernetes = Kubernetes::new(Settings::default(), clock, Arc::default(), Arc::default(), runtime);
    let error = kubernetes.published(&wanted(&["z"], None)).unwrap_err().to_string();
    assert!(error.contains("private zones") && error.contains("KUBERNETES_SERVICE_HOST"), "{error}");
}
