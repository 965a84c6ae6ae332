//! Why the API server did not give what was asked for, as far as it decides when to ask again and what to say.

use std::time::Duration;

/// A request or a watch that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// Nobody is there, or who was there went: asking costs the API server nothing.
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
    /// 401, 403: credentials or rights.
    #[error("the API server refuses (status {status}): {message}")]
    Denied {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// 410: what was known is too old to go on from.
    #[error("the API server has forgotten what came after version {0}")]
    Gone(String),
    /// 429, or another answer that says when to come again.
    #[error("the API server asks to wait {} s (status {status})", after.as_secs())]
    Busy {
        /// The HTTP status.
        status: u16,
        /// Not before.
        after: Duration,
    },
    /// Another status.
    #[error("the API server says {status}: {message}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// What came is not what was asked for.
    #[error("the API server's words are not understood: {0}")]
    Nonsense(String),
    /// Nothing came for too long.
    #[error("the API server was silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// A watch that ended soon after it began.
    #[error("the API server ended the watch at once")]
    Ended,
    /// Credentials cannot be read.
    #[error("no credentials for the API server: {0}")]
    Credentials(String),
}

impl Trouble {
    /// A word for metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Denied { .. } => "denied",
            Self::Gone(_) => "gone",
            Self::Busy { .. } => "busy",
            Self::Status { .. } => "status",
            Self::Nonsense(_) => "nonsense",
            Self::Silent(_) => "silent",
            Self::Ended => "ended",
            Self::Credentials(_) => "credentials",
        }
    }

    /// What an operator can do about it, where that is known.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::Denied { status: 403, .. } => "; deploy/rbac.yaml grants what is needed",
            Self::Denied { .. } => "; is the service account's token mounted and valid?",
            Self::Credentials(_) => "; run in a pod with a service account, or name a file with -kubeconfig",
            _ => "",
        }
    }
}
