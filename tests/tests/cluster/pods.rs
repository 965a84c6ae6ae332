//! The index of pods end to end: what the API server says of a pod decides how its questions are answered.

use nearpath_tests::coredns::{self, CoreDns};
use nearpath_tests::objects::{ClusterIp, Pod, PodStatus, Port};
use nearpath_tests::{ask, controlplane, place};

use super::{daemon_on, soon};

/// AutoPath by the watch, before a real CoreDNS.
pub(crate) const COREFILE: &str = "cluster.local:PORT {
    bind IP
    autopath @kubernetes
    cache
    forward . CENTRE {
        force_tcp
    }
    prometheus IP:9153
}
.:PORT {
    bind IP
    cache
    forward . CENTRE {
        force_tcp
    }
}
";

#[test]
fn a_pod_that_comes_is_expanded_by_its_own_list() {
    let Some(plane) = controlplane::shared() else { return };
    let api = plane.api();
    api.namespace("shop");
    api.service("shop", "web", &[Port::tcp("http", 80)], ClusterIp::At("10.96.10.1"));
    let coredns = CoreDns::start(plane, coredns::USUAL);
    let daemon = daemon_on(plane, "pods-node", COREFILE, &[("CENTRE", coredns.address().to_string())]);
    let address = place::pod_address();
    let client = daemon.client_at(address);
    let asked = ask("web.shop.shop.svc.cluster.local.", "A");
    assert_eq!(client.asks(&asked).rcode, 3, "nobody known: as asked");

    api.create_pod(&Pod::new("shop", "client").on("pods-node"));
    api.set_pod_status("shop", "client", &PodStatus::running(&[&address.to_string()]));
    soon("the pod is expanded", || client.asks(&asked).rcode == 0);
    client.asks(&asked).is("NOERROR").answers_are(&[
        "web.shop.shop.svc.cluster.local. CNAME web.shop.svc.cluster.local.",
        "web.shop.svc.cluster.local. A 10.96.10.1",
    ]);
    api.delete_pod("shop", "client");
    soon("it is gone", || client.asks(&asked).rcode == 3);
}
