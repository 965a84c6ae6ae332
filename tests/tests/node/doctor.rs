//! `nearpath doctor` on nodes of its own: it says nothing on a healthy one, and names each fault that is made on purpose.

mod faults;
mod house;

use house::House;
use nearpath_tests::mode::note;
use nearpath_tests::node::Node;

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
    let mut wrong = Vec::new();
    for fault in faults::FAULTS {
        let told = faults::seen(fault);
        note(&format!(
            "{}: {:.1} s, exit code {}: {}",
            fault.what,
            told.took.as_secs_f64(),
            told.code,
            told.bad().join(" | ")
        ));
        let (check, state) = fault.finds;
        let code = told.bad_states().iter().map(|state| if state == "fail" { 2 } else { 1 }).max().unwrap_or(0);
        let others: Vec<String> =
            told.bad_names().into_iter().filter(|name| name != check && !fault.and.contains(&name.as_str())).collect();
        if told.state(check) != state || !told.mends(check) || !others.is_empty() || told.code != code {
            wrong.push(format!("{}: wanted {check} to be {state} and nothing else:\n{}", fault.what, told.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
