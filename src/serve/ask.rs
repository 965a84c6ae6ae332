//! Hands a question of a connection to its desk, with room for the longest reply. A panic costs that question only: it gets
//! SERVFAIL.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use contract::limits::MESSAGE_MAX;
use contract::{Boxed, Client};
use futures_util::FutureExt as _;

use super::connections::{Connections, Mishap};
use super::{Desk, Outcome, apology};

thread_local! {
    /// Connections would each need room for a whole message only for the moment in which a reply is written.
    static REPLY: RefCell<Box<[u8]>> = RefCell::new(vec![0; MESSAGE_MAX].into_boxed_slice());
}

/// What becomes of a question of a connection.
pub(super) enum Asked<T> {
    /// What `take` made of the reply.
    Reply(T),
    /// Nothing is said.
    Silent,
    /// The reply comes later.
    Miss(Miss),
}

/// A reply under way, and what is said if it panics.
pub(super) struct Miss {
    reply: Boxed<'static, Option<Vec<u8>>>,
    apology: Option<Box<[u8]>>,
}

/// Asks the desk; `take` sees a reply that is ready.
pub(super) fn ask<D: Desk, T>(
    desk: &mut D,
    question: &[u8],
    client: &Client,
    connections: &Connections,
    take: impl FnOnce(&[u8]) -> T,
) -> Asked<T> {
    REPLY.with_borrow_mut(|out| {
        match catch_unwind(AssertUnwindSafe(|| desk.answer(question, client, desk.now(), out))) {
            Ok(Outcome::Reply(length)) => Asked::Reply(take(&out[..length.min(MESSAGE_MAX)])),
            Ok(Outcome::Silent) => Asked::Silent,
            Ok(Outcome::Miss(reply)) => Asked::Miss(Miss { reply, apology: apology::kept(question) }),
            Err(_) => {
                connections.note(Mishap::Panicked);
                apology::write(question, out).map_or(Asked::Silent, |length| Asked::Reply(take(&out[..length])))
            }
        }
    })
}

/// Waits for a miss; `None` if nothing is to be said.
pub(super) async fn settle(miss: Miss, connections: &Connections) -> Option<Vec<u8>> {
    let Miss { reply, apology } = miss;
    AssertUnwindSafe(reply).catch_unwind().await.unwrap_or_else(|_| {
        connections.note(Mishap::Panicked);
        apology.map(Vec::from)
    })
}
