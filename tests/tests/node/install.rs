//! What is installed: image, manifests and chart, as the machine sees them. What the API server says of them: tier `cluster`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nearpath_tests::daemon;
use nearpath_tests::manifest::objects;
use nearpath_tests::mode::{self, note};
use nearpath_tests::place::Folder;
use serde_json::Value;

/// What the image is made with, and what it is looked at with.
const NEEDED: &[&str] =
    &["nft", "xtables-nft-multi", "xtables-legacy-multi", "readelf", "setpriv", "unshare", "chroot"];

/// The capabilities of the manifests.
const GIVEN: &str = "+net_admin,+net_bind_service";

fn read(path: &str) -> String {
    std::fs::read_to_string(mode::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

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
    /// nothing but the image in sight. `setpriv` is the host's and drops the rights inside; it needs the host's libraries.
    fn runs(&self, capabilities: &str, program: &[&str], input: &str) -> Output {
        let host = self.path("/tmp/host");
        std::fs::create_dir_all(&host).expect("the image is a folder here");
        let input_file = self.0.file("tmp/input");
        std::fs::write(&input_file, input).expect("the image is a folder here");
        let inside = "mount --bind / \"$0/tmp/host\" && mount -o remount,bind,ro \"$0/tmp/host\" && \
            mount -t proc proc \"$0/proc\" && ip link set lo up && image=$0 && \
            exec chroot \"$image\" /lib64/ld-linux-x86-64.so.2 --library-path /tmp/host/lib/x86_64-linux-gnu \
            /tmp/host/usr/bin/setpriv --reset-env --no-new-privs --inh-caps=-all --bounding-set=\"$@\"";
        let mut command = Command::new("timeout");
        command.args(["30", "unshare", "--net", "--mount", "--", "sh", "-ec", inside]);
        command.arg(self.0.path()).arg(format!("-all,{capabilities}")).args(program);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(std::fs::File::open(input_file).expect("just written"));
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
        folder("/usr/sbin").iter().all(|name| name == "nft" || name.contains("tables")),
        "{:?}",
        folder("/usr/sbin")
    );
    assert!(!image.path("/bin").exists() && !image.path("/usr/bin").exists(), "no shell");
    assert_eq!(std::fs::read_link(image.path("/node-cache")).expect("a link"), Path::new("nearpath"));
    let binary = std::fs::metadata(image.path("/nearpath")).expect("it is there").len();
    let all = Command::new("du").args(["-sb"]).arg(image.0.path()).output().expect("du runs");
    let all: u64 = text(&all.stdout).split_whitespace().next().and_then(|word| word.parse().ok()).expect("a figure");
    let beside = (all - binary) / 1_000_000;
    assert!((1..=20).contains(&beside), "{beside} MB beside the daemon");
    note(&format!("the image: {beside} MB beside the daemon itself"));
}

#[test]
fn the_dockerfile_names_what_there_is() {
    let dockerfile = read("deploy/Dockerfile");
    let mut copied = 0;
    for line in dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let words: Vec<_> = line.split_whitespace().filter(|word| !word.starts_with("--")).collect();
        if !line.starts_with("--from=") {
            assert!(mode::root().join(words[0]).exists(), "{line}");
            copied += 1;
        }
    }
    assert_eq!(copied, 2, "the sources, and the script");
    for script in ["deploy/image/compile", "deploy/image/root"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(mode::root().join(script)).expect(script).permissions().mode();
        assert!(mode & 0o111 != 0 && dockerfile.contains(script), "{script}");
    }
    assert!(dockerfile.ends_with("ENTRYPOINT [\"/nearpath\"]\n"));
    let compiler = read("Cargo.toml").lines().find_map(|line| line.strip_prefix("rust-version = ").map(str::to_owned));
    let compiler = compiler.expect("the workspace names its compiler").replace('"', "");
    assert!(dockerfile.contains(&format!("ARG RUST={compiler}\n")), "the compiler of the workspace: {compiler}");
}

/// Arguments and plain variables of the daemon's container in a DaemonSet.
fn command_line(daemonset: &Value) -> (Vec<String>, Vec<(String, String)>) {
    let container = &daemonset["spec"]["template"]["spec"]["containers"][0];
    let texts = |value: &Value| value.as_str().expect("text").to_owned();
    let arguments = container["args"].as_array().into_iter().flatten().map(texts).collect();
    let variables = container["env"].as_array().into_iter().flatten();
    let plain = variables.filter(|variable| variable["value"].is_string());
    (arguments, plain.map(|variable| (texts(&variable["name"]), texts(&variable["value"]))).collect())
}

#[test]
fn the_daemon_takes_the_arguments_of_the_manifests() {
    let base = objects(&read("deploy/manifests/base/daemonset.yaml")).remove(0);
    let stock = objects(&read("tests/cluster/stock/node-local-dns.yaml")).remove(0);
    let patches = ["link-local/address.yaml", "cluster-ip/address.yaml", "drop-in/autopath.yaml"];
    let patches = patches.map(|path| objects(&read(&format!("deploy/manifests/{path}"))).remove(0));
    let mut taken = 0;
    for daemonset in [base, stock].iter().chain(&patches) {
        let (arguments, variables) = command_line(daemonset);
        for (name, _) in &variables {
            assert!(help().contains(&format!("[env: {name}=")), "no flag is set by {name}");
        }
        // it reads all, lists its directives and leaves
        let mut command = Command::new("timeout");
        command.arg("20").arg(daemon::binary()).args(&arguments).arg("-plugins").envs(variables);
        let said = command.output().expect("timeout runs it");
        assert!(said.status.success(), "{arguments:?}: {}", text(&said.stderr));
        taken += arguments.len();
    }
    assert!(taken > 10, "{taken}");
    let wrong = Command::new(daemon::binary()).args(["-localips=169.254.20.10", "-plugins"]).output().expect("it runs");
    assert!(!wrong.status.success(), "a flag that there is not is refused");
}

fn help() -> String {
    text(&Command::new(daemon::binary()).arg("--help").output().expect("it runs").stdout)
}

#[test]
fn the_corefiles_of_the_manifests_are_sound() {
    let folder = Folder::new();
    let base = read("deploy/manifests/base/Corefile");
    let filled =
        base.replace("__PILLAR__LOCAL__DNS__", "169.254.20.10").replace("__PILLAR__UPSTREAM__SERVERS__", "192.0.2.53");
    assert!(!filled.lines().any(|line| line.contains("__PILLAR__") && !line.starts_with('#')), "{filled}");
    for (name, corefile) in [("base", filled), ("simple", read("deploy/Corefile"))] {
        let file = folder.write(name, &corefile);
        let said = Command::new(daemon::binary()).arg("check").arg(file).output().expect("it runs");
        let report = text(&said.stdout);
        assert!(said.status.success() && !report.contains("error:") && !report.contains("warning:"), "{report}");
    }
}

/// Names of all values: `image.tag`; lists and empty maps are one value each.
fn names(of: &Value, before: &str, into: &mut BTreeSet<String>) {
    for (name, value) in of.as_object().expect("a map") {
        let name = if before.is_empty() { name.clone() } else { format!("{before}.{name}") };
        match value.as_object() {
            // what a map of the user's own choice holds is theirs
            Some(map) if !map.is_empty() && !OPEN.contains(&name.as_str()) => names(value, &name, into),
            _ => drop(into.insert(name)),
        }
    }
}

/// Maps whose keys are the user's.
const OPEN: &[&str] = &[
    "upstream.selector",
    "serviceAccount.annotations",
    "resources.requests",
    "resources.limits",
    "nodeSelector",
    "affinity",
    "podAnnotations",
    "podLabels",
    "podMonitor.labels",
    "seLinuxOptions",
];

fn values(path: &str) -> Value {
    objects(&read(&format!("deploy/helm/nearpath/{path}"))).remove(0)
}

#[test]
fn every_value_of_the_chart_is_documented_and_tried() {
    let (defaults, tried) = (values("values.yaml"), values("ci/every-value.yaml"));
    let (mut known, mut set) = (BTreeSet::new(), BTreeSet::new());
    names(&defaults, "", &mut known);
    names(&tried, "", &mut set);
    assert!(known.len() > 40, "{known:?}");
    assert_eq!(known, set, "ci/every-value.yaml sets every value");
    for name in &known {
        let pointer = format!("/{}", name.replace('.', "/"));
        // one of the two is what it is: only the other's change can be seen
        let fixed = ["updateStrategy.maxUnavailable", "cleanup.timeout"];
        let same = defaults.pointer(&pointer) == tried.pointer(&pointer);
        assert!(!same || fixed.contains(&name.as_str()), "ci/every-value.yaml sets {name} to its default");
    }

    let readme = read("deploy/helm/nearpath/README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let mut documented = BTreeSet::new();
    for (name, rest) in rows {
        let default = rest.split(" | ").next().expect("a column").trim_matches('`');
        let pointer = format!("/{}", name.replace('.', "/"));
        let value = defaults.pointer(&pointer).unwrap_or_else(|| panic!("README.md: there is no value {name}"));
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(default, if shown.is_empty() { "\"\"" } else { &shown }, "README.md: the default of {name}");
        documented.insert(name.to_owned());
    }
    assert_eq!(documented, known, "README.md of the chart has a row for each value");
}

#[test]
fn one_version_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = values("Chart.yaml");
    assert_eq!((chart["version"].as_str(), chart["appVersion"].as_str()), (Some(version), Some(version)));
    assert!(read("deploy/manifests/base/kustomization.yaml").contains(&format!("newTag: {version}\n")));
    assert!(read("deploy/manifests/drop-in/image.yaml").contains(&format!("image: nearpath:{version}\n")));
}

#[test]
fn the_readmes_lead_somewhere() {
    let mut links = 0;
    for readme in ["deploy/README.md", "deploy/helm/nearpath/README.md"] {
        let (text, root) = (read(readme), mode::root());
        let folder = root.join(readme).parent().expect("it lies in a folder").to_path_buf();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().expect("there is a first part");
            assert!(folder.join(file).exists(), "{readme}: {target}");
            links += 1;
        }
        // what is to be typed names files as they lie below the root
        let typed = text.split_whitespace().filter(|word| word.starts_with("deploy/"));
        for path in typed.map(|word| word.trim_end_matches(|c: char| !c.is_alphanumeric())) {
            assert!(root.join(path).exists(), "{readme}: {path}");
        }
    }
    assert!(links > 15, "{links}");
}
