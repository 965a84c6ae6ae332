//! Manifests, applied by the API server itself: what an operator does with a file of `deploy/`.

use std::path::Path;

use serde_json::Value;

use crate::api::{Answer, Api, Patch};

impl Api {
    /// Applies an object: makes it, or changes the one that is there to what is said here.
    #[track_caller]
    pub fn apply(&self, object: &Value) -> Value {
        let path = self.path_of(object);
        let path = format!("{path}?fieldManager=tests&force=true");
        self.patch(&path, Patch::Apply, object).unwrap_or_else(|refusal| panic!("{path}: {refusal}"))
    }

    /// What would come of applying an object, with every field looked at: unknown and doubled ones are refused. Changes nothing.
    ///
    /// # Errors
    /// 400 for a field that there is not, 422 for a value that cannot be, 404 for a namespace that is not there.
    pub fn would_apply(&self, object: &Value) -> Answer {
        let path = self.path_of(object);
        let path = format!("{path}?fieldManager=tests&force=true&dryRun=All&fieldValidation=Strict");
        self.patch(&path, Patch::Apply, object)
    }

    /// Applies every object of a file of manifests.
    #[track_caller]
    pub fn apply_yaml(&self, file: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.apply_text(&text)
    }

    /// Applies every object of a text of manifests.
    #[track_caller]
    pub fn apply_text(&self, text: &str) -> Vec<Value> {
        objects(text).iter().map(|object| self.apply(object)).collect()
    }

    /// Where an object lives, as the server's own discovery says.
    #[track_caller]
    fn path_of(&self, object: &Value) -> String {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let version = text("/apiVersion").expect("an object has an apiVersion");
        let kind = text("/kind").expect("an object has a kind");
        let name = text("/metadata/name").expect("an object has a name");
        let base = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let known = self.get(&base).unwrap_or_else(|refusal| panic!("{base}: {refusal}"));
        let mut resources = known["resources"].as_array().expect("a list of resources").iter();
        let resource = resources
            .find(|resource| resource["kind"] == kind && !resource["name"].as_str().is_some_and(|n| n.contains('/')))
            .unwrap_or_else(|| panic!("{version} has no {kind}"));
        let plural = resource["name"].as_str().expect("a resource has a name");
        if resource["namespaced"] == true {
            format!("{base}/namespaces/{}/{plural}/{name}", text("/metadata/namespace").unwrap_or("default"))
        } else {
            format!("{base}/{plural}/{name}")
        }
    }
}

/// The objects of a text of manifests.
#[track_caller]
pub fn objects(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("manifests are YAML: {error}\n{text}"))
}

/// The one object of that kind among them.
#[track_caller]
pub fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    object
}
