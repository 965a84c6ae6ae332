//! What the API server says, read as far as it is needed: everything else is skipped while it is decoded.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::trouble::Trouble;

/// An object that is watched.
pub(crate) trait Watched: DeserializeOwned + Send + 'static {
    /// What two words about one object have in common: its uid, or its name.
    fn key(&self) -> &str;

    /// Its `metadata.resourceVersion`.
    fn version(&self) -> &str;
}

/// A `resourceVersion`. Comparable between objects of one type where it is a number, which it is at every API server
/// that conforms (Kubernetes API concepts, "Resource versions"); where it is not, everything counts as news.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Version(pub(crate) String);

impl Version {
    /// True if this is known to be older.
    pub(crate) fn is_before(&self, other: &Self) -> bool {
        matches!((self.number(), other.number()), (Some(own), Some(others)) if own < others)
    }

    fn number(&self) -> Option<u128> {
        self.0.parse().ok()
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A line of a watch.
#[derive(Debug, PartialEq)]
pub(crate) enum Event<T> {
    /// ADDED or MODIFIED.
    Changed(T),
    /// DELETED; the object as it was last.
    Deleted(T),
    /// BOOKMARK: everything up to this version was told. `end`: that was the list at the beginning.
    Bookmark { version: Version, end: bool },
}

#[derive(Deserialize)]
struct Line<'l> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'l, str>,
    #[serde(borrow)]
    object: &'l RawValue,
}

#[derive(Deserialize)]
struct Marked {
    metadata: Mark,
}

#[derive(Deserialize)]
struct Mark {
    #[serde(rename = "resourceVersion", default)]
    version: Version,
    #[serde(default)]
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "k8s.io/initial-events-end", default)]
    end: Option<String>,
}

/// The API server's error object.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
    message: String,
    reason: String,
    details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    retry_after_seconds: u64,
    causes: Option<Vec<Cause>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cause {
    reason: String,
}

/// Reads a line of a watch.
pub(crate) fn event<T: Watched>(line: &[u8]) -> Result<Event<T>, Trouble> {
    let Line { kind, object } = serde_json::from_slice(line).map_err(nonsense)?;
    let object = object.get();
    match kind.as_ref() {
        "ADDED" | "MODIFIED" => serde_json::from_str(object).map(Event::Changed).map_err(nonsense),
        "DELETED" => serde_json::from_str(object).map(Event::Deleted).map_err(nonsense),
        "BOOKMARK" => {
            let Mark { version, annotations } = serde_json::from_str::<Marked>(object).map_err(nonsense)?.metadata;
            let end = annotations.and_then(|annotations| annotations.end).is_some_and(|end| end == "true");
            Ok(Event::Bookmark { version, end })
        }
        "ERROR" => Err(refusal(0, None, object.as_bytes())),
        other => Err(Trouble::Nonsense(format!("an event of type `{other}`"))),
    }
}

#[derive(Deserialize)]
struct List<T> {
    metadata: Mark,
    #[serde(default = "Option::default")]
    items: Option<Vec<T>>,
}

/// Reads a list: its objects, and the version that it is of.
pub(crate) fn list<T: Watched>(body: &[u8]) -> Result<(Vec<T>, Version), Trouble> {
    let List { metadata, items } = serde_json::from_slice::<List<T>>(body).map_err(nonsense)?;
    if metadata.version.0.is_empty() {
        return Err(Trouble::Nonsense("a list without `resourceVersion`".to_owned()));
    }
    Ok((items.unwrap_or_default(), metadata.version)) // `null`: there are none
}

/// What a status other than 200, or an error within a watch, means.
pub(crate) fn refusal(status: u16, retry_after: Option<u64>, body: &[u8]) -> Trouble {
    let said: Status = serde_json::from_slice(body).unwrap_or_default();
    let status = if status == 0 { said.code } else { status };
    let details = said.details.unwrap_or_default();
    let after = retry_after.or(Some(details.retry_after_seconds).filter(|&seconds| seconds > 0));
    let too_large = details.causes.iter().flatten().any(|cause| cause.reason == "ResourceVersionTooLarge");
    let message: String = match said.message.is_empty() {
        true => String::from_utf8_lossy(&body[..body.len().min(200)]).trim().to_owned(),
        false => said.message.chars().take(300).collect(),
    };
    match (status, after) {
        (401 | 403, _) => Trouble::Denied { status, message },
        (410, _) => Trouble::Gone(message),
        // the version that was asked for lies ahead of what this server has ever had: it was restored
        (504, _) if too_large => Trouble::Gone(message),
        (429, after) => Trouble::Busy { status, after: std::time::Duration::from_secs(after.unwrap_or(1)) },
        (_, Some(seconds)) => Trouble::Busy { status, after: std::time::Duration::from_secs(seconds) },
        _ if said.reason == "Expired" => Trouble::Gone(message),
        _ => Trouble::Status { status, message },
    }
}

fn nonsense(error: serde_json::Error) -> Trouble {
    Trouble::Nonsense(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Thing {
        metadata: ThingMeta,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct ThingMeta {
        name: String,
        #[serde(rename = "resourceVersion")]
        version: Version,
    }

    impl Watched for Thing {
        fn key(&self) -> &str {
            &self.metadata.name
        }

        fn version(&self) -> &str {
            &self.metadata.version.0
        }
    }

    fn read(line: &str) -> Result<Event<Thing>, Trouble> {
        event(line.as_bytes())
    }

    #[test]
    fn events_are_read_in_any_order_of_their_fields() {
        let object =
            r#"{"kind":"Thing","metadata":{"name":"a","resourceVersion":"7","labels":{"x":"y"}},"spec":{"big":[1,2]}}"#;
        let thing = || Thing { metadata: ThingMeta { name: "a".into(), version: Version("7".into()) } };
        for (kind, event) in [
            ("ADDED", Event::Changed(thing())),
            ("MODIFIED", Event::Changed(thing())),
            ("DELETED", Event::Deleted(thing())),
        ] {
            assert_eq!(read(&format!(r#"{{"type":"{kind}","object":{object}}}"#)), Ok(event), "{kind}");
        }
        assert!(matches!(read(&format!(r#"{{"object":{object},"type":"ADDED"}}"#)), Ok(Event::Changed(_))));
        let bookmark = r#"{"type":"BOOKMARK","object":{"kind":"Thing","metadata":{"resourceVersion":"12","creationTimestamp":null}}}"#;
        assert_eq!(read(bookmark), Ok(Event::Bookmark { version: Version("12".into()), end: false }));
        let end = r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"12","annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
        assert_eq!(read(end), Ok(Event::Bookmark { version: Version("12".into()), end: true }));
    }

    #[test]
    fn what_is_no_event_is_trouble_of_the_right_kind() {
        for line in [
            "",
            "{",
            "null",
            "[]",
            r#"{"type":"ADDED"}"#,
            r#"{"type":"ADDED","object":{}}"#,
            r#"{"type":"SUNG","object":{}}"#,
        ] {
            assert!(matches!(read(line), Err(Trouble::Nonsense(_))), "{line}");
        }
        let gone = r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#;
        assert_eq!(read(gone), Err(Trouble::Gone("too old".into())));
        let internal = r#"{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd"}}"#;
        assert_eq!(read(internal), Err(Trouble::Status { status: 500, message: "etcd".into() }));
        assert!(matches!(refusal(403, None, b"nonsense"), Trouble::Denied { status: 403, .. }));
        assert!(matches!(refusal(401, Some(5), b""), Trouble::Denied { status: 401, .. }));
        assert_eq!(refusal(429, None, b""), Trouble::Busy { status: 429, after: Duration::from_secs(1) });
        assert_eq!(refusal(503, Some(4), b""), Trouble::Busy { status: 503, after: Duration::from_secs(4) });
        let ahead = br#"{"code":504,"details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"x"}],"retryAfterSeconds":1}}"#;
        assert!(matches!(refusal(504, None, ahead), Trouble::Gone(_)));
    }

    #[test]
    fn lists_have_a_version_and_items() {
        let (items, version) = list::<Thing>(
            br#"{"metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"a","resourceVersion":"3"}}]}"#,
        )
        .unwrap();
        assert_eq!((items.len(), version.0.as_str()), (1, "9"));
        assert!(list::<Thing>(br#"{"metadata":{},"items":[]}"#).is_err());
        assert!(list::<Thing>(br#"{"metadata":{"resourceVersion":"9"},"items":null}"#).unwrap().0.is_empty());
        assert!(list::<Thing>(br#"{"metadata":{"resourceVersion":"9"},"items":[{}]}"#).is_err());
        assert!(Version("9".into()).is_before(&Version("10".into())));
        assert!(!Version("x".into()).is_before(&Version("10".into())), "everything is news");
    }
}
