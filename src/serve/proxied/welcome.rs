//! The first octets of a connection: the header of its proxy, if there is one, read before anything else.

use std::time::Duration;

use proxyproto::{Header, Policy, ProxyprotoSpec, Seen, Told, read_header};
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, sleep_until};

use super::Rewound;
use crate::serve::accept::Accepted;
use crate::serve::connections::Mishap;
use crate::serve::stream::Timeouts;

/// Octets that are read at once: a header without much beside it, and a question behind it.
const CHUNK: usize = 512;
/// How long a connection whose listener ends waits for the header of a question that may be on its way.
const LAST_HEADER_WITHIN: Duration = Duration::from_millis(300);

/// Reads the header. The client is whoever it tells of, if the proxy is believed, and has the seat. `None`: the connection is
/// closed, because of a wrong header, an unwanted one, one that takes too long, or because there is no room for the client.
pub(in crate::serve) async fn welcome(
    mut accepted: Accepted,
    spec: &ProxyprotoSpec,
    timeouts: Timeouts,
) -> Option<Accepted<Rewound<tokio::net::TcpStream>>> {
    let policy = spec.policy(accepted.peer.ip());
    let (header, before) = match policy {
        Policy::Skip => (None, Vec::new()),
        Policy::Use | Policy::Ignore | Policy::Reject => header(&mut accepted, timeouts).await?,
    };
    let Accepted { stream, mut peer, mut local, mut seat, stop } = accepted;
    match (policy, header) {
        (Policy::Reject, Some(_)) => {
            tracing::debug!("a connection from {peer} is closed: a header from somebody who may send none");
            seat.connections().note(Mishap::Failed);
            return None;
        }
        (Policy::Use, Some(Header { told: Some(Told { source, destination }), .. })) => {
            (peer, local) = (source, destination);
            if !seat.give_to(source.ip()) {
                return None;
            }
        }
        _ => {}
    }
    Some(Accepted { stream: Rewound::new(before, stream), peer, local, seat, stop })
}

/// The header, if one comes, and what came behind it.
async fn header(accepted: &mut Accepted, timeouts: Timeouts) -> Option<(Option<Header>, Vec<u8>)> {
    let mut before = Vec::new();
    let mut until = Instant::now() + timeouts.idle;
    let mut stop = accepted.stop.clone();
    let mut is_stopping = false;
    loop {
        match read_header(&before) {
            Ok(Seen::Part) => {}
            Ok(Seen::Nothing) => return Some((None, before)),
            Ok(Seen::Header(header)) => return Some((Some(header), before.split_off(header.length))),
            Err(wrong) => {
                tracing::debug!("a connection from {} is closed: {wrong}", accepted.peer);
                accepted.seat.connections().note(Mishap::Failed);
                return None;
            }
        }
        let mut chunk = [0; CHUNK];
        tokio::select! {
            () = accepted.seat.cut() => return None,
            () = stop.stopped(), if !is_stopping => {
                is_stopping = true;
                until = until.min(Instant::now() + LAST_HEADER_WITHIN);
            }
            () = sleep_until(until) => {
                // who has said nothing was idle
                if !before.is_empty() {
                    accepted.seat.connections().note(Mishap::Failed);
                }
                return None;
            }
            read = accepted.stream.read(&mut chunk) => {
                let read = read.ok().filter(|read| *read > 0)?;
                if before.is_empty() {
                    until = until.min(Instant::now() + timeouts.read);
                }
                before.extend_from_slice(&chunk[..read]);
            }
        }
    }
}
