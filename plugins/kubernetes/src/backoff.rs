//! When to ask again: full jitter from 1 s to 60 s, and no herd when an API server comes back.
//!
//! While nobody is there a connection is tried about once a second, which costs the API server nothing. Once somebody is, each
//! node waits for a random while before its first request, so that those of a whole cluster are spread.

use std::time::Duration;

use rand::Rng;

use crate::trouble::Trouble;

/// The first bound of a wait, and the last one.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(60);
/// Between two looks whether somebody is there.
const KNOCK_EVERY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(1_500));
/// The first requests of all nodes after an outage are spread over this.
pub(crate) const SPREAD: Duration = Duration::from_secs(5);
/// No answer is worth waiting longer for, whatever `Retry-After` says.
const BUSY_MAX: Duration = Duration::from_secs(300);

/// How often in a row asking has failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    /// Of these alone: that a server has forgotten shows that it answers again, whatever failed before.
    forgotten: u32,
}

impl Backoff {
    /// The wait after one more failure.
    pub(crate) fn after(&mut self, trouble: &Trouble, random: &mut impl Rng) -> Duration {
        if matches!(trouble, Trouble::Unreachable(_)) {
            return knock(random);
        }
        let jitter = match trouble {
            Trouble::Gone(_) => wait(&mut self.forgotten, random),
            _ => self.longer(random),
        };
        match trouble {
            Trouble::Busy { after, .. } => (*after).min(BUSY_MAX) + jitter,
            _ => jitter,
        }
    }

    /// A wait of up to twice as long as the one before.
    pub(crate) fn longer(&mut self, random: &mut impl Rng) -> Duration {
        wait(&mut self.failures, random)
    }

    /// It worked for a while.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Full jitter, up to a bound that doubles with each time before.
fn wait(times: &mut u32, random: &mut impl Rng) -> Duration {
    let bound = FIRST.saturating_mul(1 << (*times).min(6)).min(LAST);
    *times = times.saturating_add(1);
    bound.mul_f64(random.random::<f64>())
}

/// The wait until the next look whether somebody is there.
pub(crate) fn knock(random: &mut impl Rng) -> Duration {
    random.random_range(KNOCK_EVERY.0..=KNOCK_EVERY.1)
}

/// The wait for what may never be there: about a minute.
pub(crate) fn seldom(random: &mut impl Rng) -> Duration {
    LAST.mul_f64(random.random_range(0.8..=1.2))
}

/// The wait of this node once somebody is there again.
pub(crate) fn spread(random: &mut impl Rng) -> Duration {
    SPREAD.mul_f64(random.random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    fn status() -> Trouble {
        Trouble::Status { status: 500, message: String::new() }
    }

    #[test]
    fn waits_grow_to_a_minute_with_full_jitter() {
        let mut random = StdRng::seed_from_u64(1);
        let mut longest = [Duration::ZERO; 10];
        let mut shortest = [Duration::MAX; 10];
        for _ in 0..2_000 {
            let mut backoff = Backoff::default();
            for step in 0..10 {
                let wait = backoff.after(&status(), &mut random);
                longest[step] = longest[step].max(wait);
                shortest[step] = shortest[step].min(wait);
            }
        }
        for (step, bound) in [1, 2, 4, 8, 16, 32, 60, 60, 60, 60].into_iter().enumerate() {
            let bound = Duration::from_secs(bound);
            assert!(longest[step] <= bound && longest[step] > bound.mul_f64(0.99), "{step}: {:?}", longest[step]);
            assert!(shortest[step] < bound.mul_f64(0.01), "{step}: {:?}", shortest[step]);
        }
    }

    #[test]
    fn who_asks_for_time_gets_it_and_who_is_not_there_is_not_hurt() {
        let mut random = StdRng::seed_from_u64(2);
        let mut backoff = Backoff::default();
        let busy = |seconds| Trouble::Busy { status: 429, after: Duration::from_secs(seconds) };
        let wait = backoff.after(&busy(7), &mut random);
        assert!((7.0..=8.0).contains(&wait.as_secs_f64()), "{wait:?}");
        let wait = backoff.after(&busy(100_000), &mut random);
        assert!(wait <= BUSY_MAX + Duration::from_secs(2), "{wait:?}");
        for _ in 0..100 {
            let wait = backoff.after(&Trouble::Unreachable(String::new()), &mut random);
            assert!((0.5..=1.5).contains(&wait.as_secs_f64()), "{wait:?}");
        }
        backoff.reset();
        assert!(backoff.after(&status(), &mut random) <= Duration::from_secs(1));
    }

    #[test]
    fn what_may_never_be_there_is_asked_for_about_once_a_minute() {
        let mut random = StdRng::seed_from_u64(4);
        let waits: Vec<Duration> = (0..1_000).map(|_| seldom(&mut random)).collect();
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(
            (48.0..49.0).contains(&least.as_secs_f64()) && (71.0..72.01).contains(&most.as_secs_f64()),
            "{least:?} to {most:?}"
        );
    }

    #[test]
    fn what_was_forgotten_is_listed_soon_unless_it_is_forgotten_again_and_again() {
        let mut random = StdRng::seed_from_u64(3);
        let gone = Trouble::Gone(String::new());
        let mut longest = [Duration::ZERO; 8];
        for _ in 0..1_000 {
            let mut backoff = Backoff::default();
            for _ in 0..8 {
                backoff.after(&status(), &mut random);
            }
            for longest in &mut longest {
                *longest = (*longest).max(backoff.after(&gone, &mut random));
            }
        }
        for (longest, bound) in longest.into_iter().zip([1, 2, 4, 8, 16, 32, 60, 60]) {
            let bound = Duration::from_secs(bound);
            assert!(longest <= bound && longest > bound.mul_f64(0.9), "{longest:?} of {bound:?}");
        }
    }
}
