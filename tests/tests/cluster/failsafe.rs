//! The kernel's failsafe follows the endpoints that the watch tells of.

use std::process::Command;
use std::time::Duration;

use nearpath_tests::controlplane;
use nearpath_tests::objects::{ClusterIp, Endpoint, Port};
use nearpath_tests::{ControlPlane, Daemon, daemon, place};

use super::flags;

/// Time for a watch to be in step, and for rules to be put in place, on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// Names the rules, so that they are nobody else's.
const NAME: &str = "watched0";

const COREFILE: &str = "cluster.local:PORT {\n bind IP\n forward . @failsafe/dns\n}\n";

#[test]
fn the_kernel_sends_to_the_endpoints_of_the_watched_service() {
    if !controlplane::is_possible() || !nearpath_tests::mode::have("cluster", &["nft"]) {
        return;
    }
    let plane = ControlPlane::start();
    let api = plane.api();
    api.namespace("failsafe");
    let ports = [Port::udp("dns", 53), Port::tcp("dns-tcp", 53)];
    api.service("failsafe", "dns", &ports, ClusterIp::At("10.96.54.1"));
    let (first, second) = (place::pod_address().to_string(), place::pod_address().to_string());
    api.endpoint_slice("failsafe", "dns", "1", &[Endpoint::ready(&first)], &ports);

    let at = place::socket();
    let local = at.ip().to_string();
    let mut flags = flags(&plane, "failsafe");
    let node = ["-localip", &local, "-setupinterface=false", "-failsafe-host=false", "-interfacename", NAME];
    flags.extend(node.iter().chain(&["-metrics-listen-address", "127.0.0.1:0"]).map(|word| (*word).to_owned()));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let daemon = Daemon::at(at, COREFILE, &[], &[("resolv.conf", "nameserver 192.0.2.1\n")], &flags);
    assert!(daemon.has_logged(0, &format!("the kernel sends questions to {first}:53 for"), SOON), "the first endpoint");

    let seen = daemon.log_len();
    api.endpoint_slice("failsafe", "dns", "1", &[Endpoint::ready(&second)], &ports);
    assert!(daemon.has_logged(seen, &format!("the kernel sends questions to {second}:53 for"), SOON), "the second one");
    let rules = Command::new("nft").args(["list", "table", "ip", &format!("nearpath-{NAME}")]).output().unwrap();
    let rules = String::from_utf8(rules.stdout).unwrap();
    assert!(rules.contains(&second) && !rules.contains(&first) && !rules.contains("10.96.54.1"), "{rules}");

    drop(daemon);
    let cleanup = Command::new(daemon::binary()).args(["cleanup", "-interfacename", NAME]).status().unwrap();
    assert!(cleanup.success());
}
