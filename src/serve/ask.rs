//! Hands a question of a connection to its desk, with room for the longest reply. A panic costs that question only.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use contract::limits::MESSAGE_MAX;
use contract::{Boxed, Client};
use futures_util::FutureExt as _;

use super::connections::{Connections, Mishap};
use super::{Desk, Outcome};

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
    Miss(Boxed<'static, Option<Vec<u8>>>),
}

/// Asks the desk; `take` sees a reply that is ready.
pub(super) fn ask<D: Desk, T>(
    desk: &mut D,
    question: &[u8],
    client: &Client,
    connections: &Connections,
    take: impl FnOnce(&[u8]) -> T,
) -> Asked<T> {
    REPLY.with_borrow_mut(|out| match catch_unwind(AssertUnwindSafe(|| desk.answer(question, client, out))) {
        Ok(Outcome::Reply(length)) => Asked::Reply(take(&out[..length.min(MESSAGE_MAX)])),
        Ok(Outcome::Silent) => Asked::Silent,
        Ok(Outcome::Miss(miss)) => Asked::Miss(miss),
        Err(_) => {
            connections.note(Mishap::Panicked);
            Asked::Silent
        }
    })
}

/// Waits for a miss; `None` if nothing is to be said or it panicked.
pub(super) async fn settle(miss: Boxed<'static, Option<Vec<u8>>>, connections: &Connections) -> Option<Vec<u8>> {
    AssertUnwindSafe(miss).catch_unwind().await.unwrap_or_else(|_| {
        connections.note(Mishap::Panicked);
        None
    })
}
