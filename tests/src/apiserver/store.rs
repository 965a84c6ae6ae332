//! What the scripted API server knows: objects, each with the version of its last change, and what happened.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Kind, namespace, name.
type Key = (String, String, String);

/// Objects and their history. Versions are numbers that grow by one with each change.
#[derive(Clone, Debug)]
pub(super) struct Store {
    /// Of the last change.
    pub(super) version: u64,
    /// Changes up to here cannot be told any more.
    pub(super) forgotten: u64,
    objects: BTreeMap<Key, Value>,
    changes: Vec<Change>,
}

/// One change.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub(super) kind: &'static str,
    pub(super) object: Value,
}

/// What a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) kind: &'static str,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) node: Option<String>,
    pub(super) service: Option<String>,
}

impl Selection {
    fn has(&self, object: &Value) -> bool {
        let is = |wanted: &Option<String>, pointer: &str| {
            wanted.as_ref().is_none_or(|wanted| object.pointer(pointer).and_then(Value::as_str) == Some(wanted))
        };
        object["kind"] == self.kind
            && is(&self.namespace, "/metadata/namespace")
            && is(&self.name, "/metadata/name")
            && is(&self.node, "/spec/nodeName")
            && is(&self.service, "/metadata/labels/kubernetes.io~1service-name")
    }
}

impl Store {
    pub(super) fn new() -> Self {
        Self { version: 1_000, forgotten: 0, objects: BTreeMap::new(), changes: Vec::new() }
    }

    /// Makes or replaces an object. A uid stays as long as the object does.
    pub(super) fn put(&mut self, mut object: Value) -> Value {
        let key = key(&object);
        let known = self.objects.get(&key);
        let kind = if known.is_some() { "MODIFIED" } else { "ADDED" };
        self.version += 1;
        let uid =
            known.map_or_else(|| json!(format!("uid-{}", self.version)), |known| known["metadata"]["uid"].clone());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = uid;
        }
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(key, object.clone());
        self.changes.push(Change { version: self.version, kind, object: object.clone() });
        object
    }

    /// Removes an object and gives it as it was told: with the version of its end.
    #[track_caller]
    pub(super) fn delete(&mut self, kind: &str, namespace: &str, name: &str) -> Value {
        let gone = self.objects.remove(&(kind.to_owned(), namespace.to_owned(), name.to_owned()));
        let mut gone = gone.unwrap_or_else(|| panic!("there is no {kind} {namespace}/{name}"));
        self.version += 1;
        gone["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.changes.push(Change { version: self.version, kind: "DELETED", object: gone.clone() });
        gone
    }

    pub(super) fn all(&self, of: &Selection) -> Vec<Value> {
        self.objects.values().filter(|object| of.has(object)).cloned().collect()
    }

    /// What happened after a version.
    pub(super) fn since(&self, of: &Selection, version: u64) -> Vec<Change> {
        let later = self.changes.iter().filter(|change| change.version > version && of.has(&change.object));
        later.cloned().collect()
    }
}

fn key(object: &Value) -> Key {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    (text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"]))
}
