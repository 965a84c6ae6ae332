//! Names that were in the zone a moment ago and are missing now. ExternalDNS updates a record by deletion and creation where its
//! provider knows nothing better, so most of them are back in a few seconds; until then their last answer stands.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::limits::VANISHED_MAX;
use contract::wire::{Name, RecordType};
use contract::{Clock, Moment};

/// What is missing, and since when. Looked at on the miss path only.
#[derive(Debug)]
pub(crate) struct Vanished {
    /// How long a last answer stands; zero: never.
    grace: Duration,
    since: Mutex<HashMap<(Name, RecordType), Moment>>,
}

impl Vanished {
    pub(crate) fn new(grace: Duration) -> Self {
        Self { grace, since: Mutex::default() }
    }

    /// The zone says that there are no such records, which were there when it was asked last, and whose answer has been past
    /// its end for so long: how long it stands yet. `None` once the time is over; then also for as long as nobody has seen the
    /// records again.
    pub(crate) fn stands(
        &self,
        name: &Name,
        rtype: RecordType,
        past_end: Duration,
        clock: &dyn Clock,
    ) -> Option<Duration> {
        if self.grace.is_zero() {
            return None;
        }
        let now = clock.now();
        let mut since = self.since();
        let key = (name.clone(), rtype);
        if since.len() >= VANISHED_MAX && !since.contains_key(&key) {
            since.retain(|_, since| now.since(*since) < self.grace);
            if since.len() >= VANISHED_MAX {
                return None;
            }
        }
        // it may have vanished as soon as nobody looked any more
        let ended = Moment(now.0.saturating_sub(u64::try_from(past_end.as_millis()).unwrap_or(u64::MAX)));
        let begun = *since.entry(key).or_insert(ended);
        let left = self.grace.saturating_sub(now.since(begun));
        (!left.is_zero()).then_some(left)
    }

    /// The zone has such records.
    pub(crate) fn is_there(&self, name: &Name, rtype: RecordType) {
        let mut since = self.since();
        if !since.is_empty() {
            since.remove(&(name.clone(), rtype));
        }
    }

    fn since(&self) -> MutexGuard<'_, HashMap<(Name, RecordType), Moment>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::FakeClock;

    #[test]
    fn the_last_answer_stands_for_a_while_after_the_first_denial() {
        let (vanished, clock) = (Vanished::new(Duration::from_secs(10)), FakeClock::new());
        let name = Name::parse("db.corp.example").unwrap();
        assert_eq!(vanished.stands(&name, RecordType::A, Duration::ZERO, &clock), Some(Duration::from_secs(10)));
        clock.advance(Duration::from_secs(9));
        assert_eq!(vanished.stands(&name, RecordType::A, Duration::ZERO, &clock), Some(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(vanished.stands(&name, RecordType::A, Duration::ZERO, &clock), None);
        clock.advance(Duration::from_secs(100));
        assert_eq!(vanished.stands(&name, RecordType::A, Duration::ZERO, &clock), None, "no second time");
        vanished.is_there(&name, RecordType::A);
        assert!(vanished.stands(&name, RecordType::A, Duration::ZERO, &clock).is_some(), "it was back");
        assert!(Vanished::new(Duration::ZERO).stands(&name, RecordType::A, Duration::ZERO, &clock).is_none());
    }

    #[test]
    fn there_is_room_for_so_many_and_those_whose_time_is_over_make_room() {
        let (vanished, clock) = (Vanished::new(Duration::from_secs(10)), FakeClock::new());
        let name = |index: usize| Name::parse(&format!("n{index}.corp.example")).unwrap();
        for index in 0..VANISHED_MAX {
            assert!(vanished.stands(&name(index), RecordType::A, Duration::ZERO, &clock).is_some());
        }
        assert!(vanished.stands(&name(VANISHED_MAX), RecordType::A, Duration::ZERO, &clock).is_none(), "full");
        assert!(vanished.stands(&name(0), RecordType::A, Duration::ZERO, &clock).is_some(), "known already");
        clock.advance(Duration::from_secs(10));
        assert!(vanished.stands(&name(VANISHED_MAX), RecordType::A, Duration::ZERO, &clock).is_some());
    }
}
