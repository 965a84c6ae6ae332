//! What a kernel cannot do is left out, and said; what it can do is done.

use std::fmt;
use std::net::IpAddr;

use super::wanted::Family;
use super::{RulesError, Wanted};

/// What is not in place although it is wanted, because the kernel refuses it: there is no point in trying it again at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Without {
    /// The addresses that have no rules at all: those of a family whose rules are refused.
    pub own: Vec<IpAddr>,
    /// The addresses that have rules, but not those for questions of the host's own processes ([`Wanted::host`]).
    pub host: Vec<IpAddr>,
    /// The first refusal, in the words of the program.
    pub why: String,
}

impl fmt::Display for Without {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |addresses: &[IpAddr]| addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
        let parts = [("no rules for", &self.own), ("no failsafe of the host's own processes for", &self.host)];
        for (what, addresses) in parts.iter().filter(|(_, addresses)| !addresses.is_empty()) {
            write!(f, "{what} {}; ", list(addresses))?;
        }
        f.write_str(&self.why)
    }
}

/// Makes the rules of each family by itself: without a detour if it is refused with it, and not at all if that is refused too. What
/// was made, and what is missing, if anything is.
///
/// # Errors
/// If no family that is asked can have rules, or for a reason that passes.
pub(super) fn piecewise<T>(
    wanted: &Wanted,
    make: impl Fn(Family, &Wanted) -> Result<T, RulesError>,
) -> Result<(Vec<T>, Option<Without>), RulesError> {
    let mut made = Vec::new();
    let mut without = Without::default();
    let mut first = None;
    for family in Family::BOTH {
        let part = wanted.of(family);
        let mut attempt = lasting(make(family, &part))?;
        if attempt.is_err() && part.host.is_some() {
            let bare = Wanted { host: None, ..part.clone() };
            let again = lasting(make(family, &bare))?;
            if again.is_ok() {
                without.host.extend(&part.own);
                first = first.or(attempt.err());
            }
            attempt = again;
        }
        match attempt {
            Ok(one) => made.push(one),
            Err(error) => {
                without.own.extend(&part.own);
                first = first.or(Some(error).filter(|_| !part.own.is_empty()));
            }
        }
    }
    match first {
        Some(error) if without.own.len() == wanted.own.len() => Err(error),
        Some(error) => {
            without.why = error.to_string();
            Ok((made, Some(without)))
        }
        None => Ok((made, None)),
    }
}

/// A refusal that stays one is a value; everything else is an error.
fn lasting<T>(made: Result<T, RulesError>) -> Result<Result<T, RulesError>, RulesError> {
    match made {
        Err(error @ RulesError::Refused { .. }) if !error.passes() => Ok(Err(error)),
        Err(error) => Err(error),
        Ok(made) => Ok(Ok(made)),
    }
}
