//! `nearpath explain` tells what dig gets, over the socket and from the Corefile alone.

use nearpath_tests::{Behaviour, ask, mode};

use super::{House, Said, house, said};

const FIRST: &str = "www.example.com.shop.svc.cluster.local";

/// `NAME TYPE DATA` of the answer section, as dig prints it from this client.
#[track_caller]
fn dug(house: &House, client: &str, name: &str) -> (String, Vec<String>) {
    let (ip, port) = (house.daemon.address().ip().to_string(), house.daemon.address().port().to_string());
    let arguments = [
        "-b",
        client,
        &format!("@{ip}"),
        "-p",
        &port,
        "+noall",
        "+comments",
        "+answer",
        "+tries=1",
        "+time=6",
        name,
        "A",
    ];
    let output = mode::command("dig").args(arguments).output().expect("dig runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let rcode = text.split("status: ").nth(1).and_then(|rest| rest.split(',').next()).expect("a status").to_owned();
    let records = text.lines().filter(|line| !line.starts_with(';') && !line.is_empty()).map(without_ttl).collect();
    (rcode, records)
}

fn without_ttl(record: &str) -> String {
    let words: Vec<_> =
        record.split_whitespace().enumerate().filter(|(at, _)| *at != 1).map(|(_, word)| word).collect();
    words.join(" ")
}

#[track_caller]
fn explained(said: &Said) -> (String, Vec<String>) {
    let told = said.json();
    let records = told["reply"]["records"].as_array().expect("records");
    // dig was asked for the answers alone
    let answers = records.iter().filter_map(|record| record.as_str()).filter(|record| !record.contains(" SOA "));
    (told["reply"]["rcode"].as_str().expect("an RCODE").to_owned(), answers.map(without_ttl).collect())
}

#[test]
fn explain_by_socket_and_by_corefile_agree_with_dig() {
    if !mode::have("scenario: explain against dig", &["dig"]) {
        return;
    }
    let house = house();
    let conf = house.daemon.folder().file("Corefile").display().to_string();
    for (client, typed, first, code) in [
        ("127.3.0.1", "www.example.com", FIRST, 0),
        ("127.3.0.1", "db", "db.shop.svc.cluster.local", 0),
        ("127.3.0.1", "www.example.com.", "www.example.com", 0),
        ("127.3.0.1", "nothing.example.com", "nothing.example.com.shop.svc.cluster.local", 1),
        ("127.0.0.9", "www.example.com", "www.example.com", 0),
        ("127.0.0.9", "text.example.com", "text.example.com", 0),
        ("127.0.0.9", "nothing.example.com", "nothing.example.com", 1),
        ("127.3.0.66", "www.example.com", "www.example.com", 1),
    ] {
        let dug = dug(&house, client, first);
        let by_socket = house.says(&["explain", typed, "--ip", client, "--json"]);
        let alone = said(&["explain", typed, "A", "--ip", client, "--conf", &conf, "--json"]);
        for (way, said) in [("socket", &by_socket), ("Corefile", &alone)] {
            assert_eq!(explained(said), dug, "{typed} as {client} by {way}: {said:?}");
            assert_eq!(said.code, Some(code), "{typed} as {client} by {way}: {said:?}");
            assert_eq!(said.json()["asked"]["name"], format!("{first}."), "{typed} as {client} by {way}");
        }
    }
}

#[test]
fn a_pod_its_candidates_its_block_and_its_memory_are_told() {
    let house = house();
    house.daemon.client_at("127.3.0.1".parse().expect("an address")).asks(&ask(FIRST, "A"));
    let said = house.says(&["explain", "www.example.com", "--pod", "shop/web", "--json"]);
    let told = said.json();
    assert_eq!((&told["client"]["pod"], &told["client"]["ip"]), (&"shop/web".into(), &"127.3.0.1".into()), "{told}");
    assert_eq!(told["client"]["search"][0], "shop.svc.cluster.local.");
    assert_eq!(told["block"], "cluster.local");
    let chain: Vec<_> = told["chain"].as_array().expect("a chain").iter().filter_map(|name| name.as_str()).collect();
    assert!(chain.ends_with(&["forward"]) && chain.contains(&"autopath"), "{chain:?}");
    let walk: Vec<_> = told["walk"].as_array().expect("a walk").iter().collect();
    assert_eq!(walk.len(), 4, "{told}");
    assert_eq!(walk[3]["name"], "www.example.com.");
    assert!(walk[3]["result"].as_str().is_some_and(|result| result.contains("memory")), "{told}");
    assert!(told["reply"]["way"].as_str().is_some_and(|way| way.starts_with("hit age ")), "{told}");
    let steps = told["steps"].as_array().expect("steps");
    assert!(steps.iter().any(|step| step["kind"] == "memory"), "{told}");

    let text = house.says(&["explain", "www.example.com", "--pod", "shop/web"]).out;
    for word in
        ["client    shop/web (127.3.0.1)", "block     cluster.local", "4 of 4 www.example.com.", "\nreply\n  NOERROR"]
    {
        assert!(text.contains(word), "{word}:\n{text}");
    }
}

#[test]
fn who_is_asked_and_why_a_name_fails_is_told() {
    let house = house();
    house.centre.behaves_for("www.example.com.", Behaviour::Rcode(2));
    let said = house.says(&["explain", "www.example.com.", "--json"]);
    let told = said.json();
    assert_eq!((told["reply"]["rcode"].as_str(), said.code), (Some("SERVFAIL"), Some(1)), "{told}");
    let centre = house.centre.address();
    let steps = told["steps"].as_array().expect("steps");
    let asked = |step: &&serde_json::Value| step["kind"] == "upstream";
    let text = steps.iter().find(asked).and_then(|step| step["text"].as_str()).unwrap_or_default();
    assert!(text.contains(&centre) && text.contains("SERVFAIL") && text.contains("; up"), "{told}");
}

#[test]
fn a_list_of_choice_is_searched_and_why_nobody_searches_is_told() {
    let house = house();
    let list = ["explain", "db", "--search", "shop.svc.cluster.local,cluster.local", "--json"];
    let told = house.says(&list).json();
    assert_eq!(told["asked"]["name"], "db.shop.svc.cluster.local.");
    assert_eq!(told["client"]["search"].as_array().map(Vec::len), Some(2), "{told}");
    let told = house.says(&["explain", "db", "--ip", "127.3.0.99", "--json"]).json();
    assert_eq!(told["asked"]["name"], "db.");
    assert!(told["client"]["plain"].as_str().is_some_and(|plain| plain.contains("no pod is known")), "{told}");
}

#[test]
fn what_makes_no_sense_and_an_absent_daemon_are_a_matter_of_the_command_line() {
    let house = house();
    for (arguments, word) in [
        (&["explain", "a..b"][..], "name: 'a..b' is not a name"),
        (&["explain", "a", "NOTYPE"], "is not a record type"),
        (&["explain", "a", "--pod", "web"], "is not NAMESPACE/NAME"),
        (&["explain", "a", "--pod", "shop/none"], "no pod 'shop/none'"),
        (&["explain", "a", "--ip", "x"], "is not an IP address"),
        (&["explain", "a", "--ip", "127.3.0.1", "--search", "b"], "cannot be used with"),
        (&["explain", "a", "--ndots", "3"], "--search"),
        (&["explain", "a", "--conf", "/nonexistent/Corefile"], "/nonexistent/Corefile"),
        (&["watch", "--rcode", "MAYBE"], "is not an RCODE"),
    ] {
        let said = house.says(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:?}");
        assert!(said.err.contains(word) && said.out.is_empty(), "{arguments:?}: {said:?}");
    }
    for command in [&["explain", "a"][..], &["top", "--once"], &["watch"]] {
        let said = said(&[command, &["--statedir", "/nonexistent"]].concat());
        assert_eq!(said.code, Some(2), "{command:?}: {said:?}");
        assert!(said.err.contains("/nonexistent/nearpath.sock"), "{command:?}: {said:?}");
    }
}
