//! Asks over a connection that is kept, one question after another, and anew where the server has closed it.

use std::io;
use std::time::Duration;

use super::STREAMS;
use super::ledger::{Ledger, Way};
use super::sender::Stream;

/// Asks until the ledger says that it is enough. A client that waits for an answer asks nothing meanwhile.
pub(super) fn run(ledger: &Ledger) {
    ledger.place.entrance.enter();
    let between = Duration::from_secs(1) / (ledger.place.rate / STREAMS).max(1);
    let target = ledger.place.targets[0];
    let mut kept: Option<Stream> = None;
    while !ledger.is_stopping() {
        let index = ledger.opens(Way::Kept);
        match asks(ledger, index, &mut kept, target) {
            Ok(reply) => ledger.hears(index, &reply),
            Err(error) => {
                kept = None;
                ledger.fails(index, format!("kept TCP: {}", error.kind()));
            }
        }
        std::thread::sleep(between);
    }
}

/// Asks over the kept connection; if it closes under the question, once more over a new one.
fn asks(ledger: &Ledger, index: u32, kept: &mut Option<Stream>, target: std::net::SocketAddr) -> io::Result<Vec<u8>> {
    let wire = ledger.asker.wire(index);
    if let Some(mut stream) = kept.take().filter(|stream| !stream.is_closed()) {
        match stream.asks(&wire) {
            Ok(reply) => {
                *kept = Some(stream);
                return Ok(reply);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
            Err(_) => ledger.notes().cut += 1,
        }
    }
    let mut stream = Stream::connect(target)?;
    let reply = stream.asks(&wire)?;
    *kept = Some(stream);
    Ok(reply)
}
