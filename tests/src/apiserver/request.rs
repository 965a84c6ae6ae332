//! A request as the scripted API server reads it.

use super::store::Selection;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A list in one piece.
    List,
    /// A list as the beginning of a watch.
    StreamedList,
    /// A watch from a version on.
    Watch,
    /// One object.
    Get,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Path and query.
    pub(super) target: String,
    pub(super) token: String,
    pub(super) of: Selection,
    pub(super) what: What,
    /// `resourceVersion`, unless it is not there, empty or no number.
    pub(super) version: Option<u64>,
    pub(super) seconds: Option<u64>,
}

impl Request {
    /// Reads the head of a request; `None`: nobody asks for such things.
    pub(super) fn read(head: &str) -> Option<Self> {
        let mut lines = head.lines();
        let target = lines.next()?.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1")?.to_owned();
        let header = |name: &str| {
            let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
            headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let token = header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let field = |name: &str| {
            let mut fields = query.split('&').filter_map(|field| field.split_once('='));
            let value = fields.find(|(key, _)| *key == name)?.1.replace("%3D", "=").replace("%2F", "/");
            (!value.is_empty()).then_some(value)
        };
        let mut of = Selection::at(path)?;
        of.node = field("fieldSelector").and_then(|text| Some(text.strip_prefix("spec.nodeName=")?.to_owned()));
        of.service =
            field("labelSelector").and_then(|text| Some(text.strip_prefix("kubernetes.io/service-name=")?.to_owned()));
        let what = match (&of.name, field("watch").as_deref(), field("sendInitialEvents").as_deref()) {
            (Some(_), ..) => What::Get,
            (None, Some("true"), Some("true")) => What::StreamedList,
            (None, Some("true"), _) => What::Watch,
            _ => What::List,
        };
        let version = field("resourceVersion").and_then(|text| text.parse().ok());
        let seconds = field("timeoutSeconds").and_then(|text| text.parse().ok());
        Some(Self { token: token.unwrap_or_default(), of, what, version, seconds, target: target.clone() })
    }
}

impl Selection {
    fn at(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let namespaced = |kind, namespace: &str, name: Option<&&str>| {
            let name = name.map(|name| (*name).to_owned());
            Some(Self { kind, namespace: Some(namespace.to_owned()), name, ..Self::default() })
        };
        match parts.as_slice() {
            ["api", "v1", "pods"] => Some(Self { kind: "Pod", ..Self::default() }),
            ["apis", "discovery.k8s.io", "v1", "namespaces", namespace, "endpointslices"] => {
                namespaced("EndpointSlice", namespace, None)
            }
            ["apis", "externaldns.k8s.io", "v1alpha1", "dnsendpoints"] => {
                Some(Self { kind: "DNSEndpoint", ..Self::default() })
            }
            ["api", "v1", "namespaces", namespace, "services", name] => namespaced("Service", namespace, Some(name)),
            _ => None,
        }
    }
}
