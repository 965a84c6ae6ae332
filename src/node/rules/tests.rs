//! The rules as they are written, without a kernel.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::chains::{self, Extent};
use super::wanted::{Detour, Failsafe, Family, Wanted};
use super::{nft, table};

fn wanted(central: &[&str]) -> Wanted {
    Wanted {
        own: ["169.254.20.10", "10.96.0.10", "fd00::53"].map(|ip| ip.parse().unwrap()).into(),
        of_services: vec!["10.96.0.10".parse().unwrap()],
        port: 53,
        health_port: 8080,
        failsafe: Some(Failsafe {
            lasts: Duration::from_millis(1_500),
            central: central.iter().map(|server| server.parse().unwrap()).collect(),
        }),
        host: None,
    }
}

/// The content of all commands of a kind in a batch, such as `add` of a `rule`.
fn all<'a>(batch: &'a Value, verb: &str, kind: &str) -> Vec<&'a Value> {
    nft::objects(batch).iter().filter_map(|command| command.get(verb)?.get(kind)).collect()
}

fn set<'a>(batch: &'a Value, family: &str, name: &str) -> &'a Value {
    let sets = all(batch, "add", "set");
    sets.into_iter().find(|set| set["family"] == family && set["name"] == name).expect("there is such a set")
}

#[test]
fn a_table_is_made_deleted_and_made_in_one_transaction() {
    let batch = table::whole("nearpath-a", &wanted(&["10.2.0.2:53"]), &[]);
    let tables: Vec<_> = nft::objects(&batch)
        .iter()
        .filter_map(|command| {
            let (verb, content) = command.as_object()?.iter().next()?;
            Some((verb.as_str(), content.get("table")?["family"].as_str()?))
        })
        .collect();
    assert_eq!(
        tables,
        [("add", "ip"), ("delete", "ip"), ("add", "ip"), ("add", "ip6"), ("delete", "ip6"), ("add", "ip6")]
    );
}

#[test]
fn a_family_that_is_asked_no_more_goes_and_one_that_never_was_is_not_touched() {
    let mut four = wanted(&[]);
    four.own.retain(IpAddr::is_ipv4);
    let families = |present: &[Family]| {
        let batch = table::whole("nearpath-a", &four, present);
        all(&batch, "delete", "table").iter().map(|table| table["family"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(families(&[]), ["\"ip\""]);
    assert_eq!(families(&[Family::V6]), ["\"ip\"", "\"ip6\""]);
}

#[test]
fn elements_expire_and_nobody_stands_in_for_a_service_or_without_a_server() {
    let batch = table::whole("nearpath-a", &wanted(&["10.2.0.2:53"]), &[]);
    assert_eq!(set(&batch, "ip", "own")["timeout"], 2, "whole seconds, up");
    assert_eq!(set(&batch, "ip", "own")["elem"], json!(["169.254.20.10", "10.96.0.10"]));
    assert_eq!(set(&batch, "ip", "stand_in")["elem"], json!(["169.254.20.10"]));
    assert_eq!(set(&batch, "ip6", "stand_in").get("elem"), None, "no server of that family");
    assert_eq!(wanted(&["10.2.0.2:53"]).bare(), ["fd00::53".parse::<IpAddr>().unwrap()]);
    assert_eq!(wanted(&[]).bare().len(), 2);
}

#[test]
fn one_of_the_servers_is_chosen_each_with_its_port_and_none_is_ourselves() {
    let central = ["10.2.0.2:53", "10.2.0.3:5353", "[fd02::2]:53", "169.254.20.10:53"];
    let batch = table::whole("nearpath-a", &wanted(&central), &[]);
    let text = batch.to_string();
    assert!(text.contains(r#"[0,{"concat":["10.2.0.2",53]}],[1,{"concat":["10.2.0.3",5353]}]"#), "{text}");
    assert!(text.contains(r#"[[0,{"concat":["fd02::2",53]}]]"#), "{text}");
    assert!(!text.contains(r#"["169.254.20.10",53]"#), "{text}");
    // and as the kernel shows them, they are read again
    let rules = all(&batch, "add", "rule").into_iter().map(|rule| json!({ "rule": rule })).collect::<Vec<_>>();
    let servers = table::central_of(&json!({ "nftables": rules }));
    assert_eq!(servers.iter().map(ToString::to_string).collect::<Vec<_>>(), central[..3]);
}

#[test]
fn every_statement_is_an_object() {
    let batch = table::whole("nearpath-a", &wanted(&["10.2.0.2:53"]), &[]);
    let rules = all(&batch, "add", "rule");
    let mut statements = rules.iter().flat_map(|rule| rule["expr"].as_array().unwrap());
    assert!(rules.len() > 10 && statements.all(Value::is_object), "nft takes no bare words");
    assert!(batch.to_string().contains(r#"{"notrack":null}"#));
}

#[test]
fn a_renewal_adds_deletes_and_adds_elements_and_nothing_else() {
    let batch = table::renewal("nearpath-a", &wanted(&["10.2.0.2:53"]));
    let steps: Vec<_> = nft::objects(&batch)
        .iter()
        .map(|command| {
            let (verb, content) = command.as_object().unwrap().iter().next().unwrap();
            format!("{verb} {} {}", content["element"]["family"], content["element"]["name"]).replace('"', "")
        })
        .collect();
    let each = |set: &str| ["add", "delete", "add"].map(|verb| format!("{verb} {set}"));
    assert_eq!(steps, [each("ip own"), each("ip stand_in"), each("ip6 own")].concat());
}

#[test]
fn without_a_failsafe_nothing_expires_and_no_socket_is_looked_for() {
    let mut plain = wanted(&["10.2.0.2:53"]);
    plain.failsafe = None;
    let text = table::whole("nearpath-a", &plain, &[]).to_string();
    assert!(!["socket", "timeout", "dnat", "masquerade"].iter().any(|word| text.contains(word)), "{text}");
    assert_eq!(plain.bare(), plain.own);
}

#[test]
fn what_changes_by_itself_is_not_compared() {
    let shown = |handle: u32, expires: u32, alive: &str| {
        json!({ "nftables": [
            { "metainfo": { "version": handle } },
            { "set": { "name": "own", "handle": handle, "elem": [
                { "elem": { "val": "10.0.0.2", "expires": expires } }, { "elem": { "val": "10.0.0.1", "expires": 1 } } ] } },
            { "set": { "name": "hairpin", "elem": [alive] } },
            { "rule": { "chain": "c", "handle": handle, "expr": [] } },
        ] })
    };
    let normal = |table: &Value| nft::normal(table, "hairpin");
    assert_eq!(normal(&shown(1, 5, "a")), normal(&shown(2, 6, "b")));
    let mut other = shown(1, 5, "a");
    other["nftables"][1]["set"]["elem"].as_array_mut().unwrap().pop();
    assert_ne!(normal(&shown(1, 5, "a")), normal(&other));
    assert_eq!(nft::rules(&other), 1);
}

#[test]
fn chains_of_iptables_share_fairly_and_fit_its_names() {
    let servers = ["10.2.0.2:53", "10.2.0.3:53", "10.2.0.4:53"];
    let extent = Extent::All { socket: true };
    let chains = chains::chains("fifteen-letters", &wanted(&servers), Family::V4, extent, Some("2026-01-01T00:00:00"));
    assert!(chains.iter().all(|chain| chain.name.len() <= 28), "{chains:?}");
    assert!(chains.iter().all(|chain| chain.rules[0].contains("--datestart 2026-01-01T00:00:00 -j RETURN")));
    let text = chains::text(&chains);
    let shares = |share: &str| text.matches(share).count();
    assert_eq!((shares("--probability 0.33333333"), shares("--probability 0.50000000")), (2, 2), "{text}");
    assert!(!text.contains("-d 10.96.0.10 -p udp --dport 53 -j DNAT"), "a Service's proxy takes it");
    assert_eq!(text.matches("COMMIT").count(), 3);
}

#[test]
fn a_hosts_own_questions_take_the_detour_of_their_family() {
    let mut with = wanted(&["10.2.0.2:53"]);
    let detour = Detour {
        device: "out0".into(),
        back: "back0".into(),
        address: "169.254.20.12".parse().unwrap(),
        address6: None,
    };
    with.host = Some(detour);
    let dups = |wanted: &Wanted| table::whole("nearpath-a", wanted, &[]).to_string().matches("\"dup\"").count();
    assert_eq!(dups(&with), 1);
    with.host.as_mut().unwrap().address6 = Some("fd00:2::12".parse().unwrap());
    assert_eq!(dups(&with), 2);
}
