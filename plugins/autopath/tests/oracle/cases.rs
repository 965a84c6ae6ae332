//! Random clusters, pods and look-ups: names that look like one another, because that is where walks go wrong.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use autopath::{Autopath, CutRules, Judge};
use contract::metrics::Metrics;
use contract::wire::{Name, RecordType};
use contract::{Clock, Context, Pod, PodIndex, SearchLists};

use crate::random::Random;
use crate::world::{Broken, Node, Tree, World, name};

const NAMESPACES: [&str; 8] = ["shop", "pay", "com", "svc", "cluster", "local", "example", "default"];
const SERVICES: [&str; 9] = ["web", "db", "api", "www", "shop", "com", "local", "svc", "example"];
const HOST_DOMAINS: [&str; 6] = ["corp.example", "example.com", "com", "c.internal", "internal", "local"];
const CLUSTERS: [&str; 4] = ["cluster.local", "c.internal", "svc.local", "k8s.example.com"];
/// Under what is AutoPath tried.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) judge: Judge,
    /// Absent: without the cut.
    pub(crate) cut: Option<CutRules>,
}

const OUTSIDE: [&str; 9] = [
    "example.com",
    "www.example.com",
    "web",
    "db.pay",
    "api.com",
    "example",
    "x.local",
    "shop.svc",
    "www.corp.example",
];

/// A cluster, its pods, and what a few look-ups are drawn from.
pub(crate) struct Cluster {
    pub(crate) world: Arc<World>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) denies_aaaa: bool,
    pub(crate) zone: Name,
}

impl Cluster {
    /// A cluster with memory, or without; `None`: either.
    pub(crate) fn new(random: &mut Random, rules: &Rules, clock: Arc<dyn Clock>, memorises: Option<bool>) -> Self {
        let zone = name(random.pick(&CLUSTERS));
        let mut trees = vec![cluster_tree(random, &zone), outside_tree(random)];
        for stub in ["corp.example", "x.c.internal"] {
            if random.per_cent(60) {
                trees.push(stub_tree(random, &name(stub)));
            }
        }
        let denies_aaaa = random.per_cent(25);
        for tree in &mut trees {
            tree.denies_aaaa = denies_aaaa && random.per_cent(70);
        }
        // the stock layout has `autopath` in the cluster's block; some have it in the block of the root
        let expanded = if random.per_cent(75) { zone.clone() } else { Name::root() };
        let coin = random.per_cent(50);
        let world = World::new(trees, expanded.clone(), memorises.unwrap_or(coin), Arc::clone(&clock));
        let lists = Arc::<SearchLists>::default();
        let pods: Vec<Pod> = (0..4).map(|number| pod(random, &lists, &zone, number)).collect();
        let context = Context {
            clock,
            metrics: Arc::new(Metrics::default()),
            lists,
            server: "dns://.:53".to_owned(),
            state_dir: None,
            cluster: Arc::new(contract::NoCluster),
            shelf: Arc::default(),
            labels: Arc::default(),
            wiretap: None,
        };
        let index = Arc::new(PodIndex::default());
        index.replace(&pods);
        let plugin = Autopath::new(vec![expanded], index, None, &context).with_judge(rules.judge);
        world.install(match rules.cut {
            Some(cut) => plugin.with_cut(cut, &context),
            None => plugin,
        });
        let mut this = Self { world, metrics: context.metrics, pods, denies_aaaa, zone };
        if random.per_cent(50) {
            this.break_names(random);
        }
        this
    }

    /// Names near those that are asked for fail, all types or one.
    fn break_names(&mut self, random: &mut Random) {
        for _ in 0..6 {
            let typed = self.typed(random);
            let pod = random.pick(&self.pods);
            let domain = random.pick(&pod.list.domains);
            let labels = Name::strip(typed.as_wire(), Name::root().as_wire()).unwrap();
            let Some(victim) = Name::join(labels, domain) else { continue };
            let rtype = match random.below(10) {
                0 => Some(RecordType::A),
                1 => Some(RecordType::AAAA),
                _ => None,
            };
            let how = *random.pick(&[
                Broken::ServFail,
                Broken::ServFail,
                Broken::Timeout,
                Broken::Refused,
                Broken::Prohibited,
            ]);
            self.world.change(|data| data.broken.extend([((victim, rtype), how)]));
        }
    }

    /// Services come and go inside the cluster, whose server keeps RFC 8020; outside names come and go as well, and there
    /// half of the servers deny names that have only others below them.
    pub(crate) fn change(&self, random: &mut Random, typed: &[Name]) {
        let mut added: Vec<(Name, Node)> = (0..random.below(4))
            .map(|_| {
                let (service, namespace) = (random.pick(&SERVICES), random.pick(&NAMESPACES));
                (name(format!("{service}.{namespace}.svc.{}", self.zone)), address(random))
            })
            .collect();
        for _ in 0..random.below(8) {
            let (typed, pod) = (random.pick(typed), random.pick(&self.pods));
            let labels = Name::strip(typed.as_wire(), Name::root().as_wire()).unwrap();
            let owner = Name::join(labels, random.pick(&pod.list.domains));
            added.extend(owner.map(|owner| (owner, address(random))));
        }
        let denies = random.per_cent(50);
        self.world.change(|data| {
            for tree in &mut data.trees {
                let apex = tree.apex.clone().unwrap();
                for gone in tree.owners() {
                    if gone != apex && random.per_cent(10) {
                        tree.remove(&gone);
                    }
                }
                for (owner, node) in added.iter().filter(|(owner, _)| apex.encloses(owner)) {
                    tree.add(owner, node.clone());
                }
                tree.denies_between = denies && apex != self.zone;
            }
        });
    }

    /// Names below a namespace that does not exist: single ones, as `hosts` has them, or all, as `template` does.
    pub(crate) fn contradict(&self, random: &mut Random, typed: &[Name]) -> Vec<Name> {
        let mut all = Vec::new();
        for _ in 0..12 {
            let (typed, pod) = (random.pick(typed), random.pick(&self.pods));
            let domain = pod.list.domains.iter().find(|domain| self.zone.encloses(domain));
            let labels = Name::strip(typed.as_wire(), Name::root().as_wire()).unwrap();
            let Some(owner) = domain.and_then(|domain| Name::join(labels, domain)) else { continue };
            if typed.label_count() < 2 || self.world.is_broken(&owner) {
                continue;
            }
            let node = Node { a: Some(7), aaaa: Some(7), txt: Some(7), srv: Some(7), cname: None };
            let as_template = random.per_cent(40);
            self.world.change(|data| {
                match owner.parent().filter(|_| as_template) {
                    Some(above) => data.templates.insert(above, node),
                    None => data.overlay.insert(owner.clone(), node),
                };
            });
            all.push(owner);
        }
        all
    }

    /// What a program types.
    pub(crate) fn typed(&self, random: &mut Random) -> Name {
        let service = *random.pick(&SERVICES);
        let namespace = *random.pick(&NAMESPACES);
        let zone = self.zone.to_string();
        let text = match random.below(14) {
            0..=2 => service.to_owned(),
            3 | 4 => format!("{service}.{namespace}"),
            5 => format!("{service}.{namespace}.svc"),
            6 => format!("{service}.{namespace}.svc.{zone}"),
            7 => format!("pod-0.{service}"),
            8 => format!("pod-0.{service}.{namespace}.svc"),
            9 => format!("_http._tcp.{service}"),
            10 | 11 => (*random.pick(&OUTSIDE)).to_owned(),
            12 => format!("{service}.{}", random.pick(&HOST_DOMAINS)),
            _ => (0..=random.below(6)).map(|_| *random.pick(&SERVICES)).collect::<Vec<_>>().join("."),
        };
        name(&text)
    }
}

fn address(random: &mut Random) -> Node {
    let x = random.below(250) as u8;
    let v6 = random.per_cent(50);
    Node {
        a: (!v6 || random.per_cent(70)).then_some(x),
        aaaa: v6.then_some(x),
        txt: random.per_cent(30).then_some(x),
        srv: random.per_cent(20).then_some(x),
        cname: None,
    }
}

fn alias(random: &mut Random) -> Node {
    let target = match random.below(4) {
        0 => "nowhere.example".to_owned(), // leads to nothing
        1 => "example.com".to_owned(),
        2 => "www.example.com".to_owned(),
        _ => format!("{}.{}", random.pick(&SERVICES), random.pick(&HOST_DOMAINS)),
    };
    Node { cname: Some(name(&target)), ..Node::default() }
}

fn cluster_tree(random: &mut Random, zone: &Name) -> Tree {
    let mut tree = Tree::new(zone);
    tree.add(&name(format!("dns-version.{zone}")), Node { txt: Some(1), ..Node::default() });
    for namespace in NAMESPACES.iter().filter(|_| random.per_cent(60)).collect::<Vec<_>>() {
        for service in SERVICES.iter().filter(|_| random.per_cent(35)).collect::<Vec<_>>() {
            let owner = name(format!("{service}.{namespace}.svc.{zone}"));
            let node = if random.per_cent(10) { alias(random) } else { address(random) };
            tree.add(&owner, node);
            if random.per_cent(30) {
                tree.add(&name(format!("pod-0.{owner}")), address(random));
                tree.add(&name(format!("_http._tcp.{owner}")), Node { srv: Some(7), ..Node::default() });
            }
        }
    }
    tree
}

fn outside_tree(random: &mut Random) -> Tree {
    let mut tree = Tree::new(&Name::root());
    for owner in OUTSIDE {
        if random.per_cent(60) {
            let node = if random.per_cent(15) { alias(random) } else { address(random) };
            tree.add(&name(owner), node);
        }
    }
    for domain in HOST_DOMAINS {
        if random.per_cent(20) {
            tree.add_wildcard(&name(domain), address(random));
        }
        for _ in 0..random.below(3) {
            tree.add(&name(format!("{}.{domain}", random.pick(&SERVICES))), address(random));
        }
    }
    if random.per_cent(5) {
        tree.add_wildcard(&Name::root(), address(random));
    }
    tree
}

fn stub_tree(random: &mut Random, zone: &Name) -> Tree {
    let mut tree = Tree::new(zone);
    for service in SERVICES {
        if random.per_cent(30) {
            tree.add(&name(format!("{service}.{zone}")), address(random));
        }
    }
    if random.per_cent(20) {
        tree.add_wildcard(zone, address(random));
    }
    tree
}

fn pod(random: &mut Random, lists: &SearchLists, zone: &Name, number: u8) -> Pod {
    let namespace = *random.pick(&NAMESPACES);
    let mut search = match random.below(10) {
        0 => vec![name(random.pick(&HOST_DOMAINS))],
        _ => vec![name(format!("{namespace}.svc.{zone}")), name(format!("svc.{zone}")), zone.clone()],
    };
    for _ in 0..random.below(4) {
        search.push(name(random.pick(&HOST_DOMAINS)));
    }
    if random.per_cent(15) {
        let repeat = random.pick(&search).clone();
        search.push(repeat);
    }
    if random.per_cent(15) {
        let place = random.below(search.len() + 1);
        search.insert(place, Name::root());
    }
    if random.per_cent(10) {
        let (one, other) = (random.below(search.len()), random.below(search.len()));
        search.swap(one, other);
    }
    if random.per_cent(4) {
        search.push(name(["b".repeat(60), "c".repeat(60), "d".repeat(60), "e".repeat(57)].join(".")));
    }
    let ndots = if random.per_cent(60) { 5 } else { 1 + random.below(15) as u8 };
    let address = IpAddr::V4(Ipv4Addr::new(10, 1, 0, number));
    Pod {
        name: format!("{namespace}/pod-{number}").into(),
        addresses: vec![address],
        list: lists.intern(&search),
        ndots,
    }
}
