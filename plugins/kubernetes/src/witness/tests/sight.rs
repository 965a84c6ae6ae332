//! Without sight, and with it again.

use std::io;

use tokio::sync::mpsc::channel;
use tokio::time::Instant;

use super::super::event::Testimony;
use super::super::netlink::{Lost, Socket, follow};
use super::super::watch;

#[tokio::test(start_paused = true)]
async fn blindness_is_said_once_and_tried_again_at_growing_pauses() {
    let (into, mut out) = channel(1);
    let attempts = std::cell::RefCell::new(Vec::new());
    let open = || {
        attempts.borrow_mut().push(Instant::now());
        Err::<Socket, _>(Lost::from(io::Error::from(io::ErrorKind::PermissionDenied)))
    };
    tokio::select! {
        () = follow(open, into) => unreachable!("somebody listens"),
        () = async {
            let first = out.recv().await.unwrap();
            assert!(matches!(&first, Testimony::Blind { reason } if reason.contains("permission denied")), "{first:?}");
            tokio::time::sleep(std::time::Duration::from_secs(600)).await;
        } => (),
    }
    assert!(out.try_recv().is_err(), "once is enough");
    let attempts = attempts.into_inner();
    let pauses: Vec<_> = attempts.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert!(pauses.is_sorted() && pauses[0] == 0 && *pauses.last().unwrap() == 60, "{pauses:?}");
}

#[tokio::test]
async fn nobody_listening_ends_it() {
    let (into, out) = channel(1);
    drop(out);
    tokio::time::timeout(std::time::Duration::from_secs(20), watch(into)).await.expect("it ends");
}
