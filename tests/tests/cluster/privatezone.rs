//! Private zones with the real things: a knotd that a real ExternalDNS writes to, a CoreDNS as centre, the daemon before both,
//! and pods with a network of their own.

mod appears_changes_goes;
mod centre_is_spared;
mod chains;
mod delete_pause_create;
mod house;
mod objects_churn;
mod resolver_dead;
mod same_as_knot;

use std::time::{Duration, Instant};

use nearpath_tests::controlplane;
use nearpath_tests::message::{Ask, Reply};
use nearpath_tests::mode;
use nearpath_tests::{ControlPlane, Udp};

/// The private zone of most tests.
const ZONE: &str = "corp.example.";

/// Extended DNS Errors (RFC 8914 4).
const STALE_ANSWER: u16 = 3;
const NO_REACHABLE_AUTHORITY: u16 = 22;
const SYNTHESIZED: u16 = 29;

/// The control plane that all share; `None` where it or knotd is missing, which is named as skipped.
fn plane() -> Option<&'static ControlPlane> {
    controlplane::shared().filter(|_| mode::have("cluster", &["knotd"]))
}

/// The reply to a question within a time, if one comes.
fn reply_within(client: &Udp, asked: &Ask, within: Duration) -> Option<Reply> {
    client.send(&asked.wire());
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        let reply = Reply::read(&client.receive(left)?).expect("a whole message");
        if reply.id == asked.id {
            return Some(reply);
        }
    }
}
