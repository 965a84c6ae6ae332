//! The checks that ask the API server, before a scripted one.

use std::time::{Duration, Instant};

use nearpath_tests::apiserver::{ApiServer, Fault};
use nearpath_tests::node::Node;
use nearpath_tests::objects::{Pod, PodStatus};

use super::house::{House, Told};

const COREFILE: &str = "\
.:53 {
    errors
    autopath cluster.local @kubernetes
    cache 30
    bind 169.254.20.10 fd00::53
    health 127.0.0.1:8080
    forward . 10.2.0.2
}
";
const NODE: &str = "node-1";
/// What is true is known after this, also on a busy machine.
const IN_STEP_WITHIN: Duration = Duration::from_secs(40);

/// Looks until the check is so; what was seen last.
fn until(house: &House, check: &str, state: &str) -> Told {
    let deadline = Instant::now() + IN_STEP_WITHIN;
    loop {
        let told = house.doctor("", &[]);
        if told.state(check) == state || Instant::now() > deadline {
            return told;
        }
    }
}

#[test]
fn rights_and_the_index_are_looked_at() {
    if !Node::is_possible() {
        return;
    }
    let node = House::node();
    let server = node.space().inside(ApiServer::new);
    let pod = |name: &str| Pod::new("shop", name).on(NODE);
    server.pod(&pod("web"), &PodStatus::running(&["10.77.0.11"]));
    let left = server.pod(&pod("left"), &PodStatus::running(&["10.77.0.12"]));
    let flags = server.flags(NODE);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let house = House::on(node, COREFILE, &flags);

    let told = until(&house, "index", "ok");
    assert_eq!((told.state("index"), told.state("api rights")), ("ok", "ok"), "{}", told.text());
    assert_eq!((told.bad(), told.code), (Vec::new(), 0), "{}", told.text());

    // the watch says that a pod has gone which a list still has
    server.tells("DELETED", &left);
    let told = until(&house, "index", "fail");
    assert_eq!((told.bad_names(), told.code), (vec!["index".to_owned()], 2), "{}", told.text());
    assert!(told.bad()[0].contains("10.77.0.12") && told.mends("index"), "{}", told.text());

    server.fails(Fault::Status(403));
    let told = until(&house, "api rights", "fail");
    assert_eq!((told.bad_names(), told.state("index")), (vec!["api rights".to_owned()], "skip"), "{}", told.text());
    assert!(told.bad()[0].contains("403") && told.mends("api rights"), "{}", told.text());
}
