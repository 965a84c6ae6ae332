//! `api rights` and `index`: what the Corefile has watched may be listed, and what is known here is what the API server knows.

use std::collections::{BTreeMap, BTreeSet};

use contract::wire::Name;
use serde_json::Value;

use super::super::patient::Patient;
use super::super::verdict::Finding;
use super::listed;
use crate::see::api::Pods;

/// Pods that are compared.
const SAMPLE: usize = 1_000;
/// A change is on its way for a moment: then it is looked at again.
const SETTLES_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);

const RIGHTS: &str =
    "kubectl apply -f deploy/rbac.yaml; kubectl auth can-i list pods --as=system:serviceaccount:kube-system:nearpath";

/// Lists a pod of this node.
pub(in super::super) async fn rights(patient: &Patient) -> Finding {
    match pods(patient, 1).await {
        None => Finding::skip("the Corefile names nothing of the API server"),
        Some(Ok(_)) => Finding::ok("the pods of this node may be listed"),
        Some(Err(why)) => Finding::fail(why, RIGHTS),
    }
}

/// Compares a sample.
pub(in super::super) async fn index(patient: &Patient) -> Finding {
    if !patient.needs_api {
        return Finding::skip("the Corefile names nothing of the API server");
    }
    if patient.process.is_none() {
        return Finding::skip("no daemon serves: see `daemon`");
    }
    let mut found = compared(patient).await;
    if found.state == super::super::verdict::State::Fail {
        tokio::time::sleep(SETTLES_WITHIN).await;
        found = compared(patient).await;
    }
    found
}

async fn compared(patient: &Patient) -> Finding {
    let here: Pods = match patient.told(&format!("/v1/pods?limit={SAMPLE}")).await {
        Ok(pods) => pods,
        Err(why) => return Finding::skip(format!("the daemon does not tell its index: {why}")),
    };
    match pods(patient, SAMPLE).await {
        Some(Ok(list)) => {
            let is_whole = list["metadata"]["continue"].as_str().unwrap_or_default().is_empty();
            judge(&here, &addresses(&list), is_whole)
        }
        Some(Err(_)) | None => Finding::skip("the API server does not list the pods: see `api rights`"),
    }
}

/// The list of this node's pods as the API server has it; `None` if nothing of it is wanted.
async fn pods(patient: &Patient, limit: usize) -> Option<Result<Value, String>> {
    let options = patient.options.as_ref().filter(|_| patient.needs_api)?;
    let node = &options.cluster.node_name;
    // the name comes into a path: a node's name is a DNS name
    if Name::parse(node).is_err() {
        return Some(Err(format!("`{node}` is no name of a node; set -node-name")));
    }
    let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}&limit={limit}");
    let list = match kubernetes::fetch(&options.cluster, &path).await {
        Ok(body) => serde_json::from_slice(&body).map_err(|error| format!("the API server's reply: {error}")),
        Err(why) => Err(why),
    };
    Some(list)
}

/// Who has which address, of the pods with an address of their own.
fn addresses(list: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for pod in list["items"].as_array().into_iter().flatten() {
        let is_over = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        if is_over || pod["spec"]["hostNetwork"].as_bool() == Some(true) {
            continue;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = format!("{}/{}", text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
        for ip in pod["status"]["podIPs"].as_array().into_iter().flatten() {
            found.insert(text(&ip["ip"]), name.clone());
        }
    }
    found
}

/// Where one of both sides is a part, only what both have is compared.
fn judge(here: &Pods, there: &BTreeMap<String, String>, is_whole: bool) -> Finding {
    let mut wrong = Vec::new();
    for told in &here.pods {
        let Some(pod) = &told.pod else { continue };
        match there.get(&told.address) {
            Some(name) if name == pod => {}
            Some(name) => wrong.push(format!("{} is {name}, here {pod}", told.address)),
            None if is_whole => wrong.push(format!("{} is nobody's, here {pod}", told.address)),
            None => {}
        }
    }
    let is_known = |address: &&String| here.pods.iter().any(|told| told.address == **address);
    if here.left_out == 0 {
        wrong.extend(
            there.keys().filter(|address| !is_known(address)).map(|address| format!("{address} is not known here")),
        );
    }
    // an address that only one side has is one of those that were compared
    let all: BTreeSet<&String> = here.pods.iter().map(|told| &told.address).chain(there.keys()).collect();
    match wrong.as_slice() {
        [] => Finding::ok(format!("{} addresses compared, all as the API server has them", here.pods.len())),
        wrong => Finding::fail(
            format!("{} of {} differ: {}", wrong.len(), all.len(), listed(wrong.iter().take(3))),
            "look at nearpath_autopath_index_age_seconds and the daemon's log; it watches anew after: kubectl -n kube-system rollout restart daemonset/nearpath",
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::verdict::State;
    use super::*;
    use crate::see::api::PodTold;

    #[test]
    fn only_live_pods_with_addresses_of_their_own_count() {
        let pod = |name: &str, phase: &str, host: bool, ip: &str| {
            json!({ "metadata": { "namespace": "a", "name": name }, "spec": { "hostNetwork": host },
                    "status": { "phase": phase, "podIPs": [{ "ip": ip }] } })
        };
        let list = json!({ "items": [
            pod("x", "Running", false, "10.0.0.1"), pod("y", "Succeeded", false, "10.0.0.2"), pod("z", "Running", true, "10.0.0.3"),
        ] });
        assert_eq!(addresses(&list), BTreeMap::from([("10.0.0.1".to_owned(), "a/x".to_owned())]));
    }

    #[test]
    fn differences_are_told() {
        let told = |address: &str, pod: &str| PodTold {
            pod: Some(pod.to_owned()),
            address: address.to_owned(),
            ..PodTold::default()
        };
        let there = BTreeMap::from([("10.0.0.1".to_owned(), "a/x".to_owned())]);
        for (pods, left_out, state) in [
            (vec![told("10.0.0.1", "a/x")], 0, State::Ok),
            (vec![told("10.0.0.1", "a/y")], 0, State::Fail),
            (vec![told("10.0.0.1", "a/x"), told("10.0.0.2", "a/y")], 0, State::Fail),
            (vec![], 0, State::Fail),
            (vec![], 5, State::Ok),
        ] {
            let found = judge(&Pods { pods, left_out, age_s: 0.0 }, &there, true);
            assert_eq!(found.state, state, "{}", found.reason);
        }
        let apart = Pods { pods: vec![told("10.0.0.2", "a/y")], ..Pods::default() };
        let found = judge(&apart, &there, true);
        assert!(found.reason.starts_with("2 of 2 differ: "), "{}", found.reason);
        let beyond = Pods { pods: vec![told("10.0.0.1", "a/x"), told("10.0.0.9", "a/z")], ..Pods::default() };
        assert_eq!(judge(&beyond, &there, false).state, State::Ok, "a list that was cut short");
    }
}
