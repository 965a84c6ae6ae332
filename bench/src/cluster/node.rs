//! A nearpath on a node of the cluster.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nearpath_tests::{ControlPlane, http, metrics, place};

use super::Cluster;
use super::published::{Published, ZONE, one_namespace};
use crate::bench::Bench;
use crate::child::{Child, Launch};
use crate::proc::{self, Memory};

/// How long it may take until it has listed what it watches.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// What of the cluster it watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Watching {
    /// Nothing: the same without `autopath`.
    Nothing,
    /// The pods of its node.
    Pods,
    /// Those, and the endpoints that it forwards to: as it runs on a node.
    PodsAndEndpoints,
    /// What is published into a private zone, and no pods.
    Published(Published),
}

/// A daemon at work; dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    metrics: SocketAddr,
}

impl Node {
    /// Starts it and waits until it has listed what it watches.
    pub(crate) fn start(bench: &Bench, plane: &ControlPlane, number: usize, watching: Watching) -> Result<Self> {
        let found = bench.cast(|peer| peer.name == "nearpath");
        let program = &found.first().context("nearpath is left out")?.program;
        let folder = bench.directory().join(format!("node-{number}-{watching:?}"));
        std::fs::create_dir_all(&folder)?;
        let at = place::socket();
        let metrics = SocketAddr::new(at.ip(), at.port() + 1);
        let write = |name: &str, text: &str| -> Result<_> {
            let path = folder.join(name);
            std::fs::write(&path, text)?;
            Ok(path)
        };
        let corefile = write("Corefile", &corefile(at, metrics, bench.authority.port, watching))?;
        let searches = write("resolv.conf", "search eu-central-1.compute.internal\n")?;
        let kubeconfig = plane.kubeconfig(&plane.admin_token());
        let name = Cluster::node_name(number);
        let mut arguments = vec!["-quiet".into(), "-threads".into(), "1".into(), "-node-name".into(), name.into()];
        for (flag, path) in [("-conf", corefile), ("-host-resolvconf", searches), ("-kubeconfig", kubeconfig)] {
            arguments.extend([flag.into(), path.into_os_string()]);
        }
        let child = Child::start(&Launch::new(program, arguments), &bench.cores.server, &folder.join("log"))?;
        let mut node = Self { child, metrics };
        node.wait(watching)?;
        Ok(node)
    }

    fn wait(&mut self, watching: Watching) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(self.metrics).is_err() || !self.has_listed(watching) {
            ensure!(self.child.is_alive(), "nearpath has ended: {}", self.child.last_words());
            ensure!(Instant::now() < deadline, "nearpath does not list what it watches: {}", self.child.last_words());
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn has_listed(&self, watching: Watching) -> bool {
        match watching {
            Watching::Nothing => true,
            Watching::Pods | Watching::PodsAndEndpoints => self.metric("nearpath_kubernetes_synced") >= 1.0,
            Watching::Published(published) => self.heard("list") >= published.watches() as f64,
        }
    }

    /// What it has heard of objects that publish names: `list`, `changed`, `deleted`.
    pub(crate) fn heard(&self, kind: &str) -> f64 {
        let page = http::fetch(&self.metrics.to_string(), "/metrics").1;
        metrics::sum(&page, "nearpath_kubernetes_published_events_total", &[("type", kind)])
    }

    /// One of its own figures.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        metrics::sum(&http::fetch(&self.metrics.to_string(), "/metrics").1, name, &[])
    }

    /// What it has in memory.
    pub(crate) fn memory(&self) -> Result<Memory> {
        Memory::of(self.child.id())
    }

    /// CPU time that it has taken so far, seconds.
    pub(crate) fn cpu(&self) -> Result<f64> {
        proc::cpu_clock(self.child.id())
    }
}

fn corefile(at: SocketAddr, metrics: SocketAddr, authority: u16, watching: Watching) -> String {
    let (ip, port) = (at.ip(), at.port());
    let (autopath, centre) = match watching {
        Watching::Published(published) => return private_zone(at, metrics, authority, published),
        Watching::PodsAndEndpoints => ("    autopath @kubernetes\n", "@kube-system/kube-dns".to_owned()),
        Watching::Pods => ("    autopath @kubernetes\n", format!("127.0.0.1:{authority}")),
        Watching::Nothing => ("", format!("127.0.0.1:{authority}")),
    };
    format!(
        "cluster.local:{port} {{\n    bind {ip}\n{autopath}    cache\n    forward cluster.local {centre}\n    prometheus {metrics}\n}}\n\
         .:{port} {{\n    bind {ip}\n    cache\n    forward . 127.0.0.1:{authority}\n}}\n"
    )
}

fn private_zone(at: SocketAddr, metrics: SocketAddr, authority: u16, published: Published) -> String {
    let (ip, port, namespace) = (at.ip(), at.port(), one_namespace());
    let watch = match published {
        Published::Nothing => String::new(),
        Published::OneNamespace => format!("        watch {namespace}\n"),
        Published::Endpoints => "        watch\n".to_owned(),
        Published::Services => "        watch {\n            services\n        }\n".to_owned(),
        Published::Ingresses => "        watch {\n            services\n            ingresses\n        }\n".to_owned(),
    };
    format!(
        ".:{port} {{\n    bind {ip}\n    cache\n    privatezone {ZONE} {{\n        to 127.0.0.1:{authority}\n        max_qps 0\n{watch}    }}\n    \
         forward . 127.0.0.1:{authority}\n    prometheus {metrics}\n}}\n"
    )
}
