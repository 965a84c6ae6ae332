//! Who is behind a sender whose datagrams bear a header only now and then: the last ones that were used, each for a while.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use contract::Moment;

/// Clients by the sender's address.
#[derive(Debug)]
pub(crate) struct Sessions {
    lasts: Duration,
    most: usize,
    by_sender: HashMap<SocketAddr, Session>,
    /// The senders in the order of their last use.
    by_use: BTreeMap<u64, SocketAddr>,
    next_use: u64,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    client: SocketAddr,
    ends: Moment,
    used: u64,
}

impl Sessions {
    /// At most `most`, each for so long after its last use.
    pub(crate) fn new(lasts: Duration, most: usize) -> Self {
        Self { lasts, most, by_sender: HashMap::new(), by_use: BTreeMap::new(), next_use: 0 }
    }

    /// Remembers who is behind a sender. Where there is no room, who was not used for longest goes.
    pub(crate) fn note(&mut self, sender: SocketAddr, client: SocketAddr, now: Moment) {
        let used = self.next_use;
        self.next_use += 1;
        let session = Session { client, ends: now.after(self.lasts), used };
        if let Some(before) = self.by_sender.insert(sender, session) {
            self.by_use.remove(&before.used);
        }
        self.by_use.insert(used, sender);
        if self.by_sender.len() > self.most
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.by_sender.remove(&oldest);
        }
    }

    /// Who is behind a sender, as far as that is remembered; its time begins anew.
    pub(crate) fn client(&mut self, sender: SocketAddr, now: Moment) -> Option<SocketAddr> {
        let session = *self.by_sender.get(&sender)?;
        if session.ends <= now {
            self.by_sender.remove(&sender);
            self.by_use.remove(&session.used);
            return None;
        }
        self.note(sender, session.client, now);
        Some(session.client)
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
        assert_eq!(sessions.client(at(1), Moment(1)), Some(at(100)));
        sessions.note(at(3), at(300), Moment(1));
        let known = [1, 2, 3].map(|port| sessions.client(at(port), Moment(2)).is_some());
        assert_eq!(known, [true, false, true]);
        assert_eq!((sessions.by_sender.len(), sessions.by_use.len()), (2, 2));
    }
}
