//! A pod's search list and `ndots`, by the kubelet's rules for making resolv.conf.

use contract::limits::{SEARCH_DOMAIN_CHARACTERS_MAX, SEARCH_DOMAINS_MAX, SEARCH_LINE_CHARACTERS_MAX};
use contract::wire::Name;

use super::{Host, NodeDns, PodDns, Policy, options};

/// What the kubelet writes for pods that use the cluster's DNS.
const CLUSTER_OPTIONS: &str = "ndots:5";

/// What a pod's resolv.conf says of searches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodList {
    /// The domains in order, each once; never empty. `.` may be the first one or the last one.
    pub(crate) search: Vec<Name>,
    /// Names with fewer dots are searched.
    pub(crate) ndots: u8,
}

/// What a policy comes to.
enum Base {
    Cluster,
    Host,
    Nothing,
}

/// The search list in the pod's resolv.conf. `None`: it has none, or it cannot be known, or stub resolvers read it differently.
///
/// Not seen, because the kubelet does not make it: what a container writes into its resolv.conf or says by `LOCALDOMAIN` and
/// `RES_OPTIONS` (resolv.conf(5)).
pub(crate) fn derive(pod: &PodDns<'_>, node: &NodeDns) -> Option<PodList> {
    let (mut search, mut options) = match base(pod)? {
        Base::Cluster => (cluster_search(pod.namespace, node)?, vec![CLUSTER_OPTIONS.to_owned()]),
        Base::Host => host_conf(&node.host)?,
        Base::Nothing => Default::default(),
    };
    if let Some(config) = &pod.spec.dns_config {
        search.extend(config.searches.iter().flatten().cloned());
        keep_first(&mut search);
        options = options::merge(&options, config.options.as_deref().unwrap_or_default());
    }
    cut(&mut search);
    Some(PodList { search: names(&search)?, ndots: options::ndots(&options)? })
}

fn base(pod: &PodDns<'_>) -> Option<Base> {
    let host_network = pod.spec.host_network.unwrap_or(false);
    match pod.spec.dns_policy.unwrap_or(Policy::ClusterFirst) {
        Policy::None => Some(Base::Nothing),
        Policy::Default => Some(Base::Host),
        Policy::ClusterFirst if host_network => Some(Base::Host),
        Policy::ClusterFirst | Policy::ClusterFirstWithHostNet => Some(Base::Cluster),
        Policy::Unknown => None,
    }
}

/// The namespace's services, all services, the cluster, and what the host searches.
fn cluster_search(namespace: &str, node: &NodeDns) -> Option<Vec<String>> {
    let host = match &node.host {
        Host::File(conf) => conf.search.clone(),
        Host::NoFile => Vec::new(),
        Host::Unknown => return None,
    };
    let Some(domain) = &node.cluster_domain else { return Some(host) };
    if domain.is_root() {
        return None; // `svc..` is no name
    }
    let domain = domain.to_string();
    let domain = domain.strip_suffix('.').unwrap_or(&domain);
    let mut search = vec![format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.to_owned()];
    search.extend(host);
    keep_first(&mut search);
    Some(search)
}

/// Searches and options for pods that use the host's DNS.
fn host_conf(host: &Host) -> Option<(Vec<String>, Vec<String>)> {
    match host {
        Host::File(conf) => Some((conf.search.clone(), conf.options.clone())),
        Host::NoFile => Some((vec![".".to_owned()], Vec::new())),
        Host::Unknown => None,
    }
}

/// Drops repeats, and what would be cut anyway. The kubelet compares texts: capitals and trailing dots make a difference, which
/// matters for the cuts.
fn keep_first<T: PartialEq>(list: &mut Vec<T>) {
    let mut kept: Vec<T> = Vec::new();
    for item in list.drain(..) {
        if kept.len() < SEARCH_DOMAINS_MAX && !kept.contains(&item) {
            kept.push(item);
        }
    }
    *list = kept;
}

/// The kubelet's bounds, in its order: so many domains; of these no long ones; of these as many as fit a line.
fn cut(search: &mut Vec<String>) {
    search.truncate(SEARCH_DOMAINS_MAX);
    search.retain(|domain| domain.len() <= SEARCH_DOMAIN_CHARACTERS_MAX);
    let mut line = 0; // with a blank behind each
    let fits = |domain: &&String| {
        line += domain.len() + 1;
        line <= SEARCH_LINE_CHARACTERS_MAX + 1
    };
    let fit = search.iter().take_while(fits).count();
    search.truncate(fit);
}

/// The domains as a stub searches them. One that comes again finds nothing new, and is left out.
fn names(search: &[String]) -> Option<Vec<Name>> {
    let mut names: Vec<Name> =
        search.iter().filter(|domain| !domain.is_empty()).map(|domain| name(domain)).collect::<Option<_>>()?;
    keep_first(&mut names);
    // Where `.` stands glibc asks for the name as it is, Go skips it, and musl (1.2.3) sends what is no question: alike enough
    // only if nothing stands behind it. Where it comes first, every name is below it, so nothing is ever expanded.
    let differs = names.iter().skip(1).rev().skip(1).any(Name::is_root);
    (!names.is_empty() && !differs).then_some(names)
}

/// A domain that every stub takes alike. At one that is no name glibc ends the list and musl the whole search, and Go skips it;
/// escapes (RFC 1035 5.1) are glibc's alone.
fn name(domain: &str) -> Option<Name> {
    let plain = domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    plain.then(|| Name::parse(domain).ok()).flatten()
}
