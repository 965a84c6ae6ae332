//! The questions outstanding on one stream connection, by id, and what their fate tells about the peer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use contract::limits;
use foldhash::fast::RandomState;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::question::{Foreign, Question, Reply};
use crate::tap::Over;

/// A connection with questions outstanding from which nothing was heard for this long gets no more of them, unless it
/// answers all that it ever got: a peer may still be busy with one that was given up.
pub(crate) const STALLED_AFTER: Duration = Duration::from_millis(1_000);

/// A connection with questions outstanding from which nothing was heard for this long may be held up by one of them.
const BLOCKED_AFTER: Duration = Duration::from_millis(30);

/// For so long a peer may still be busy with questions that were given up; then it will not answer them any more.
const GIVEN_UP_FOR: Duration = limits::EXCHANGE_WITHIN;

/// A pause after which a connection counts as having been idle: a peer that closes it then closes an idle one.
const IDLE_GAP: Duration = Duration::from_millis(100);

/// The id table of a connection.
#[derive(Debug)]
pub(crate) struct Table {
    outstanding: HashMap<u16, Outstanding, RandomState>,
    closed: bool,
    stalled: bool,
    /// Questions ever asked; also tells two questions apart that had the same id.
    issued: u64,
    answered: u64,
    answered_since_idle: u64,
    /// The youngest question that was answered.
    youngest_answered: u64,
    /// True once an older question was answered after a younger one: the peer works on several at once.
    out_of_order: bool,
    /// When a question was last asked or answered.
    last_use: Instant,
    /// Since when questions are outstanding and nothing was heard.
    waiting_since: Instant,
    /// Questions that were given up before their reply came, and when the last of them was.
    given_up: (usize, Instant),
}

#[derive(Debug)]
struct Outstanding {
    serial: u64,
    asked_at: Instant,
    question: Arc<Question>,
    reply: oneshot::Sender<Reply>,
}

/// A question's place in a table.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) id: u16,
    pub(crate) serial: u64,
    pub(crate) reply: oneshot::Receiver<Reply>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Questions that lose their connection.
    pub(crate) outstanding: usize,
    /// Questions that it answered.
    pub(crate) answered: u64,
    /// True if nothing was answered since it was last idle.
    pub(crate) was_idle: bool,
}

impl Table {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            outstanding: HashMap::default(),
            closed: false,
            stalled: false,
            issued: 0,
            answered: 0,
            answered_since_idle: 0,
            youngest_answered: 0,
            out_of_order: false,
            last_use: now,
            waiting_since: now,
            given_up: (0, now),
        }
    }

    /// Gives a question an id that nobody can guess; `None` if the table is full or closed, or the peer takes no more
    /// than `quota` questions in all.
    pub(crate) fn reserve(&mut self, question: &Arc<Question>, quota: Option<u64>, now: Instant) -> Option<Place> {
        let full = self.outstanding.len() >= limits::UPSTREAM_PIPELINE_MAX;
        if self.closed || full || quota.is_some_and(|quota| self.issued >= quota) {
            return None;
        }
        if self.queue(now) == 0 {
            self.given_up.0 = 0;
        }
        if self.outstanding.is_empty() {
            self.waiting_since = now; // what was given up is no reason to take the peer for stalled
            if now.duration_since(self.last_use) >= IDLE_GAP {
                self.answered_since_idle = 0;
            }
        }
        let (id, free) = loop {
            let id = rand::random();
            if let Entry::Vacant(free) = self.outstanding.entry(id) {
                break (id, free);
            }
        };
        self.issued += 1;
        self.last_use = now;
        let (sender, reply) = oneshot::channel();
        let (serial, question) = (self.issued, Arc::clone(question));
        free.insert(Outstanding { serial, asked_at: now, question, reply: sender });
        Some(Place { id, serial: self.issued, reply })
    }

    /// Gives a message to the question that it answers.
    pub(crate) fn settle(&mut self, wire: &[u8], now: Instant) -> Result<(), Foreign> {
        self.stalled |= self.is_stalled(now);
        self.waiting_since = now; // whatever it says, the peer is alive
        let id = wire.first_chunk::<2>().map(|octets| u16::from_be_bytes(*octets)).ok_or(Foreign::Malformed)?;
        let Entry::Occupied(asked) = self.outstanding.entry(id) else {
            self.given_up.0 = self.given_up.0.saturating_sub(1);
            return Err(Foreign::Id);
        };
        let reply = asked.get().question.judge(id, wire)?;
        let asked = asked.remove();
        asked.question.show_answered(Over::Stream, wire, now - asked.asked_at);
        self.answered += 1;
        self.stalled &= self.answered < self.issued;
        self.out_of_order |= asked.serial < self.youngest_answered;
        self.youngest_answered = self.youngest_answered.max(asked.serial);
        self.answered_since_idle += 1;
        self.last_use = now;
        let _ = asked.reply.send(reply); // whoever asked may just have gone
        Ok(())
    }

    /// Frees a question's id when nobody waits for its reply any more.
    pub(crate) fn release(&mut self, id: u16, serial: u64, now: Instant) {
        if self.outstanding.get(&id).is_some_and(|asked| asked.serial == serial) {
            self.stalled |= self.is_stalled(now);
            self.outstanding.remove(&id);
            self.given_up = (self.given_up.0 + 1, now);
        }
    }

    /// How many questions are outstanding.
    pub(crate) fn load(&self) -> usize {
        self.outstanding.len()
    }

    /// How many questions a peer that answers one after the other has before it, those included that were given up.
    pub(crate) fn queue(&self, now: Instant) -> usize {
        let (given_up, since) = self.given_up;
        self.load() + if now.duration_since(since) < GIVEN_UP_FOR { given_up } else { 0 }
    }

    /// Whether questions wait and nothing is heard, or that was so when one of them gave up.
    pub(crate) fn is_stalled(&self, now: Instant) -> bool {
        self.stalled || !self.outstanding.is_empty() && now.duration_since(self.waiting_since) >= STALLED_AFTER
    }

    /// Whether a slow question may be holding up the others.
    pub(crate) fn is_blocked(&self, now: Instant) -> bool {
        self.queue(now) > 0 && now.duration_since(self.waiting_since) >= BLOCKED_AFTER
    }

    /// Whether the peer is known to answer in any order.
    pub(crate) fn is_out_of_order(&self) -> bool {
        self.out_of_order
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the peer closed without a single answer.
    pub(crate) fn is_refused(&self) -> bool {
        self.closed && self.answered == 0
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answered
    }

    pub(crate) fn issued(&self) -> u64 {
        self.issued
    }

    pub(crate) fn last_use(&self) -> Instant {
        self.last_use
    }

    /// Closes an idle table; no question can slip in between judging and closing.
    pub(crate) fn close_if_idle(&mut self, expire: Duration, now: Instant) -> bool {
        let idle = self.outstanding.is_empty() && now.duration_since(self.last_use) >= expire;
        self.closed |= idle;
        idle
    }

    /// Takes no more questions; those outstanding may still be answered.
    pub(crate) fn refuse(&mut self) {
        self.closed = true;
    }

    /// Takes no more questions and gives up those outstanding. `learn` hears how it ended before those outstanding do.
    pub(crate) fn close(&mut self, learn: impl FnOnce(Ending)) {
        self.closed = true;
        learn(Ending {
            outstanding: self.outstanding.len(),
            answered: self.answered,
            was_idle: self.answered_since_idle == 0,
        });
        self.outstanding.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::wire::{Flags, Name};

    fn question(name: &str) -> Arc<Question> {
        Arc::new(Question::check(Name::parse(name).unwrap(), true))
    }

    fn reply(question: &Question, id: u16) -> Vec<u8> {
        let mut wire = question.wire(id, false);
        wire[2] |= (Flags::QR >> 8) as u8;
        wire
    }

    #[test]
    fn a_full_table_takes_no_more_and_a_released_place_is_free() {
        let now = Instant::now();
        let mut table = Table::new(now);
        let question = question("a.example");
        let places: Vec<Place> =
            (0..limits::UPSTREAM_PIPELINE_MAX).map(|_| table.reserve(&question, None, now).unwrap()).collect();
        let ids: std::collections::HashSet<u16> = places.iter().map(|place| place.id).collect();
        assert_eq!(ids.len(), limits::UPSTREAM_PIPELINE_MAX);
        assert!(table.reserve(&question, None, now).is_none());
        table.release(places[5].id, places[5].serial, now);
        assert!(table.reserve(&question, None, now).is_some());
    }

    #[test]
    fn a_place_that_was_settled_frees_nobody_elses_id() {
        let now = Instant::now();
        let mut table = Table::new(now);
        let question = question("a.example");
        let place = table.reserve(&question, None, now).unwrap();
        assert_eq!(table.settle(&reply(&question, place.id), now), Ok(()));
        let again = (0..70_000).find_map(|_| {
            let next = table.reserve(&question, None, now).unwrap();
            if next.id == place.id {
                return Some(next);
            }
            table.release(next.id, next.serial, now);
            None
        });
        if again.is_some() {
            table.release(place.id, place.serial, now);
            assert_eq!(table.load(), 1);
        }
    }

    #[test]
    fn what_matches_nothing_is_said_so_and_leaves_the_question_waiting() {
        let now = Instant::now();
        let mut table = Table::new(now);
        let asked = question("a.example");
        let place = table.reserve(&asked, None, now).unwrap();
        assert_eq!(table.settle(&reply(&asked, place.id ^ 1), now), Err(Foreign::Id));
        assert_eq!(table.settle(&reply(&question("b.example"), place.id), now), Err(Foreign::Question));
        assert_eq!(table.load(), 1);
    }

    #[test]
    fn silence_with_questions_outstanding_is_a_stall() {
        let now = Instant::now();
        let mut table = Table::new(now);
        let place = table.reserve(&question("a.example"), None, now).unwrap();
        assert!(!table.is_stalled(now));
        assert!(table.is_stalled(now + STALLED_AFTER));
        table.release(place.id, place.serial, now + STALLED_AFTER);
        assert!(table.is_stalled(now + STALLED_AFTER), "it is remembered when whoever waited has gone");
    }

    #[test]
    fn a_stall_ends_when_all_is_answered() {
        let now = Instant::now();
        let late = now + STALLED_AFTER;
        let asked = question("a.example");
        for given_up in [false, true] {
            let mut table = Table::new(now);
            let places: Vec<Place> = (0..3).map(|_| table.reserve(&asked, None, now).unwrap()).collect();
            if given_up {
                table.release(places[0].id, places[0].serial, now);
            } else {
                table.settle(&reply(&asked, places[0].id), now).unwrap();
            }
            table.settle(&reply(&asked, places[1].id), late).unwrap();
            assert!(table.is_stalled(late), "the peer is still busy with others");
            table.settle(&reply(&asked, places[2].id), late).unwrap();
            assert_eq!(table.is_stalled(late), given_up);
        }
    }

    #[test]
    fn an_older_question_answered_after_a_younger_one_shows_a_peer_that_works_on_several() {
        let now = Instant::now();
        let mut table = Table::new(now);
        let asked = question("a.example");
        let places: Vec<Place> = (0..3).map(|_| table.reserve(&asked, None, now).unwrap()).collect();
        for (index, shown) in [(0, false), (2, false), (1, true)] {
            table.settle(&reply(&asked, places[index].id), now).unwrap();
            assert_eq!(table.is_out_of_order(), shown);
        }
        assert!(!table.is_blocked(now + BLOCKED_AFTER), "nobody waits");
        table.reserve(&asked, None, now).unwrap();
        assert!(table.is_blocked(now + BLOCKED_AFTER) && !table.is_blocked(now));
    }

    #[test]
    fn what_was_given_up_still_keeps_the_peer_busy_until_it_answers() {
        let now = Instant::now();
        let asked = question("a.example");
        for answers in [true, false] {
            let mut table = Table::new(now);
            let place = table.reserve(&asked, None, now).unwrap();
            table.release(place.id, place.serial, now);
            assert_eq!((table.load(), table.queue(now)), (0, 1));
            assert!(table.is_blocked(now + BLOCKED_AFTER) && !table.is_stalled(now + BLOCKED_AFTER));
            if answers {
                assert_eq!(table.settle(&reply(&asked, place.id), now), Err(Foreign::Id));
                assert_eq!(table.queue(now), 0);
                assert!(!table.is_blocked(now + BLOCKED_AFTER));
            }
            assert!(!table.is_blocked(now + GIVEN_UP_FOR), "it never answers");
            table.reserve(&asked, None, now + GIVEN_UP_FOR).unwrap();
            assert_eq!((table.queue(now + GIVEN_UP_FOR), table.is_stalled(now + GIVEN_UP_FOR)), (1, false));
        }
    }

    #[test]
    fn an_idle_table_closes_and_a_busy_one_tells_how_it_ended() {
        let now = Instant::now();
        let mut table = Table::new(now);
        let asked = question("a.example");
        let place = table.reserve(&asked, None, now).unwrap();
        let expire = Duration::from_secs(1);
        assert!(!table.close_if_idle(expire, now + expire), "a question is outstanding");
        table.settle(&reply(&asked, place.id), now).unwrap();
        let mut lost = table.reserve(&asked, None, now).unwrap();
        let mut ending = None;
        table.close(|how| ending = Some(how));
        assert_eq!(ending, Some(Ending { outstanding: 1, answered: 1, was_idle: false }));
        assert!(lost.reply.try_recv().is_err());
        assert!(table.reserve(&asked, None, now).is_none());
        let mut idle = Table::new(now);
        assert!(idle.close_if_idle(expire, now + expire) && idle.is_closed());
    }
}
