//! Who said what is memorised, as a number: sources are few, and an entry has room for two octets.

use std::sync::{PoisonError, RwLock};

use contract::Source;

/// How many different sources are told apart; later ones are told as the store itself.
const SOURCES_MAX: usize = 1_024;

/// The number of the store itself.
pub(crate) const STORE: u16 = 0;
/// The number of those that are too many: somebody said it, but not who.
const OTHERS: u16 = 1;

/// Sources in the order of their first answer. Asked when something is stored and when a person wants to know.
#[derive(Debug)]
pub(crate) struct Sources(RwLock<Vec<Source>>);

impl Default for Sources {
    fn default() -> Self {
        Self(RwLock::new(vec![Source::Store, Source::Store]))
    }
}

impl Sources {
    /// The number of a source.
    pub(crate) fn number(&self, source: Source) -> u16 {
        let known = |all: &[Source]| all.iter().position(|&one| one == source);
        let found = known(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let number = found.unwrap_or_else(|| {
            let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
            known(&all).unwrap_or_else(|| {
                if all.len() >= SOURCES_MAX {
                    return OTHERS.into();
                }
                all.push(source);
                all.len() - 1
            })
        });
        u16::try_from(number).expect("SOURCES_MAX fits")
    }

    /// The source with a number.
    pub(crate) fn of(&self, number: u16) -> Source {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(usize::from(number)).copied().unwrap_or(Source::Store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_found_again_and_too_many_are_told_as_the_store_and_are_not_it() {
        let sources = Sources::default();
        let upstream = |port: u16| Source::Upstream(([192, 0, 2, 53], port).into());
        assert_eq!(sources.number(Source::Store), STORE);
        let numbers: Vec<u16> = (0..SOURCES_MAX as u16 + 5).map(|port| sources.number(upstream(port))).collect();
        assert_eq!(sources.of(numbers[7]), upstream(7));
        assert_eq!(sources.number(upstream(7)), numbers[7]);
        assert_eq!(sources.of(*numbers.last().unwrap()), Source::Store);
        assert!(!numbers.contains(&STORE));
    }
}
