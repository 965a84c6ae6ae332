//! Tier `tidy`: rules of the house that a compiler does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use nearpath_tests::mode;

/// Tracked and new files, relative to the root.
fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(mode::root())
        .output()
        .expect("git runs");
    let text = String::from_utf8(output.stdout).expect("names are UTF-8");
    let found: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(found.len() > 50, "the tests run in a clone");
    found
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(mode::root().join(path)).ok()
}

#[test]
fn every_file_says_first_why_it_exists() {
    let sources: Vec<_> = files().into_iter().filter(|path| path.ends_with(".rs")).collect();
    let silent: Vec<_> =
        sources.iter().filter(|path| read(path).is_some_and(|text| !text.starts_with("//! "))).collect();
    assert!(silent.is_empty(), "the first line is `//! why`: {silent:?}");
}

#[test]
fn the_project_speaks_of_itself_alone() {
    // put together here, so that this file does not find itself
    let marks = [
        "/work/".to_owned() + "main",
        "/work/".to_owned() + "shared",
        "/home/".to_owned() + "agent",
        "target-".to_owned() + "tests",
    ];
    let mut found = Vec::new();
    for path in files() {
        let Some(text) = read(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let about_issue = ["issue #", "issues #", "closes #", "fixes #"].iter().any(|mark| {
                let lower = line.to_lowercase();
                lower
                    .find(mark)
                    .is_some_and(|at| lower[at + mark.len()..].starts_with(|next: char| next.is_ascii_digit()))
            });
            if about_issue || marks.iter().any(|mark| line.contains(mark.as_str())) {
                found.push(format!("{path}:{}: {line}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "issue numbers or paths of one machine:\n{}", found.join("\n"));
}

/// Name and direct dependencies (not those of tests) of each crate of the workspace.
fn dependencies() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(mode::root())
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies");
            let built = all.iter().filter(|dependency| dependency["kind"].is_null());
            let names = built.map(|dependency| text(&dependency["name"])).collect();
            (text(&package["name"]), (text(&package["manifest_path"]), names))
        })
        .collect()
}

#[test]
fn plugins_know_contract_and_libraries_only() {
    let crates = dependencies();
    let ours: BTreeSet<_> = crates.keys().cloned().collect();
    let mut wrong = Vec::new();
    let mut plugins = 0;
    for (name, (manifest, needs)) in &crates {
        if !manifest.contains("/plugins/") {
            continue;
        }
        plugins += 1;
        let allowed: &[&str] = match name.as_str() {
            "contract" => &["corefile-compat"],
            "upstream" | "records" => &["contract"],
            _ => &["contract", "upstream", "records"],
        };
        wrong.extend(
            needs
                .iter()
                .filter(|need| ours.contains(*need) && !allowed.contains(&need.as_str()))
                .map(|need| format!("{name} -> {need}")),
        );
    }
    assert!(plugins > 15, "{plugins} plugins");
    assert!(wrong.is_empty(), "a plugin knows `contract` (and `upstream` and `records`) alone: {wrong:?}");
    assert!(crates["corefile-compat"].1.is_disjoint(&ours), "the language knows nobody");
}

#[test]
fn the_api_server_is_known_where_it_is_watched_alone() {
    let allowed = ["kubernetes", "privatezone"];
    let clients = ["kube", "kube-runtime", "kube-client", "kube-core", "k8s-openapi"];
    let wrong: Vec<_> = dependencies()
        .into_iter()
        .filter(|(name, (_, needs))| {
            !allowed.contains(&name.as_str()) && clients.iter().any(|client| needs.contains(*client))
        })
        .map(|(name, _)| name)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn unsafe_is_forbidden_everywhere() {
    let mut wrong = Vec::new();
    for path in files() {
        let Some(text) = read(&path) else { continue };
        if path.ends_with("Cargo.toml") && text.contains("[package]") && !path.starts_with("fuzz/libfuzzer") {
            let inherits = text.contains("[lints]\nworkspace = true");
            wrong.extend((!inherits).then(|| format!("{path}: without the workspace's lints")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let mut silent = Vec::new();
    for path in files().into_iter().filter(|path| path.ends_with("Cargo.toml")) {
        let Some(text) = read(&path) else { continue };
        let (mut inside, mut said) = (false, false);
        for (number, line) in text.lines().enumerate() {
            // a comment of its own speaks for all lines below it, up to the next empty one
            said = line.starts_with('#') || said && !line.is_empty();
            if line.starts_with('[') {
                inside = matches!(line, "[dependencies]" | "[dev-dependencies]" | "[build-dependencies]");
            } else if inside && line.contains('=') && !line.starts_with('#') && !line.contains('#') {
                silent.extend((!said).then(|| format!("{path}:{}: {line}", number + 1)));
            }
        }
    }
    assert!(silent.is_empty(), "a comment says why:\n{}", silent.join("\n"));
}

/// True if an SPDX expression is met by the licences allowed; the old `/` means OR, AND binds closer than OR.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let mut flat = expression.replace('/', " OR ");
    while let Some(open) = flat.rfind('(') {
        let close = open + flat[open..].find(')').expect("parentheses are paired");
        let value = is_allowed(&flat[open + 1..close], allowed);
        flat.replace_range(open..=close, if value { "yes" } else { "no" });
    }
    let holds = |licence: &str| licence == "yes" || allowed.contains(licence);
    flat.split(" OR ").any(|side| side.split(" AND ").all(|licence| holds(licence.trim())))
}

#[test]
fn every_dependency_may_be_given_on() {
    let rules = read("deny.toml").expect("deny.toml says what is allowed");
    let list = rules.split("allow = [").nth(1).and_then(|rest| rest.split("\n]").next()).expect("an allow list");
    let allowed: BTreeSet<String> =
        list.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next().map(str::to_owned)).collect();
    assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0", &allowed) && is_allowed("GPL-3.0 OR MIT", &allowed));
    assert!(!is_allowed("MIT AND GPL-3.0", &allowed) && !is_allowed("GPL-3.0", &allowed));

    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(mode::root())
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
    let needed: BTreeSet<_> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        if !package["id"].as_str().is_some_and(|id| needed.contains(id)) {
            continue;
        }
        let licence = package["license"].as_str().unwrap_or("none");
        let registry = package["source"]
            .as_str()
            .is_none_or(|source| source.starts_with("registry+https://github.com/rust-lang/crates.io-index"));
        if !is_allowed(licence, &allowed) || !registry {
            wrong.push(format!("{} {}: {licence}, from {}", package["name"], package["version"], package["source"]));
        }
    }
    assert!(needed.len() > 50 && wrong.is_empty(), "licences or sources that deny.toml does not allow: {wrong:#?}");
    mode::note(&format!("licences and sources of {} crates held against deny.toml", needed.len()));
}
