//! For whoever comes from elsewhere: `--from` reads another server's manifests, `--explain` says what differs and what could be
//! better.

use nearpath_tests::daemon;
use nearpath_tests::place::Folder;

use super::{WITHIN, text};

/// A manifest as installers of NodeLocal DNSCache ship it: other objects, then the ConfigMap.
const MANIFEST: &str = r"apiVersion: v1
kind: Service
metadata: {name: kube-dns-upstream, namespace: kube-system}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: node-local-dns
  namespace: kube-system
data:
  Corefile: |
    cluster.local:53 {
        errors
        cache {
            success 9984 30
            denial 9984 5
        }
        reload
        loop
        bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__
        forward . __PILLAR__CLUSTER__DNS__ {
            force_tcp
        }
        prometheus :9253
        health __PILLAR__LOCAL__DNS__:8080
    }
    .:53 {
        errors
        log
        cache 30
        bind __PILLAR__LOCAL__DNS__
        forward . __PILLAR__UPSTREAM__SERVERS__
    }
";

/// Exit code and what is said of a file with this text.
fn checked(content: &str, flags: &[&str]) -> (Option<i32>, String) {
    let folder = Folder::new();
    let path = folder.write("given", content).display().to_string();
    let output = daemon::run(&[&["check"], flags, &[&path]].concat(), WITHIN);
    (output.status.code(), text(&output).replace(&path, "given"))
}

fn says(said: &str, wanted: &[&str]) {
    wanted.iter().for_each(|line| assert!(said.contains(line), "expected {line} in:\n{said}"));
}

#[test]
fn the_config_map_of_node_cache_is_checked_as_it_would_be_served() {
    let (code, said) = checked(MANIFEST, &["--from", "node-cache"]);
    assert_eq!(code, Some(0), "{said}");
    let at = "kube-system/node-local-dns:Corefile";
    let local = format!("{at}: __PILLAR__LOCAL__DNS__ taken for 169.254.20.10; say -localip");
    let centre = format!("{at}: __PILLAR__CLUSTER__DNS__ taken for 10.96.0.10; say -upstream-address");
    says(&said, &[&local, &centre, "bind 169.254.20.10", "forward . /etc/resolv.conf", "dns://cluster.local.:53"]);
    assert!(!said.contains("hint:"), "hints are asked for:\n{said}");
    let own = ["--from", "node-cache", "-localip", "169.254.20.11", "-upstream-address", "10.0.0.2"];
    let (code, said) = checked(MANIFEST, &own);
    assert_eq!(code, Some(0), "{said}");
    says(&said, &["bind 169.254.20.11", "forward . 10.0.0.2"]);
    assert!(!said.contains("taken for"), "{said}");
}

#[test]
fn a_mistake_in_a_config_map_has_its_place_in_the_corefile() {
    let (code, said) = checked(&MANIFEST.replace("        loop\n", "        looop\n"), &["--from", "node-cache"]);
    assert_eq!(code, Some(1), "{said}");
    says(&said, &["kube-system/node-local-dns:Corefile:8:5: error: unknown directive `looop`", "did you mean `loop`?"]);
}

#[test]
fn a_file_without_a_config_map_says_what_is_in_it() {
    for (content, flags, wanted) in [
        ("kind: Service\n", ["--from", "node-cache"], "given: no ConfigMap in it has a key `Corefile`"),
        ("a: [\n", ["--from", "coredns"], "given:1:4: error: unclosed bracket"),
        (". {\n whoami\n}\n", ["--from", "coredns"], "given:1:1: error: "),
    ] {
        let (code, said) = checked(content, &flags);
        assert_eq!(code, Some(1), "{said}");
        says(&said, &[wanted]);
    }
    let (code, said) = checked(MANIFEST, &["--from", "dnsmasq"]);
    assert_eq!(code, Some(2), "{said}");
    says(&said, &["node-cache, coredns"]);
}

#[test]
fn explained_it_says_what_differs_and_what_could_be_better_with_its_place() {
    let (code, said) = checked(MANIFEST, &["--from", "node-cache", "--explain"]);
    assert_eq!(code, Some(0), "{said}");
    let at = "kube-system/node-local-dns:Corefile";
    let hint = |place: &str, words: &str| format!("{at}:{place}: hint: {words}");
    says(
        &said,
        &[
            &hint("1:1", "pods walk their search lists themselves"),
            &hint("18:5", "every query becomes a line in the log"),
            &hint("21:5", "a host whose resolv.conf names this daemon"),
            "What differs from CoreDNS:",
            "cache: ",
        ],
    );
    let (_, plain) = checked(MANIFEST, &["--from", "node-cache"]);
    assert!(!plain.contains("What differs"), "{plain}");
}

#[test]
fn a_corefile_is_explained_directive_by_directive() {
    let corefile = ".:1053 {\n    cache 30\n    loop\n    forward . 10.0.0.1 {\n        force_tcp\n    }\n}\n";
    let (code, said) = checked(corefile, &["--explain"]);
    assert_eq!(code, Some(0), "{said}");
    says(&said, &["cache: memorises", "loop: asks once", "forward: questions for . go to 10.0.0.1:53 over TCP"]);
    assert!(!said.contains("hint:"), "{said}");
}
