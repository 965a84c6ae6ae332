//! The image: its file system, made and entered here, with the rights that the manifests give.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nearpath_tests::certificate;
use nearpath_tests::daemon;
use nearpath_tests::manifest::objects;
use nearpath_tests::mode::{self, note};
use nearpath_tests::place::Folder;

use super::{command_line, read, text};

/// What the image is made with, and what it is looked at with.
const NEEDED: &[&str] =
    &["nft", "xtables-nft-multi", "xtables-legacy-multi", "readelf", "setpriv", "unshare", "chroot"];

/// The capabilities of the manifests.
const GIVEN: &str = "+net_admin,+net_bind_service";

/// The file system of the image, made here as its Dockerfile makes it, with the binary that the tests run.
struct Image(Folder);

impl Image {
    /// `None` where it cannot be made or entered, which is named.
    fn make() -> Option<Self> {
        if !mode::have("node", NEEDED) {
            return None;
        }
        let entered = mode::command("unshare").args(["--net", "--mount", "true"]).status();
        if !entered.is_ok_and(|status| status.success()) {
            mode::skip("node", "the image is entered by root alone");
            return None;
        }
        let folder = Folder::new();
        let script = mode::root().join("deploy/image/root");
        let made = Command::new("timeout").arg("60").arg(script).arg(folder.path()).arg(daemon::binary()).output();
        let made = made.expect("timeout runs it");
        assert!(made.status.success(), "{}", text(&made.stderr));
        Some(Self(folder))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    /// Runs a program of the image as a pod runs it: in a network of its own, root with these capabilities and no way to more,
    /// nothing but the image in sight.
    fn runs(&self, capabilities: &str, program: &[&str], input: &str) -> Output {
        std::fs::write(self.path("/tmp/input"), input).expect("the image is a folder here");
        self.script("enter \"$@\" <\"$image/tmp/input\"", capabilities, program)
    }

    /// Runs a script beside the image, in a network of their own. `enter PROGRAM...` of it replaces the shell by a program inside
    /// the image with these capabilities alone. The host's `setpriv` drops the rights in there, and needs the host's libraries.
    fn script(&self, script: &str, capabilities: &str, arguments: &[&str]) -> Output {
        const BEFORE: &str = "image=$0 given=$1; shift; mkdir -p $image/tmp/host
            mount --bind / $image/tmp/host && mount -o remount,bind,ro $image/tmp/host && mount -t proc proc $image/proc
            # what a runtime puts into every container; nft reads JSON from /dev/stdin
            mount -t tmpfs none $image/dev; ln -s /proc/self/fd $image/dev/fd; ln -s fd/0 $image/dev/stdin
            for one in null zero random urandom; do touch $image/dev/$one; mount --bind /dev/$one $image/dev/$one; done
            ip link set lo up
            enter() {
                exec chroot $image /lib64/ld-linux-x86-64.so.2 --library-path /tmp/host/lib/x86_64-linux-gnu \
                    /tmp/host/usr/bin/setpriv --reset-env --no-new-privs --inh-caps=-all --bounding-set=$given \"$@\"
            }";
        let mut command = Command::new("timeout");
        command.args(["60", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-ec"]);
        command.arg(format!("{BEFORE}\n{script}")).arg(self.0.path());
        command.arg(format!("-all,{capabilities}")).args(arguments);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        command.output().expect("timeout runs it")
    }
}

/// `true` if this machine is of the processor that the paths above are of.
fn is_amd64() -> bool {
    if !cfg!(target_arch = "x86_64") {
        mode::skip("node", "the image is entered on amd64 alone");
    }
    cfg!(target_arch = "x86_64")
}

#[test]
fn the_image_holds_what_the_daemon_calls() {
    if !is_amd64() {
        return;
    }
    let Some(image) = Image::make() else { return };
    let version = image.runs(GIVEN, &["/nearpath", "--version"], "");
    assert!(version.status.success(), "{}", text(&version.stderr));
    assert!(text(&version.stdout).starts_with("nearpath "));

    // the rules' own words: a set whose elements expire, a look for a socket, a choice by number
    let rules = "add table inet np
        add set inet np own { type ipv4_addr; flags timeout; }
        add element inet np own { 169.254.20.10 timeout 24h }
        add chain inet np raw { type filter hook prerouting priority raw; }
        add rule inet np raw ip daddr @own udp dport 53 socket wildcard 0 notrack accept
        add chain inet np nat { type nat hook prerouting priority dstnat - 5; }
        add rule inet np nat ip daddr @own udp dport 53 dnat ip to numgen random mod 2 map { 0 : 10.2.0.2, 1 : 10.2.0.3 }\n";
    let nft = image.runs(GIVEN, &["/usr/sbin/nft", "-f", "-"], rules);
    assert!(nft.status.success(), "{}", text(&nft.stderr));
    let json = r#"{"nftables":[{"add":{"table":{"family":"ip","name":"np"}}},{"list":{"tables":{}}}]}"#;
    let nft = image.runs(GIVEN, &["/usr/sbin/nft", "-j", "-f", "-"], json);
    assert!(nft.status.success() && text(&nft.stdout).contains(r#""name": "np""#), "{}", text(&nft.stderr));
    let refused = image.runs("+net_bind_service", &["/usr/sbin/nft", "-f", "-"], rules);
    assert!(!refused.status.success(), "the rights are what the manifests give, and are needed");
}

#[test]
fn iptables_of_the_image_loads_its_extensions_and_legacy_takes_a_right_more() {
    if !is_amd64() {
        return;
    }
    let Some(image) = Image::make() else { return };
    let rules = "*raw\n-A PREROUTING -d 169.254.20.10 -p udp --dport 53 -m socket -m comment --comment x -j CT --notrack\nCOMMIT\n\
        *nat\n-A PREROUTING -p tcp --dport 53 -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.2.0.2:53\nCOMMIT\n";
    let restores =
        |program: &str, capabilities: &str| image.runs(capabilities, &[program, "--noflush", "-w", "2"], rules);
    let nft = restores("/usr/sbin/iptables-restore", GIVEN);
    assert!(nft.status.success(), "{}", text(&nft.stderr));
    let with_raw = format!("{GIVEN},+net_raw");
    let legacy = restores("/usr/sbin/iptables-legacy-restore", &with_raw);
    assert!(legacy.status.success(), "{}", text(&legacy.stderr));
    let without = restores("/usr/sbin/iptables-legacy-restore", GIVEN);
    assert!(!without.status.success(), "deploy/README.md says that it takes NET_RAW");
}

#[test]
fn the_image_is_no_more_than_that() {
    if !is_amd64() {
        return;
    }
    let Some(image) = Image::make() else { return };
    let folder = |path: &str| {
        let entries = std::fs::read_dir(image.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        entries.map(|entry| entry.expect("read").file_name().into_string().expect("UTF-8")).collect::<BTreeSet<_>>()
    };
    assert!(
        folder("/usr/sbin").iter().all(|name| ["nft", "nearpath"].contains(&name.as_str()) || name.contains("tables")),
        "{:?}",
        folder("/usr/sbin")
    );
    assert!(!image.path("/bin").exists() && !image.path("/usr/bin").exists(), "no shell");
    assert_eq!(std::fs::read_link(image.path("/node-cache")).expect("a link"), Path::new("nearpath"));
    assert_eq!(std::fs::read_link(image.path("/usr/sbin/nearpath")).expect("a link"), Path::new("../../nearpath"));
    let binary = std::fs::metadata(image.path("/nearpath")).expect("it is there").len();
    let all = Command::new("du").args(["-sb"]).arg(image.0.path()).output().expect("du runs");
    let all: u64 = text(&all.stdout).split_whitespace().next().and_then(|word| word.parse().ok()).expect("a figure");
    let beside = (all - binary) / 1_000_000;
    assert!((1..=20).contains(&beside), "{beside} MB beside the daemon");
    note(&format!("the image: {beside} MB beside the daemon itself"));
}

/// What a pod of the manifests finds in its files, as far as it matters here.
fn furnish(image: &Image) {
    let corefile = read("deploy/manifests/base/Corefile");
    let authority = Folder::new();
    let authority = certificate::make(&authority, "kubernetes", Ipv4Addr::LOCALHOST.into()).authority;
    let authority = std::fs::read_to_string(authority).expect("just made");
    let kubeconfig = "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], \
        clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority: /etc/ca.crt}}], users: [{name: u, user: {token: t}}]}";
    let files = [
        ("/etc/coredns/Corefile.base", corefile.as_str()),
        ("/etc/resolv.conf", "search corp.example\nnameserver 192.0.2.1\n"),
        ("/etc/ca.crt", &authority),
        ("/etc/kubeconfig", kubeconfig), // nobody is there
    ];
    for (path, text) in files {
        std::fs::write(image.path(path), text).expect("the image is a folder here");
    }
}

/// Starts the daemon of the image, asks it, ends it and cleans up, and shows what the node has after each.
const A_NODES_LIFE: &str = r#"
    shown() { echo "$1: tables=[$(nft list tables | grep -c nodelocaldns || true)] link=[$(ip -o addr | grep -c 169.254.20.10 || true)]"; }
    shown before
    (enter /nearpath "$@" >"$image/tmp/log" 2>&1) & daemon=$!
    tries=0
    until dig +short +time=1 +tries=1 @169.254.20.10 id.server CH TXT 2>/dev/null | grep -q it-node && nft list tables | grep -q nodelocaldns; do
        tries=$((tries + 1)); [ $tries -lt 80 ] || { cat "$image/tmp/log"; exit 1; }
        sleep 0.2
    done
    shown serving
    if (enter /nearpath cleanup); then echo 'cleanup took a node that is served'; fi
    kill -TERM $daemon; wait $daemon || true
    shown ended
    (enter /nearpath cleanup)
    shown cleaned
    cat "$image/tmp/log" >&2
"#;

#[test]
fn the_image_serves_a_node_and_cleans_it() {
    if !is_amd64() || !mode::have("node", &["dig", "ip"]) {
        return;
    }
    let Some(image) = Image::make() else { return };
    furnish(&image);
    let daemonset = objects(&read("deploy/manifests/base/daemonset.yaml")).remove(0);
    let (mut arguments, _) = command_line(&daemonset);
    let more = ["-localip=169.254.20.10", "-node-name=it-node", "-kubeconfig=/etc/kubeconfig"];
    arguments.extend(more.map(str::to_owned));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let said = image.script(A_NODES_LIFE, GIVEN, &arguments);
    let (shown, log) = (text(&said.stdout), text(&said.stderr));
    assert!(said.status.success(), "{shown}\n{log}");
    let of =
        |when: &str| shown.lines().find_map(|line| line.strip_prefix(&format!("{when}: "))).expect("shown").to_owned();
    let nothing = of("before");
    assert_eq!(nothing, "tables=[0] link=[0]");
    assert!(log.contains("rules are made by nftables"), "{log}");
    assert!(!of("serving").contains("[0]"), "rules by nft, and the address: {shown}\n{log}");
    assert_eq!(of("ended"), of("serving"), "the last one leaves all for the kernel's failsafe");
    assert!(!shown.contains("cleanup took"), "{shown}");
    assert_eq!(of("cleaned"), nothing, "{shown}\n{log}");
}
