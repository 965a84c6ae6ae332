//! `nearpath doctor` on nodes of its own: it says nothing on a healthy one, and names each fault that is made on purpose.

mod cluster;
mod faults;
mod house;

use std::sync::atomic::{AtomicUsize, Ordering};

use faults::Fault;
use house::House;
use nearpath_tests::mode::note;
use nearpath_tests::node::Node;

/// Nodes with a fault at a time.
const AT_A_TIME: usize = 3;

#[test]
fn a_healthy_node_is_told_to_be_well() {
    if !Node::is_possible() {
        return;
    }
    let house = House::new(house::COREFILE, &[]);
    let conf = house.writes("pod.conf", house::POD);
    let told = house.doctor("", &["--resolv-conf", &conf, "--large-name", house::LARGE]);
    note(&format!("a healthy node, in {:.1} s:\n{}", told.took.as_secs_f64(), told.text()));
    assert_eq!(told.bad(), Vec::<String>::new(), "{}", told.text());
    assert_eq!(told.code, 0, "{}", told.text());
    for checked in [
        "daemon",
        "health",
        "address",
        "rules",
        "failsafe",
        "port",
        "receive buffer",
        "upstreams",
        "answers",
        "large answers",
        "loop",
        "cloud limits",
        "resolv.conf",
        "ndots",
        "corefile",
        "state folder",
        "memory",
        "descriptors",
        "clock",
    ] {
        assert_eq!(told.state(checked), "ok", "{checked}: {}", told.text());
    }
    // the same for a person: a line for each check, and the sum
    let text = house.doctor_text(&["--resolv-conf", &conf, "--large-name", house::LARGE]);
    assert_eq!(text.lines().count(), told.checks() + 1, "{text}");
    assert!(text.contains(" 0 warnings, 0 failures"), "{text}");
}

#[test]
fn each_fault_is_named() {
    if !Node::is_possible() {
        return;
    }
    // much of it is waiting: several at a time
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(fault) = faults::FAULTS.get(next.fetch_add(1, Ordering::Relaxed)) {
            wrong.extend(misnamed(fault));
        }
        wrong
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a fault can be made")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with what the doctor says of a fault, if anything is.
fn misnamed(fault: &Fault) -> Option<String> {
    let told = faults::seen(fault);
    let took = told.took.as_secs_f64();
    note(&format!("{}: {took:.1} s, exit code {}: {}", fault.what, told.code, told.bad().join(" | ")));
    let (check, state) = fault.finds;
    let is_other = |name: &String| name != check && !fault.and.contains(&name.as_str());
    let others = told.bad_names().iter().any(is_other);
    let code = if told.bad_states().iter().any(|state| state == "fail") { 2 } else { 1 };
    let right = told.state(check) == state && told.mends(check) && !others && told.code == code;
    (!right).then(|| format!("{}: wanted {check} to be {state} and nothing else:\n{}", fault.what, told.text()))
}
