//! What looks at the workers come to: well, doubtful, or hanging. No clock, no socket.

use crate::serve::udp::Sight;

/// So many looks in a row without progress make a worker doubtful: `/health` tells it.
const DOUBTFUL_AFTER: u32 = 2;
/// So many make it one that hangs.
const HANGS_AFTER: u32 = 3;
/// The same for the runtime of the miss path. Its beat waits for timers and for whatever its threads do at that moment, so it
/// has longer.
const BEATLESS_MAX: u32 = 10;

const _: () = assert!(1 < DOUBTFUL_AFTER && DOUBTFUL_AFTER < HANGS_AFTER && HANGS_AFTER < BEATLESS_MAX);

/// What a look says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Well,
    /// Why.
    Doubtful(String),
    /// Why.
    Hangs(String),
}

/// What was seen at the last look, and for how many looks nothing has moved.
#[derive(Debug)]
pub(super) struct Judge {
    workers: Vec<Moving>,
    beats: Moving,
}

/// A number that should move.
#[derive(Clone, Debug, Default)]
struct Moving {
    last: Option<u64>,
    still: u32,
}

impl Moving {
    /// How many looks in a row it has not moved although it should have.
    fn look(&mut self, now: u64, should: bool) -> u32 {
        let moved = self.last != Some(now);
        self.still = if moved || !should { 0 } else { self.still + 1 };
        self.last = Some(now);
        self.still
    }
}

impl Judge {
    pub(super) fn new(workers: usize) -> Self {
        Self { workers: vec![Moving::default(); workers], beats: Moving::default() }
    }

    /// Judges one look at all workers, in the order of their numbers, and at the runtime's beats.
    pub(super) fn look(&mut self, sights: &[Sight], beats: u64) -> Verdict {
        let still = self.workers.iter_mut().zip(sights).map(|(worker, sight)| worker.look(sight.done, sight.waiting));
        let worst = still.enumerate().max_by_key(|(_, still)| *still);
        let beatless = self.beats.look(beats, true);
        if let Some((worker, still)) = worst.filter(|(_, still)| *still >= DOUBTFUL_AFTER) {
            let reason = format!("the thread udp-{worker} has questions waiting and has done nothing for {still} s");
            return if still >= HANGS_AFTER { Verdict::Hangs(reason) } else { Verdict::Doubtful(reason) };
        }
        if beatless >= BEATLESS_MAX {
            return Verdict::Hangs(format!("the miss path has done nothing for {beatless} s"));
        }
        match beatless > BEATLESS_MAX / 2 {
            true => Verdict::Doubtful(format!("the miss path has done nothing for {beatless} s")),
            false => Verdict::Well,
        }
    }

    /// The most looks in a row that a worker has not moved.
    pub(super) fn most_still(&self) -> u32 {
        self.workers.iter().map(|worker| worker.still).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sights<const N: usize>(each: [(u64, bool); N]) -> [Sight; N] {
        each.map(|(done, waiting)| Sight { done, waiting })
    }

    #[test]
    fn a_worker_that_stands_still_with_questions_waiting_hangs_at_the_third_look() {
        let mut judge = Judge::new(2);
        let mut beats = 0;
        let mut look = |each| {
            beats += 4;
            judge.look(&sights(each), beats)
        };
        assert_eq!(look([(5, false), (9, true)]), Verdict::Well, "the first look has nothing to compare with");
        assert_eq!(look([(6, false), (9, true)]), Verdict::Well);
        assert!(matches!(look([(7, false), (9, true)]), Verdict::Doubtful(why) if why.contains("udp-1")));
        assert!(matches!(look([(8, false), (9, true)]), Verdict::Hangs(why) if why.contains("udp-1")));
    }

    #[test]
    fn overload_and_idleness_are_no_hang() {
        let mut judge = Judge::new(2);
        for look in 0..60 {
            // one is never done with its queue, the other has nothing to do
            assert_eq!(judge.look(&sights([(look, true), (3, false)]), look), Verdict::Well);
        }
        assert_eq!(judge.most_still(), 0);
    }

    #[test]
    fn progress_between_two_looks_ends_the_doubt() {
        let mut judge = Judge::new(1);
        for (done, well) in [(1, true), (1, true), (1, false), (2, true), (2, true), (2, false)] {
            let verdict = judge.look(&sights([(done, true)]), done * 100 + u64::from(well));
            assert_eq!(verdict == Verdict::Well, well, "{done}: {verdict:?}");
        }
    }

    #[test]
    fn a_runtime_without_a_beat_hangs_after_ten_looks() {
        let mut judge = Judge::new(0);
        let verdicts: Vec<_> = (0..=BEATLESS_MAX).map(|_| judge.look(&[], 7)).collect();
        assert_eq!(verdicts[0], Verdict::Well);
        assert!(matches!(verdicts[6], Verdict::Doubtful(_)), "{verdicts:?}");
        assert!(verdicts[..10].iter().all(|verdict| !matches!(verdict, Verdict::Hangs(_))));
        assert!(matches!(verdicts[10], Verdict::Hangs(_)));
        assert_eq!(judge.look(&[], 8), Verdict::Well);
    }
}
