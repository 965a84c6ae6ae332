//! What a scripted API server can do wrong.

use std::time::Duration;

use serde_json::{Value, json};

/// What it does wrong until it is healed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refuses each request with this status.
    Status(u16),
    /// Refuses those whose path has this in it.
    StatusFor(&'static str, u16),
    /// Refuses each request, and says when to come again.
    Busy {
        /// The status.
        status: u16,
        /// `Retry-After`.
        seconds: u32,
    },
    /// Says of each version that is asked for that it lies ahead: 504, `ResourceVersionTooLarge`.
    Behind,
    /// Reads requests and says nothing, in open watches neither. Healed, it goes on where it was.
    Hang,
    /// Ends each watch once it is so old, whatever there is to tell.
    EndsWatches(Duration),
    /// Tells half of each event, and ends the watch as if that were all.
    HalfALine,
    /// Tells half of an event; the other half once it is healed.
    HalfALineThenHang,
    /// Each event has an object with fields of other types.
    WrongType,
    /// Each event is no JSON.
    Junk,
    /// Each event is of a type that nobody knows.
    UnknownType,
    /// Lists, streamed or not, are of the time when this began, whatever is asked for.
    OldLists,
    /// Has come as far as when its first fault began, and tells no more; a list without `resourceVersion` waits for the newest.
    Lags,
}

/// How it takes `sendInitialEvents`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Lists are streamed.
    Given,
    /// 422, as a server that knows of it and is told not to.
    Refused,
    /// As a server that does not know of it: a watch like any other.
    Ignored,
}

impl Fault {
    /// The line of an event, as this fault has it.
    pub(super) fn mangles(&self, kind: &str, object: &Value) -> String {
        let event = |kind: &str, object: &Value| json!({ "type": kind, "object": object }).to_string();
        match self {
            Self::WrongType => {
                let mut wrong = object.clone();
                wrong["metadata"]["name"] = json!(["a", "list"]);
                wrong["spec"] = json!(7);
                event(kind, &wrong)
            }
            Self::Junk => "<html>504 Gateway Time-out</html>".to_owned(),
            Self::UnknownType => event("SUNG", object),
            _ => event(kind, object),
        }
    }
}

/// A `Status` object, which is how an API server says no.
pub(super) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message })
}

/// That with what [`Fault::Behind`] says.
pub(super) fn too_large() -> Value {
    let mut said = status(504, "Timeout", "Too large resource version");
    said["details"] = json!({
        "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }],
        "retryAfterSeconds": 1,
    });
    said
}
