//! What can go wrong with rules, and what to look at next.

/// Why rules could not be made, looked at or removed.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A program is not installed.
    #[error("`{program}` is not installed")]
    Missing {
        /// Its name.
        program: String,
    },
    /// It is installed and could not be started.
    #[error("`{program}` cannot be started: {error}")]
    Unstarted {
        /// Its name.
        program: String,
        /// Why not.
        error: std::io::Error,
    },
    /// It did not end within [`contract::limits::RULES_COMMAND_WITHIN`].
    #[error("`{program}` did not end in time; who holds the lock of the rules (/run/xtables.lock)?")]
    Late {
        /// Its name.
        program: String,
    },
    /// It refused; without the capability NET_ADMIN it refuses everything.
    #[error("`{program}` refuses: {complaint}")]
    Refused {
        /// Its name.
        program: String,
        /// The first lines of its complaint.
        complaint: String,
    },
    /// What it said is not the JSON that it should be.
    #[error("`{program}` says what cannot be read: {error}")]
    Garbled {
        /// Its name.
        program: String,
        /// Where.
        error: serde_json::Error,
    },
    /// Somebody else changed our table while it was made.
    #[error("of {made} rules just made {there} are there; who else changes this table?")]
    Meddled {
        /// Rules that were made.
        made: usize,
        /// Rules that were there a moment later.
        there: usize,
    },
    /// Neither nftables nor iptables can be used here.
    #[error("neither nftables nor iptables can be used here; is the capability NET_ADMIN given?")]
    Nothing,
}
