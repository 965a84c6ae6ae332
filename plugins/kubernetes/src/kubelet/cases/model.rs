//! The same derivation done plainly, line by line and text by text; compared on random pods.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::*;

const CASES: usize = 20_000;

/// What the resolv.conf says: `search` with what it holds, and the words behind `options`.
fn resolv_conf(pod: &PodDns<'_>, domain: Option<&str>, host: Option<&str>) -> (Vec<String>, Vec<String>) {
    let mut search: Vec<String> = Vec::new();
    let mut options: Vec<String> = Vec::new();
    // the host's file, line by line
    for line in host.unwrap_or_default().lines() {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        if words.first() == Some(&"search") {
            search.clear();
            for word in &words[1..] {
                let mut word = (*word).to_owned();
                if word.ends_with('.') {
                    word.pop();
                }
                search.extend(Some(word).filter(|word| !word.is_empty()));
            }
        }
        if words.first() == Some(&"options") {
            for word in &words[1..] {
                let name = word.split(':').next().unwrap();
                if let Some(at) = options.iter().position(|known| known.split(':').next().unwrap() == name) {
                    options.remove(at);
                }
                options.push((*word).to_owned());
            }
        }
    }
    // the policy
    let cluster = match (pod.spec.dns_policy, pod.spec.host_network) {
        (Some(Policy::ClusterFirstWithHostNet), _) => true,
        (None | Some(Policy::ClusterFirst), on_host) => on_host != Some(true),
        _ => false,
    };
    if pod.spec.dns_policy == Some(Policy::None) {
        search.clear();
        options.clear();
    } else if cluster {
        options = vec!["ndots:5".to_owned()];
        if let Some(domain) = domain {
            for (at, part) in [format!("{}.svc.", pod.namespace), "svc.".to_owned(), String::new()].iter().enumerate() {
                search.insert(at, format!("{part}{domain}"));
            }
            once(&mut search);
        }
    } else if host.is_none() {
        search = vec![".".to_owned()];
    }
    // what the pod adds
    if let Some(config) = &pod.spec.dns_config {
        search.append(&mut config.searches.clone().unwrap_or_default());
        once(&mut search);
        for option in &mut options {
            *option = option.trim_end_matches(':').to_owned();
        }
        for DnsOption { name, value } in config.options.iter().flatten() {
            options.retain(|known| known.split(':').next() != Some(name));
            let value = value.clone().unwrap_or_default();
            options.push(if value.is_empty() { name.clone() } else { [name.as_str(), &value].join(":") });
        }
    }
    // the bounds
    while search.len() > 32 {
        search.pop();
    }
    search.retain(|domain| domain.len() < 254);
    while search.join(" ").len() > 2048 {
        search.pop();
    }
    (search, options)
}

/// Leaves out what stands there before.
fn once(list: &mut Vec<String>) {
    let mut at = 0;
    while at < list.len() {
        if list[..at].contains(&list[at]) {
            list.remove(at);
        } else {
            at += 1;
        }
    }
}

/// What stubs search, as far as all of them read these (valid) domains alike.
fn searched(search: &[String], options: &[String]) -> String {
    let mut names: Vec<String> = Vec::new();
    for domain in search {
        let name = domain.to_lowercase();
        let name = if name == "." { name } else { name.trim_end_matches('.').to_owned() };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let inner = names.len() > 2 && names[1..names.len() - 1].contains(&".".to_owned());
    if names.is_empty() || inner {
        return "none".to_owned();
    }
    let said: Vec<u8> = options.iter().filter_map(|option| option.strip_prefix("ndots:")?.parse().ok()).collect();
    format!("{} | {}", names.join(" "), said.iter().min().copied().unwrap_or(1).min(15))
}

const POLICIES: [Option<Policy>; 5] = [
    None,
    Some(Policy::ClusterFirst),
    Some(Policy::ClusterFirstWithHostNet),
    Some(Policy::Default),
    Some(Policy::None),
];

fn domain(random: &mut StdRng) -> String {
    match random.random_range(0..12) {
        0 => ".".to_owned(),
        1 => ["svc.cluster.local", "cluster.local", "Cluster.local", "cluster.local."][random.random_range(0..4)]
            .to_owned(),
        2 => format!("{}.example", "abcdefg.".repeat(random.random_range(25..31))),
        3 => format!("{}.example.", "abcdefg.".repeat(random.random_range(25..31))).replace("..", "."),
        number => format!(
            "d{}.{}example{}",
            random.random_range(0..60),
            if number < 6 { "" } else { "_a." },
            if number == 4 { "." } else { "" }
        ),
    }
    .replace("..", ".")
}

fn domains(random: &mut StdRng) -> Vec<String> {
    let most = [0, 3, 12, 40][random.random_range(0..4)];
    (0..random.random_range(0..=most)).map(|_| domain(random)).collect()
}

fn option(random: &mut StdRng) -> (String, Option<String>) {
    let name = ["ndots", "timeout", "rotate", "edns0"][random.random_range(0..4)].to_owned();
    let value = random.random_bool(0.7).then(|| random.random_range(0..20_u8).to_string());
    (name, value)
}

fn host_text(random: &mut StdRng) -> String {
    let mut text = "nameserver 192.0.2.1\n".to_owned();
    for _ in 0..random.random_range(0..3) {
        text += &format!("search {}\n", domains(random).join(" "));
    }
    for _ in 0..random.random_range(0..3) {
        let (name, value) = option(random);
        text += &value.map_or_else(|| format!("options {name}\n"), |value| format!("options {name}:{value} rotate\n"));
    }
    text
}

fn spec(random: &mut StdRng) -> DnsSpec {
    let config = random.random_bool(0.7).then(|| DnsConfig {
        searches: random.random_bool(0.8).then(|| domains(random)),
        options: random.random_bool(0.5).then(|| {
            let options = (0..random.random_range(0..3)).map(|_| option(random));
            options.map(|(name, value)| DnsOption { name, value }).collect()
        }),
    });
    let host_network = [None, Some(false), Some(true)][random.random_range(0..3)];
    DnsSpec { dns_policy: POLICIES[random.random_range(0..POLICIES.len())], host_network, dns_config: config }
}

#[test]
fn random_pods_have_the_list_that_a_plain_derivation_gives() {
    let mut random = StdRng::seed_from_u64(0x6b75_6265);
    let (mut lists, mut cut) = (0, 0);
    for number in 0..CASES {
        let spec = spec(&mut random);
        let text = random.random_bool(0.9).then(|| host_text(&mut random));
        let domain = random.random_bool(0.9).then_some("cluster.local");
        let host = text.as_ref().map_or(Host::NoFile, |text| Host::File(HostConf::parse(text).unwrap()));
        let node = NodeDns { cluster_domain: domain.map(|domain| Name::parse(domain).unwrap()), host };
        let pod = PodDns { namespace: "shop", spec: &spec };

        let derived = show(derive(&pod, &node).as_ref());
        let (search, options) = resolv_conf(&pod, domain, text.as_deref());
        assert_eq!(derived, searched(&search, &options), "{number}: {pod:?} {node:?}");
        lists += usize::from(derived != "none");
        cut += usize::from(search.len() == 32 || search.join(" ").len() > 1_800);
    }
    assert!(lists > CASES / 2 && cut > CASES / 50, "{lists} lists, {cut} near a bound");
}
