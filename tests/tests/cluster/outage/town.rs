//! A node with thirty pods: some stay, the others come, change and go, and hand addresses to each other.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;

use nearpath_tests::api::{Patch, Refusal};
use nearpath_tests::objects::{Pod, PodStatus};
use nearpath_tests::place::{self, Folder};
use nearpath_tests::random::Random;
use nearpath_tests::{Api, ControlPlane, Daemon, Udp, Upstream, mode};
use serde_json::{Value, json};

use crate::cluster::marks;

pub(super) const NAMESPACES: [&str; 3] = ["outage-one", "outage-two", "outage-three"];
const NODE: &str = "outage-node";
/// Pods that stay, in each namespace.
const STEADY: usize = 4;
/// Pods that come and go, and the addresses that they share.
const PASSING: usize = 18;
const SHARED: usize = 24;

/// The node, its daemon, and what was told to the API server.
pub(super) struct Town {
    pub(super) daemon: Daemon,
    /// Addresses of the pods that stay, with their namespace.
    pub(super) steady: Vec<(IpAddr, usize)>,
    /// Addresses that change hands; none is ever given to a pod of the namespace that [`Town::stranger`] names.
    pub(super) shared: Vec<IpAddr>,
    api: Api,
    passing: Vec<Option<Passing>>,
    clients: Vec<(IpAddr, Udp)>,
    random: Random,
    made: usize,
    token: PathBuf,
    folder: Folder,
    _centre: Upstream,
}

/// A pod that comes and goes.
struct Passing {
    namespace: usize,
    name: String,
}

impl Town {
    #[track_caller]
    pub(super) fn new(plane: &ControlPlane) -> Self {
        let (api, folder) = (plane.api(), Folder::new());
        api.apply_yaml(&mode::root().join("deploy/rbac.yaml"));
        let token = folder.write("token", &api.service_account_token("kube-system", "nearpath", 3_600));
        let centre = marks::centre();
        let daemon = marks::daemon(&plane.kubeconfig_with_token_file(&token), NODE, &centre);
        let mut steady = Vec::new();
        for (number, namespace) in NAMESPACES.into_iter().enumerate() {
            api.namespace(namespace);
            for pod in 0..STEADY {
                let (address, name) = (place::pod_address(), format!("steady-{pod}"));
                api.create_pod(&Pod::new(namespace, &name).on(NODE));
                api.set_pod_status(namespace, &name, &PodStatus::running(&[&address.to_string()]));
                steady.push((address, number));
            }
        }
        let shared: Vec<_> = (0..SHARED).map(|_| place::pod_address()).collect();
        let all = steady.iter().map(|(address, _)| address).chain(&shared);
        let clients = all.map(|address| (*address, daemon.client_at(*address))).collect();
        let passing = (0..PASSING).map(|_| None).collect();
        let random = Random::new(mode::seed());
        let mut town =
            Self { daemon, _centre: centre, steady, shared, api, passing, clients, random, made: 0, token, folder };
        (0..PASSING).for_each(|slot| drop(town.comes(slot).expect("the API server is there")));
        town
    }

    /// The namespace whose pods never have this shared address.
    pub(super) fn stranger(number: usize) -> usize {
        number % NAMESPACES.len()
    }

    /// So many things happen to pods; how many of them the API server took.
    pub(super) fn churns(&mut self, times: usize) -> usize {
        (0..times).filter(|_| self.happens().is_ok()).count()
    }

    fn happens(&mut self) -> Result<Value, Refusal> {
        let slot = self.random.below(PASSING);
        let Some(Passing { namespace, name }) = &self.passing[slot] else { return self.comes(slot) };
        let (namespace, pod) = (*namespace, format!("/api/v1/namespaces/{}/pods/{name}", NAMESPACES[*namespace]));
        match self.random.below(8) {
            0..3 => {
                let gone = self.api.delete(&format!("{pod}?timeout=1s"));
                let known = !matches!(&gone, Err(refusal) if refusal.code() != Some(404));
                if known {
                    self.passing[slot] = None;
                }
                gone
            }
            3 => self.says(&pod, &PodStatus::running(&[]).phase("Failed")),
            4 => {
                let label = json!({ "metadata": { "labels": { "made": self.made.to_string() } } });
                self.api.patch(&format!("{pod}?timeout=1s"), Patch::Merge, &label)
            }
            _ => {
                let address = self.address_for(namespace);
                self.says(&pod, &PodStatus::running(&[&address.to_string()]))
            }
        }
    }

    /// A pod comes, and has an address, now and then one that another has.
    fn comes(&mut self, slot: usize) -> Result<Value, Refusal> {
        self.made += 1;
        let (namespace, name) = (self.random.below(NAMESPACES.len()), format!("passing-{}", self.made));
        let path = format!("/api/v1/namespaces/{}/pods", NAMESPACES[namespace]);
        let object = Pod::new(NAMESPACES[namespace], &name).on(NODE).object();
        self.api.post(&format!("{path}?timeout=1s"), &object)?;
        self.passing[slot] = Some(Passing { namespace, name: name.clone() });
        let address = self.address_for(namespace);
        self.says(&format!("{path}/{name}"), &PodStatus::running(&[&address.to_string()]))
    }

    fn says(&self, pod: &str, status: &PodStatus) -> Result<Value, Refusal> {
        let status = json!({ "status": status.object() });
        self.api.patch(&format!("{pod}/status?timeout=1s"), Patch::Merge, &status)
    }

    fn address_for(&mut self, namespace: usize) -> IpAddr {
        loop {
            let number = self.random.below(SHARED);
            if Self::stranger(number) != namespace {
                return self.shared[number];
            }
        }
    }

    /// True if each address is expanded by the list of exactly the one live pod that claims it, and by none if there is no
    /// such pod.
    #[track_caller]
    pub(super) fn is_true(&self) -> bool {
        let truth = self.truth();
        self.clients.iter().all(|(address, client)| {
            let owner = truth.get(address).copied().flatten();
            (0..NAMESPACES.len()).all(|n| marks::is_expanded(client, NAMESPACES[n]) == (owner == Some(n)))
        })
    }

    /// Who has each address, out of the API server's store: nobody if two claim it.
    #[track_caller]
    fn truth(&self) -> HashMap<IpAddr, Option<usize>> {
        let mut owners: HashMap<IpAddr, Option<usize>> = HashMap::new();
        for (number, namespace) in NAMESPACES.into_iter().enumerate() {
            let list = self.api.get(&format!("/api/v1/namespaces/{namespace}/pods")).expect("the API server is there");
            for pod in list["items"].as_array().expect("items") {
                let ended = ["Succeeded", "Failed"].contains(&pod["status"]["phase"].as_str().unwrap_or_default());
                let address = pod["status"]["podIPs"][0]["ip"].as_str().filter(|_| !ended);
                if let Some(address) = address.and_then(|address| address.parse().ok()) {
                    owners.entry(address).and_modify(|owner| *owner = None).or_insert(Some(number));
                }
            }
        }
        owners
    }

    #[track_caller]
    pub(super) fn steady_are_expanded(&self) -> bool {
        let mut clients = self.clients.iter().zip(&self.steady);
        clients.all(|((_, client), (_, namespace))| marks::is_expanded(client, NAMESPACES[*namespace]))
    }

    /// Lists of this node's pods so far.
    #[track_caller]
    pub(super) fn lists(&self) -> f64 {
        marks::figure(&self.daemon, "nearpath_kubernetes_lists_total", &[])
    }

    pub(super) fn token(&self) -> String {
        std::fs::read_to_string(&self.token).expect("it was written")
    }

    /// A token of the account as it is now.
    #[track_caller]
    pub(super) fn renew_token(&self, api: &Api) {
        self.folder.write("token", &api.service_account_token("kube-system", "nearpath", 3_600));
    }
}
