//! Who is behind a sender whose datagrams bear a header only now and then: the last ones that were used, each for a while.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use contract::Moment;

/// A session takes a new place among those used last when this part of its time has passed since it took its own: most uses
/// write nothing but its end.
const PLACED_ANEW_AFTER: u32 = 4;

/// Clients by the sender's address.
#[derive(Debug)]
pub(crate) struct Sessions {
    lasts: Duration,
    most: usize,
    by_sender: HashMap<SocketAddr, Session>,
    /// The senders in the order of their last use, as it was when they took their places.
    by_use: BTreeMap<u64, SocketAddr>,
    next_place: u64,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    client: SocketAddr,
    ends: Moment,
    /// When it took its place,
    placed: Moment,
    /// and which.
    place: u64,
}

impl Sessions {
    /// At most `most`, each for so long after its last use.
    pub(crate) fn new(lasts: Duration, most: usize) -> Self {
        Self { lasts, most, by_sender: HashMap::new(), by_use: BTreeMap::new(), next_place: 0 }
    }

    /// Remembers who is behind a sender. Where there is no room, who was not used for longest goes.
    pub(crate) fn note(&mut self, sender: SocketAddr, client: SocketAddr, now: Moment) {
        let ends = now.after(self.lasts);
        if let Some(known) = self.by_sender.get_mut(&sender) {
            (known.client, known.ends) = (client, ends);
            let session = *known;
            return self.place_anew(sender, session, now);
        }
        if self.by_sender.len() >= self.most
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.by_sender.remove(&oldest);
        }
        self.place_last(sender, Session { client, ends, placed: now, place: 0 });
    }

    /// Who is behind a sender, as far as that is remembered; its time begins anew.
    pub(crate) fn client(&mut self, sender: SocketAddr, now: Moment) -> Option<SocketAddr> {
        let known = self.by_sender.get_mut(&sender)?;
        if known.ends <= now {
            let place = known.place;
            self.by_sender.remove(&sender);
            self.by_use.remove(&place);
            return None;
        }
        known.ends = now.after(self.lasts);
        let session = *known;
        self.place_anew(sender, session, now);
        Some(session.client)
    }

    /// A session was used: it is placed last, if it has had its place for long.
    fn place_anew(&mut self, sender: SocketAddr, session: Session, now: Moment) {
        if now.since(session.placed) >= self.lasts / PLACED_ANEW_AFTER {
            self.by_use.remove(&session.place);
            self.place_last(sender, Session { placed: now, ..session });
        }
    }

    fn place_last(&mut self, sender: SocketAddr, session: Session) {
        let place = self.next_place;
        self.next_place += 1;
        self.by_use.insert(place, sender);
        self.by_sender.insert(sender, Session { place, ..session });
    }

    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    #[test]
    fn a_session_lasts_from_its_last_use() {
        let mut sessions = Sessions::new(Duration::from_secs(1), 8);
        sessions.note(at(1), at(100), Moment(0));
        assert_eq!(sessions.client(at(1), Moment(999)), Some(at(100)));
        assert_eq!(sessions.client(at(1), Moment(1_998)), Some(at(100)));
        assert_eq!(sessions.client(at(2), Moment(1_998)), None);
        assert_eq!(sessions.client(at(1), Moment(2_998)), None);
        assert!(sessions.by_sender.is_empty() && sessions.by_use.is_empty());
        sessions.note(at(1), at(100), Moment(3_000));
        sessions.note(at(1), at(101), Moment(3_000));
        assert_eq!(sessions.client(at(1), Moment(3_001)), Some(at(101)));
    }

    #[test]
    fn who_was_not_used_for_longest_makes_room() {
        let mut sessions = Sessions::new(Duration::from_secs(1), 2);
        sessions.note(at(1), at(100), Moment(0));
        sessions.note(at(2), at(200), Moment(0));
        assert_eq!(sessions.client(at(1), Moment(250)), Some(at(100)));
        sessions.note(at(3), at(300), Moment(250));
        let known = [1, 2, 3].map(|port| sessions.client(at(port), Moment(251)).is_some());
        assert_eq!(known, [true, false, true]);
        assert_eq!((sessions.by_sender.len(), sessions.by_use.len()), (2, 2));
    }

    #[test]
    fn most_uses_change_no_order() {
        let mut sessions = Sessions::new(Duration::from_secs(1), 8);
        for now in 0..1_000 {
            match now % 2 {
                0 => sessions.note(at(1), at(100), Moment(now)),
                _ => assert_eq!(sessions.client(at(1), Moment(now)), Some(at(100))),
            }
        }
        assert_eq!(sessions.next_place, 4, "its first place, and one for each quarter that has passed");
        assert_eq!(
            sessions.client(at(1), Moment(1_998)),
            Some(at(100)),
            "its end is that of its last use all the same"
        );
        assert_eq!((sessions.by_sender.len(), sessions.by_use.len()), (1, 1));
    }
}
