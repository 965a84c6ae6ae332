//! The directive as it is written, and the files that it reads.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap like tests")]

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use autopath::{AutopathSpec, Lists, check};
use contract::corefile::{Memory, Report, parse};
use contract::metrics::Metrics;
use contract::wire::{Name, RecordType};
use contract::{BuildError, Context, FakeClock, Plugin, Scope, Spec};

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("autopath-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.0.join(file);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn context() -> Context {
    Context {
        clock: Arc::new(FakeClock::new()),
        metrics: Arc::new(Metrics::default()),
        lists: Arc::default(),
        server: "dns://.:53".to_owned(),
        state_dir: None,
        cluster: Arc::new(contract::NoCluster),
        shelf: Arc::default(),
        labels: Arc::default(),
        wiretap: None,
    }
}

fn checked(line: &str) -> (Option<AutopathSpec>, String) {
    let mut report = Report::new();
    let text = format!("cluster.local {{\n    {line}\n}}\n");
    let corefile = parse("Corefile", &text, &Memory::new(), &mut report);
    let statement = &corefile.blocks[0].statements[0];
    let spec = check(statement, &[Name::parse("cluster.local").unwrap()], &mut report);
    (spec, report.to_string())
}

fn spec(lists: Lists) -> AutopathSpec {
    AutopathSpec { zones: vec![Name::root()], lists, nxdomain_cut: true }
}

/// True if the client's question is the first step of a search.
fn is_searched(plugin: &Arc<dyn Plugin>, client: &str, asked: &str) -> bool {
    let client: IpAddr = client.parse().unwrap();
    let name = Name::parse(asked).unwrap();
    plugin.scoper().unwrap().scope(client, name.as_wire(), RecordType::A, false) != Scope::Shared
}

#[test]
fn the_forms_of_the_directive() {
    let zones = |texts: &[&str]| texts.iter().map(|text| Name::parse(text).unwrap()).collect::<Vec<_>>();
    for (line, own, lists) in [
        ("autopath /etc/resolv.conf", vec!["cluster.local"], Lists::ResolvConf("/etc/resolv.conf".into())),
        ("autopath a.b 10.0.0.0/8 my.conf", vec!["a.b", "10.in-addr.arpa"], Lists::ResolvConf("my.conf".into())),
        ("autopath @kubernetes", vec!["cluster.local"], Lists::Kubernetes),
        ("autopath A.b @kubernetes", vec!["a.b"], Lists::Kubernetes),
        ("autopath {\n pods /run/pods\n }", vec!["cluster.local"], Lists::Pods("/run/pods".into())),
        ("autopath . {\n pods /run/pods\n }", vec!["."], Lists::Pods("/run/pods".into())),
    ] {
        let (spec, printed) = checked(line);
        assert_eq!(printed, "", "{line}");
        assert_eq!(spec, Some(AutopathSpec { zones: zones(&own), lists, nxdomain_cut: true }), "{line}");
    }
    for (line, own, lists, cut) in [
        ("autopath {\n pods /run/pods\n nxdomain_cut off\n }", "cluster.local", Lists::Pods("/run/pods".into()), false),
        ("autopath a.b {\n nxdomain_cut on\n pods /run/pods\n }", "a.b", Lists::Pods("/run/pods".into()), true),
        ("autopath a.b my.conf {\n nxdomain_cut off\n }", "a.b", Lists::ResolvConf("my.conf".into()), false),
        ("autopath @kubernetes {\n nxdomain_cut off\n }", "cluster.local", Lists::Kubernetes, false),
    ] {
        let (spec, printed) = checked(line);
        assert_eq!(printed, "", "{line}");
        assert_eq!(spec.as_ref().map(|spec| spec.describe().contains("NXDOMAIN cut")), Some(!cut), "{line}");
        assert_eq!(spec, Some(AutopathSpec { zones: zones(&[own]), lists, nxdomain_cut: cut }), "{line}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (line, errors) in [
        ("autopath", vec!["Corefile:2:13: error: missing argument of `autopath`"]),
        ("autopath @kubernets", vec!["2:14: error: nothing named `@kubernets`", "did you mean `@kubernetes`?"]),
        ("autopath a..b c..d x.conf", vec!["2:14: error: wrong zone `a..b`", "2:19: error: wrong zone `c..d`"]),
        ("autopath @kubernetes x.conf", vec!["2:14: error: `@kubernetes` is no zone"]),
        ("autopath {\n }", vec!["2:5: error: `autopath` has no search lists"]),
        ("autopath {\n pod x\n }", vec!["3:2: error: unknown property `pod`", "did you mean `pods`?"]),
        ("autopath {\n pods\n }", vec!["3:6: error: missing argument of `pods`"]),
        ("autopath {\n pods a b\n }", vec!["3:9: error: unexpected argument `b`"]),
        ("autopath {\n pods a\n pods b\n }", vec!["4:2: error: a second `pods`"]),
        ("autopath /etc/x {\n pods a\n }", vec!["2:14: error: `/etc/x` is no zone"]),
        ("autopath {\n nxdomain_cut off\n }", vec!["2:5: error: `autopath` has no search lists"]),
        ("autopath x {\n nxdomain_cut maybe\n }", vec!["3:15: error:", "`maybe` is neither `on` nor `off`"]),
        ("autopath x {\n nxdomain_cut\n }", vec!["3:14: error: missing argument of `nxdomain_cut`"]),
        ("autopath x {\n nxdomain_cut on\n nxdomain_cut off\n }", vec!["4:2: error: a second `nxdomain_cut`"]),
        ("autopath x {\n nxdomain_cot on\n }", vec!["did you mean `nxdomain_cut`?"]),
    ] {
        let (_, printed) = checked(line);
        for error in &errors {
            assert!(printed.contains(error), "{line}: {error}\n{printed}");
        }
    }
}

#[test]
fn what_cannot_be_had_is_an_error_at_the_start() {
    let folder = Folder::new();
    let error = |lists| spec(lists).build(&context()).unwrap_err();
    assert!(matches!(error(Lists::Kubernetes), BuildError::Unavailable { .. }));
    assert!(error(Lists::Kubernetes).to_string().contains("no cluster"));
    assert!(matches!(error(Lists::Pods(folder.0.join("none"))), BuildError::File { .. }));
    assert!(matches!(error(Lists::ResolvConf(folder.0.clone())), BuildError::File { .. }), "a folder");
    let wrong = folder.write("pods", "a/b 10.0.0.1 search x\nnonsense\na/c 10.0.0 search x\n");
    let text = error(Lists::Pods(wrong)).to_string();
    assert!(text.contains("pods:2:1: error:") && text.contains("pods:3:5: error:"), "{text}");
    let path = folder.write("large", &"#".repeat(contract::limits::PODS_FILE_MAX + 1));
    assert!(error(Lists::Pods(path)).to_string().contains("larger than"));
}

#[test]
fn a_resolv_conf_is_everybodys() {
    let folder = Folder::new();
    let path = folder.write("resolv.conf", "search shop.svc.d. svc.d d\noptions ndots:2\n");
    let plugin = spec(Lists::ResolvConf(path)).build(&context()).unwrap();
    assert!(is_searched(&plugin, "192.0.2.1", "a.b.shop.svc.d"));
    assert!(is_searched(&plugin, "2001:db8::1", "a.shop.svc.d"));
    assert!(!is_searched(&plugin, "192.0.2.1", "a.b.c.shop.svc.d"));
    let empty = folder.write("empty", "nameserver 192.0.2.1\n");
    let plugin = spec(Lists::ResolvConf(empty)).build(&context()).unwrap();
    assert!(!is_searched(&plugin, "192.0.2.1", "a.shop.svc.d"));
}

/// Lets paused time pass until it holds; the file is read on a thread of its own, so time alone does not tell.
async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }
    panic!("{what}");
}

#[tokio::test(start_paused = true)]
async fn a_table_is_read_again_when_it_changes() {
    let folder = Folder::new();
    let path = folder.write("pods", "a/one 10.0.0.1 search a.svc.d\n");
    let context = context();
    let plugin = spec(Lists::Pods(path)).build(&context).unwrap();
    let running = tokio::spawn(Arc::clone(&plugin).run());
    let one = |plugin: &Arc<dyn Plugin>| is_searched(plugin, "10.0.0.1", "x.a.svc.d");
    let two = |plugin: &Arc<dyn Plugin>| is_searched(plugin, "10.0.0.2", "x.a.svc.d");
    let failures = |count| {
        let line = format!("nearpath_autopath_reload_failures_total {count}\n");
        context.metrics.text().contains(&line)
    };
    assert!(one(&plugin) && !two(&plugin) && failures(0));

    folder.write("pods", "a/two 10.0.0.2 search a.svc.d\n");
    until("the new table counts", || two(&plugin) && !one(&plugin)).await;

    folder.write("pods", "a/two 10.0.0.2 search a.svc.d\nnonsense\n");
    until("a wrong table is counted", || failures(1)).await;
    assert!(two(&plugin), "and changes nothing");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(failures(1), "once");

    std::fs::remove_file(folder.0.join("pods")).unwrap();
    until("a missing table is counted", || failures(2)).await;
    assert!(two(&plugin), "and changes nothing");

    folder.write("pods", "a/one 10.0.0.1 search a.svc.d\n");
    until("it is back", || one(&plugin) && !two(&plugin)).await;
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_mount_that_swaps_its_link_is_followed() {
    let folder = Folder::new();
    for (version, address) in [("v1", "10.0.0.1"), ("v2", "10.0.0.2")] {
        std::fs::create_dir(folder.0.join(version)).unwrap();
        folder.write(&format!("{version}/pods"), &format!("a/pod {address} search a.svc.d\n"));
    }
    // as kubelet mounts a ConfigMap: pods -> ..data/pods, ..data -> v1, and ..data is swapped by a rename
    std::os::unix::fs::symlink("v1", folder.0.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/pods", folder.0.join("pods")).unwrap();
    let plugin = spec(Lists::Pods(folder.0.join("pods"))).build(&context()).unwrap();
    assert!(is_searched(&plugin, "10.0.0.1", "x.a.svc.d"));
    let running = tokio::spawn(Arc::clone(&plugin).run());
    std::os::unix::fs::symlink("v2", folder.0.join("..new")).unwrap();
    std::fs::rename(folder.0.join("..new"), folder.0.join("..data")).unwrap();
    until("the other version counts", || is_searched(&plugin, "10.0.0.2", "x.a.svc.d")).await;
    assert!(!is_searched(&plugin, "10.0.0.1", "x.a.svc.d"));
    running.abort();
}
