//! `resolv.conf` and `ndots`: whether a pod asks us, and how it searches.

use std::net::IpAddr;
use std::path::PathBuf;

use super::super::patient::Patient;
use super::super::system::resolv_conf::ResolvConf;
use super::super::verdict::Finding;
use super::listed;
use crate::see::api::Pods;

/// The kubelet's value; with more, names with many dots are searched too.
const NDOTS: u32 = 5;
/// Domains that older stubs read; glibc before 2.26 and musl stop there.
const SEARCH_OLD: usize = 6;
/// Pods of the index that are looked at.
const PODS_MAX: usize = 1_000;

const KUBELET: &str =
    "set clusterDNS in the kubelet's configuration to the address that pods are to ask, and make the pod anew";

/// Whom the pod asks.
pub(in super::super) async fn servers(patient: &Patient) -> Finding {
    match file(patient) {
        None => Finding::skip("no pod is named: --pod-pid PID or --resolv-conf FILE"),
        Some(Err(why)) => Finding::fail(why, "name a process of the pod that runs on this node"),
        Some(Ok(conf)) => judge_servers(&conf, patient.own()),
    }
}

/// How often it asks for a name: of the named pod, or of all that the daemon knows.
pub(in super::super) async fn ndots(patient: &Patient) -> Finding {
    match file(patient) {
        Some(Ok(conf)) => judge_options(&conf),
        Some(Err(_)) => Finding::skip("the resolv.conf cannot be read: see `resolv.conf`"),
        None => match patient.told::<Pods>(&format!("/v1/pods?limit={PODS_MAX}")).await {
            Ok(pods) => judge_pods(&pods),
            Err(_) => Finding::skip("no pod is named (--pod-pid, --resolv-conf), and the daemon tells of none"),
        },
    }
}

fn file(patient: &Patient) -> Option<Result<ResolvConf, String>> {
    let of_pod = patient.flags.pod_pid.map(|pid| PathBuf::from(format!("/proc/{pid}/root/etc/resolv.conf")));
    let path = of_pod.or_else(|| patient.flags.resolv_conf.clone())?;
    Some(ResolvConf::load(&path))
}

fn judge_servers(conf: &ResolvConf, own: &[IpAddr]) -> Finding {
    let Some(first) = conf.servers.first() else {
        return Finding::fail("it names no server, so stubs ask 127.0.0.1", KUBELET);
    };
    if own.is_empty() {
        return Finding::skip("which addresses pods are to ask is not known: give -localip");
    }
    let strangers: Vec<&IpAddr> = conf.servers.iter().filter(|ip| !own.contains(ip)).collect();
    if !own.contains(first) {
        return Finding::fail(format!("it asks {first}, and not {}", listed(own)), KUBELET);
    }
    if !strangers.is_empty() {
        return Finding::warn(
            format!("beside us it names {}: musl asks all at once, and takes who is first", listed(strangers)),
            "name one server in clusterDNS or dnsConfig",
        );
    }
    if conf.search.is_empty() {
        return Finding::warn(
            "it has no search list: short names of Services are not found",
            "dnsPolicy ClusterFirst; or dnsConfig.searches with dnsPolicy None",
        );
    }
    Finding::ok(format!("it asks {first} and searches {}", conf.search.join(" ")))
}

fn judge_options(conf: &ResolvConf) -> Finding {
    let has = |name: &str| conf.options.contains_key(name);
    let mut findings = vec![match conf.ndots() {
        None => Finding::warn("ndots is no number", "write `ndots` as dnsConfig.options with a value such as \"5\""),
        Some(ndots) if ndots > NDOTS => Finding::warn(
            format!(
                "ndots:{ndots}: names with up to {} dots are searched before they are asked as they are",
                ndots - 1
            ),
            "dnsConfig.options: name ndots, value \"5\" or less",
        ),
        Some(ndots) => Finding::ok(format!("ndots:{ndots}, {} search domains", conf.search.len())),
    }];
    if has("rotate") && conf.servers.len() > 1 {
        findings.push(Finding::warn(
            "`rotate` spreads questions over all its servers",
            "remove `rotate` from dnsConfig.options",
        ));
    }
    if has("use-vc") {
        findings.push(Finding::warn(
            "`use-vc` opens a TCP connection for each look-up",
            "remove `use-vc` from dnsConfig.options",
        ));
    }
    if let Some(Some("0")) = conf.options.get("attempts").map(Option::as_deref) {
        findings.push(Finding::warn("`attempts:0` asks never again", "remove it from dnsConfig.options"));
    }
    if conf.search.len() > SEARCH_OLD {
        findings.push(Finding::warn(
            format!("{} search domains: older stubs read {SEARCH_OLD}", conf.search.len()),
            "name fewer in dnsConfig.searches, or in the host's resolv.conf",
        ));
    }
    Finding::worst(findings, "")
}

fn judge_pods(pods: &Pods) -> Finding {
    let above = pods.pods.iter().filter(|pod| u32::from(pod.ndots) > NDOTS);
    let names: Vec<&str> = above.map(|pod| pod.pod.as_deref().unwrap_or(&pod.address)).collect();
    match names.as_slice() {
        [] => Finding::ok(format!("no pod of {} has more than ndots:{NDOTS}", pods.pods.len())),
        names => Finding::warn(
            format!("{} pods have more than ndots:{NDOTS}: {}", names.len(), listed(names.iter().take(5))),
            "dnsConfig.options: name ndots, value \"5\" or less",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::State;
    use super::*;

    #[test]
    fn whom_a_pod_asks_and_how() {
        let own: [IpAddr; 1] = ["169.254.20.10".parse().unwrap()];
        for (text, servers, options) in [
            ("nameserver 169.254.20.10\nsearch a b\noptions ndots:5\n", State::Ok, State::Ok),
            ("nameserver 10.96.0.10\nsearch a b\noptions ndots:5\n", State::Fail, State::Ok),
            (
                "nameserver 169.254.20.10\nnameserver 8.8.8.8\nsearch a\noptions ndots:5 rotate\n",
                State::Warn,
                State::Warn,
            ),
            ("nameserver 169.254.20.10\noptions ndots:15\n", State::Warn, State::Warn),
            ("search a b c d e f g\noptions ndots:2\n", State::Fail, State::Warn),
            ("nameserver 169.254.20.10\nsearch a\noptions ndots:x\n", State::Ok, State::Warn),
            ("nameserver 169.254.20.10\nsearch a\noptions use-vc\n", State::Ok, State::Warn),
            ("nameserver 169.254.20.10\nsearch a\noptions attempts:0\n", State::Ok, State::Warn),
        ] {
            let conf = ResolvConf::parse(text);
            assert_eq!((judge_servers(&conf, &own).state, judge_options(&conf).state), (servers, options), "{text}");
        }
    }

    #[test]
    fn pods_of_the_index() {
        let pod = |ndots| crate::see::api::PodTold { ndots, ..Default::default() };
        let of = |pods| judge_pods(&Pods { pods, ..Pods::default() }).state;
        assert_eq!(of(vec![pod(5), pod(1)]), State::Ok);
        assert_eq!(of(vec![pod(5), pod(15)]), State::Warn);
    }
}
