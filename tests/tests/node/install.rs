//! What is installed: image, manifests and chart, as the machine sees them. What the API server says of them: tier `cluster`.

mod image;

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use nearpath_tests::daemon;
use nearpath_tests::manifest::objects;
use nearpath_tests::mode;
use serde_json::Value;

fn read(path: &str) -> String {
    std::fs::read_to_string(mode::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
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
    let path = |path: &str| mode::root().join(path).display().to_string();
    let (base, simple) = (path("deploy/manifests/base/Corefile"), path("deploy/Corefile"));
    let rendered =
        ["check", "-basecorefile", &base, "-localip", "169.254.20.10,fd00::53", "-upstreamsvc", "kube-dns-upstream"];
    for arguments in [&rendered[..], &["check", &simple]] {
        let said = daemon::run(arguments, Duration::from_secs(20));
        let report = text(&said.stdout);
        assert!(said.status.success() && !report.contains("error:"), "{report}");
        assert!(!report.contains("warning:"), "nothing is ignored: {report}");
    }
    let report = text(&daemon::run(&rendered, Duration::from_secs(20)).stdout);
    assert!(report.contains("fd00::53") && report.contains("@kube-system/kube-dns-upstream"), "{report}");
}

#[test]
fn the_clean_up_of_the_chart_is_a_command() {
    let said = daemon::run(&["cleanup", "-interfacename=nodelocaldns", "--help"], Duration::from_secs(20));
    assert!(said.status.success() && text(&said.stdout).contains("interfacename"), "{}", text(&said.stderr));
    let chart = read("deploy/helm/nearpath/templates/cleanup.yaml");
    assert!(chart.contains("- cleanup\n") && chart.contains("- -interfacename="));
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
