//! A Corefile inside a Kubernetes manifest: the ConfigMap of an installed node-local-dns, as a file or as `kubectl get -o yaml`
//! prints it.

use serde::Deserialize;

/// Octets of a manifest; the largest that installers ship has some thousand.
pub const MANIFEST_OCTETS_MAX: u64 = 4 << 20;

/// Keys under which a ConfigMap holds a Corefile, as installers name them.
const KEYS: [&str; 2] = ["Corefile", "Corefile.base"];

/// A Corefile that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The ConfigMap: `NAMESPACE/NAME`, as far as they are said, and the key.
    pub place: String,
    /// The text.
    pub text: String,
}

/// What is read of an object; the rest is skipped.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Object {
    kind: String,
    metadata: Metadata,
    /// Texts in a ConfigMap; other kinds have data of other shapes.
    data: serde_json::Value,
    /// Of a `List`.
    items: Vec<Object>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    namespace: String,
}

/// The Corefiles in the ConfigMaps of the manifest `name`, in their order: at least one.
///
/// # Errors
/// The manifest cannot be read, or has none. Its name stands first, and the place where it is one line's fault.
pub fn corefiles(name: &str, manifest: &str) -> Result<Vec<Found>, String> {
    let documents = split(manifest);
    let mut found = Vec::new();
    let mut kinds = Vec::new();
    for (line, document) in documents {
        let object: Object = parse(line, &document).map_err(|wrong| format!("{name}:{wrong}"))?;
        kinds.extend((!object.kind.is_empty()).then(|| object.kind.clone()));
        collect(object, &mut found).map_err(|reason| format!("{name}:{line}:1: error: {reason}"))?;
    }
    match found.is_empty() {
        false => Ok(found),
        true if kinds.is_empty() => Err(format!("{name}: no Kubernetes object is in it; expected a ConfigMap")),
        true => {
            Err(format!("{name}: no ConfigMap in it has a key `{}`; it has {}", KEYS.join("` or `"), kinds.join(", ")))
        }
    }
}

/// One document, which begins at this line. What is wrong has its place before it: `LINE:COLUMN: error: `.
fn parse<T: serde::de::DeserializeOwned>(line: usize, document: &str) -> Result<T, String> {
    serde_saphyr::from_str(document).map_err(|error| {
        let (row, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
        let said = error.without_snippet().to_string();
        let said = said.lines().next().unwrap_or_default();
        let reason = said.strip_suffix(&format!(" at line {row}, column {column}")).unwrap_or(said);
        format!("{}:{column}: error: {reason}; expected Kubernetes objects in YAML", line as u64 + row - 1)
    })
}

fn collect(object: Object, found: &mut Vec<Found>) -> Result<(), String> {
    let Object { kind, metadata, data, items } = object;
    if kind == "ConfigMap" {
        let name = match metadata.namespace.is_empty() {
            true => metadata.name,
            false => format!("{}/{}", metadata.namespace, metadata.name),
        };
        for key in KEYS {
            let place = format!("{name}:{key}");
            match data.get(key) {
                Some(serde_json::Value::String(text)) => found.push(Found { place, text: text.clone() }),
                Some(_) => return Err(format!("{place} is no text")),
                None => {}
            }
        }
    }
    items.into_iter().try_for_each(|item| collect(item, found))
}

/// The documents of a YAML stream, each with the line at which it begins.
fn split(manifest: &str) -> Vec<(usize, String)> {
    let mut documents = vec![(1, String::new())];
    for (index, line) in manifest.lines().enumerate() {
        if line == "---" || line.starts_with("--- ") {
            documents.push((index + 2, String::new()));
            continue;
        }
        let (_, document) = documents.last_mut().expect("there is a first one");
        document.push_str(line);
        document.push('\n');
    }
    let is_empty = |text: &str| text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    documents.retain(|(_, text)| !is_empty(text));
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: node-local-dns\n---\n# the Corefile\n\
                         apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: node-local-dns\n  namespace: kube-system\n\
                         data:\n  Corefile: |\n    cluster.local:53 {\n        errors\n    }\n  other: x\n";

    #[test]
    fn the_corefile_of_a_manifest_is_found_by_its_object() {
        let found = corefiles("given", STOCK).unwrap();
        let place = "kube-system/node-local-dns:Corefile".to_owned();
        assert_eq!(found, [Found { place, text: "cluster.local:53 {\n    errors\n}\n".to_owned() }]);
    }

    #[test]
    fn lists_are_looked_into() {
        let list = "kind: List\nitems:\n- kind: ConfigMap\n  metadata: {name: a}\n  data: {Corefile: '. {}'}\n\
                    - kind: ConfigMap\n  metadata: {name: b}\n  data: {Corefile.base: '. {}'}\n";
        let places: Vec<String> = corefiles("given", list).unwrap().into_iter().map(|found| found.place).collect();
        assert_eq!(places, ["a:Corefile", "b:Corefile.base"]);
    }

    #[test]
    fn objects_of_other_kinds_have_data_of_other_shapes() {
        let list = "kind: List\nitems:\n- kind: ControllerRevision\n  data: {spec: {replicas: 1}}\n- kind: Secret\n  data: 7\n\
                    - kind: ConfigMap\n  metadata: {name: a}\n  data: {Corefile: '. {}', other: x}\n";
        assert_eq!(corefiles("given", list).unwrap().len(), 1);
    }

    #[test]
    fn what_is_missing_is_said() {
        for (manifest, said) in [
            ("", "given: no Kubernetes object"),
            (
                "kind: Service\n---\nkind: ConfigMap\ndata: {x: y}\n",
                "given: no ConfigMap in it has a key `Corefile` or `Corefile.base`; it has Service, ConfigMap",
            ),
            ("kind: ConfigMap\ndata: [\n", "given:2:7: error: "),
            ("---\nkind: Service\n---\nkind: ConfigMap\ndata: {Corefile: [1]}\n", "given:4:1: error: "),
        ] {
            let error = corefiles("given", manifest).unwrap_err();
            assert!(error.starts_with(said), "{manifest}: {error}");
        }
    }
}
