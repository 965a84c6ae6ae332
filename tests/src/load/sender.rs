//! Sends on schedule, whatever comes back.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::STREAMS;
use super::ledger::{Ledger, TIMEOUT, Way};
use super::udp::Sockets;

/// A thread that waits for one reply needs little.
const STACK: usize = 256 << 10;

/// What is later than this, because the machine was busy elsewhere, is not asked.
const LATE: Duration = Duration::from_millis(20);

/// Asks until the ledger says that it is enough.
pub(super) fn run(ledger: &Arc<Ledger>, sockets: &Arc<Sockets>) {
    ledger.place.entrance.enter();
    // the kept connection asks the rest
    let rate = ledger.place.rate - ledger.place.rate / STREAMS;
    let between = Duration::from_secs(1) / rate.max(1);
    let mut number = 0u32;
    while !ledger.is_stopping() {
        let due = between * number;
        let now = ledger.now();
        if due > now {
            std::thread::sleep(due - now);
        } else if now - due > LATE {
            // what was not asked in its time is left out: asked all at once it would be another load
            let missed = (now - due).as_nanos() / between.as_nanos();
            let missed = u32::try_from(missed).expect("a pause is short");
            ledger.notes().skipped += missed;
            number += missed;
            continue;
        }
        let target = ledger.place.targets[number as usize / 2 % ledger.place.targets.len()];
        match number {
            _ if number % STREAMS == 7 => connection(ledger, target),
            _ if number.is_multiple_of(2) => sockets.asks_from_fixed(ledger, target, number),
            _ => sockets.asks_from_fresh(ledger, target),
        }
        number += 1;
    }
}

/// Asks over a connection of its own, in a thread of its own, so that nothing else waits.
fn connection(ledger: &Arc<Ledger>, target: SocketAddr) {
    let index = ledger.opens(Way::Connection);
    let ledger = Arc::clone(ledger);
    let work = move || {
        let wire = ledger.asker.wire(index);
        match Stream::connect(target).and_then(|mut stream| stream.asks(&wire)) {
            Ok(reply) => ledger.hears(index, &reply),
            Err(error) => ledger.fails(index, format!("TCP: {}", error.kind())),
        }
    };
    // a thread is in the network of the one that starts it
    std::thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread can be started");
}

/// A connection of a client.
#[derive(Debug)]
pub(super) struct Stream(TcpStream);

impl Stream {
    pub(super) fn connect(target: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&target, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self(stream))
    }

    /// Asks and waits for the message that comes back.
    pub(super) fn asks(&mut self, wire: &[u8]) -> io::Result<Vec<u8>> {
        let length = u16::try_from(wire.len()).expect("a question is short");
        self.0.write_all(&[&length.to_be_bytes(), wire].concat())?;
        let mut length = [0; 2];
        self.0.read_exact(&mut length)?;
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut reply)?;
        Ok(reply)
    }

    /// True if the server has closed it.
    pub(super) fn is_closed(&self) -> bool {
        self.0.set_nonblocking(true).expect("a TCP socket");
        let peeked = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false).expect("a TCP socket");
        !peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}
