//! What can go wrong with rules, and what to look at next.

use contract::limits::RULES_COMMAND_WITHIN;

/// Words of a complaint about something that is not there, or that this kernel does not have at all.
const ABSENT: [&str; 5] = [
    "No such file or directory",
    "No chain/target/match by that name",
    "is incompatible, use 'nft' tool", // iptables on top of nftables, of a chain that it does not find
    "not supported",
    "does not exist",
];
/// Words of a complaint about something that passes.
const PASSING: [&str; 4] =
    ["xtables lock", "Resource temporarily unavailable", "Device or resource busy", "Cannot allocate memory"];

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
    #[error("`{program}` did not end within {} s; {}", RULES_COMMAND_WITHIN.as_secs(), slowness(.program))]
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

impl RulesError {
    /// True if what was asked for is not there.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Refused { complaint, .. } if ABSENT.iter().any(|words| complaint.contains(words)))
    }

    /// True if the next attempt may go better: it says nothing about what this kernel can do.
    pub fn passes(&self) -> bool {
        match self {
            Self::Unstarted { .. } | Self::Late { .. } | Self::Meddled { .. } => true,
            Self::Refused { complaint, .. } => PASSING.iter().any(|words| complaint.contains(words)),
            Self::Missing { .. } | Self::Garbled { .. } | Self::Nothing => false,
        }
    }
}

/// What to look at when a program takes long. Those of nftables know no lock.
fn slowness(program: &str) -> &'static str {
    match program.starts_with("nft") || program.contains("-nft") {
        true => "has the node no time left, or many thousands of rules?",
        false => "who holds the lock of the rules (/run/xtables.lock), or are they many thousands?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_blamed_only_where_there_is_one() {
        let late = |program: &str| RulesError::Late { program: program.to_owned() }.to_string();
        assert!(late("iptables-legacy").contains("xtables.lock") && late("iptables").contains("xtables.lock"));
        assert!(!late("nft").contains("lock") && !late("ip6tables-nft-save").contains("lock"));
    }

    #[test]
    fn load_passes_and_a_kernel_without_something_does_not() {
        let refused = |complaint: &str| RulesError::Refused { program: "nft".into(), complaint: complaint.into() };
        let error = std::io::Error::from_raw_os_error(nix::libc::EAGAIN);
        assert!(RulesError::Late { program: "nft".into() }.passes());
        assert!(RulesError::Unstarted { program: "nft".into(), error }.passes());
        assert!(refused("Another app is currently holding the xtables lock.").passes());
        assert!(!refused("Could not process rule: No such file or directory").passes());
        assert!(!RulesError::Missing { program: "nft".into() }.passes());
    }
}
