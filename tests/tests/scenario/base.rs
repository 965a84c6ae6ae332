//! A base Corefile and the ConfigMap beside it, as node-cache is given them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nearpath_tests::{Daemon, Upstream, ask, daemon, place};

use super::centre;

const BASE: &str = "__PILLAR__DNS__DOMAIN__:PORT {\n errors\n bind IP __PILLAR__DNS__SERVER__\n forward . CENTRE\n}\n.:PORT {\n errors\n bind IP\n forward . __PILLAR__UPSTREAM__SERVERS__ {\n  force_tcp\n }\n}\n";
const SOON: Duration = Duration::from_secs(20);

/// What the kubelet does when a mounted ConfigMap changes: a new folder, and a link to it in the place of the old one.
fn mount(folder: &Path, version: u32, keys: &[(&str, &str)]) {
    let data = format!("..version-{version}");
    fs::create_dir_all(folder.join(&data)).expect("the folder is ours");
    for (key, value) in keys {
        fs::write(folder.join(&data).join(key), value).expect("the folder is ours");
        if !folder.join(key).is_symlink() {
            symlink(format!("..data/{key}"), folder.join(key)).expect("the folder is ours");
        }
    }
    symlink(&data, folder.join("..data_tmp")).expect("the folder is ours");
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("the folder is ours");
}

#[test]
fn a_base_is_served_rendered_and_follows_its_config_map() {
    let (centre, other) = (centre(), Upstream::with(&["www.example.com. 60 A 192.0.2.60"]));
    let at = place::socket();
    let local = at.ip().to_string();
    let config_map = place::Folder::new();
    let flags = [
        ["-basecorefile", "base"],
        ["-kubednscm", config_map.path().to_str().unwrap()],
        ["-cluster-domain", "cluster.local"],
        // a node of which nothing is set up
        ["-localip", &local],
        ["-setupinterface=false", "-setupiptables=false"],
        ["-metrics-listen-address", "127.0.0.1:0"],
    ];
    let servers = format!("[\"{}\"]", centre.address());
    mount(config_map.path(), 1, &[("upstreamNameservers", &servers), ("stubDomains", "{}")]);
    let daemon = Daemon::at(at, "", &[("CENTRE", centre.address())], &[("base", BASE)], flags.as_flattened());
    daemon.asked(&ask("db.shop.svc.cluster.local", "A")).answers_are(&["db.shop.svc.cluster.local. A 10.96.0.7"]);
    daemon.asked(&ask("www.example.com", "A")).answers_are(&["www.example.com. A 192.0.2.1"]);
    assert!(daemon.has_logged(0, "__PILLAR__DNS__DOMAIN__ was left in", SOON));
    let written = fs::read_to_string(daemon.folder().path().join("Corefile")).unwrap();
    assert!(written.contains(&format!("forward . {}", centre.address())) && !written.contains("__"), "{written}");
    assert!(!written.contains("force_tcp"), "servers of the ConfigMap are asked over UDP: {written}");

    let seen = daemon.log_len();
    let stub = format!("{{\"example.com\": [\"{}\"]}}", other.address());
    mount(config_map.path(), 2, &[("upstreamNameservers", &servers), ("stubDomains", &stub)]);
    assert!(daemon.has_logged(seen, "reloaded ", SOON), "the changed ConfigMap is noticed");
    daemon.asked(&ask("www.example.com", "A")).answers_are(&["www.example.com. A 192.0.2.60"]);
    let written = fs::read_to_string(daemon.folder().path().join("Corefile")).unwrap();
    assert!(written.contains(&format!("example.com:{} {{", daemon.address().port())), "{written}");

    let seen = daemon.log_len();
    mount(config_map.path(), 3, &[("upstreamNameservers", "oops"), ("stubDomains", &stub)]);
    assert!(daemon.has_logged(seen, "is not taken", SOON), "what is wrong in it is told");
    assert!(daemon.has_logged(seen, "upstreamNameservers", SOON));
    daemon.asked(&ask("db.shop.svc.cluster.local", "A")).is("NOERROR");
    let still = fs::read_to_string(daemon.folder().path().join("Corefile")).unwrap();
    assert_eq!(still, written, "what was served goes on, stub domains too");
}

#[test]
fn check_shows_what_becomes_of_a_base() {
    let folder = place::Folder::new();
    let base = folder.write(
        "Corefile.base",
        ".:53 {\n bind __PILLAR__LOCAL__DNS__\n forward . __PILLAR__CLUSTER__DNS__ {\n  force_tcp\n }\n}\n",
    );
    let check = |flags: &[&str]| {
        let mut command = Command::new(daemon::binary());
        command.arg("check").arg("-basecorefile").arg(&base).args(flags).env_remove("KUBE_DNS_SERVICE_HOST");
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, output) = check(&["-localip", "169.254.20.10,fd00::53", "-upstream-address", "10.96.0.11"]);
    assert_eq!(code, Some(0), "{output}");
    for part in ["bind 169.254.20.10 fd00::53\n", "forward . 10.96.0.11 {", "listens on 169.254.20.10 fd00::53"] {
        assert!(output.contains(part), "{part}: {output}");
    }
    let (code, output) = check(&["-localip", "169.254.20.10"]);
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains("Corefile.base:3: __PILLAR__CLUSTER__DNS__ has no value")
            && output.contains("KUBE_DNS_SERVICE_HOST"),
        "{output}"
    );
}
