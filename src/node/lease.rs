//! Who else serves this node: instances on the host's network see each other by abstract unix sockets.
//!
//! Such a socket belongs to a network namespace, so it is seen across pods of the host's network that share no directory, and the
//! kernel closes it with its process, however that ends. An instance holds the first free name of
//! `nearpath/<interface>/0` to `/15`. Whether a name is held is asked by sending it an empty datagram, which nobody reads: unlike by
//! binding no name is taken for a moment, which somebody else who leaves would see as an instance. Who leaves shuts the socket down
//! before it closes it: a program that is being started in that moment has a copy, and a socket that is shut down takes nothing.

use std::io;
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use contract::limits::LEASES_MAX;

/// The right to serve the node under one name, together with the others that hold one. It goes with its value, and with the process.
#[derive(Debug)]
pub struct Lease {
    name: String,
    number: usize,
    /// Held, never read; a few empty datagrams wait in it for ever.
    socket: UnixDatagram,
}

impl Lease {
    /// Takes the first free lease. `name` is the interface's, so that two installations on one node do not see each other.
    ///
    /// # Errors
    /// [`io::ErrorKind::QuotaExceeded`] if [`LEASES_MAX`] instances hold one; else what the kernel says to the socket.
    pub fn take(name: &str) -> io::Result<Self> {
        for number in 0..LEASES_MAX {
            match UnixDatagram::bind_addr(&address(name, number)?) {
                Ok(socket) => return Ok(Self { name: name.to_owned(), number, socket }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => (),
                Err(error) => return Err(error),
            }
        }
        let why = format!("{LEASES_MAX} instances serve {name} on this node already, and more are not allowed");
        Err(io::Error::new(io::ErrorKind::QuotaExceeded, why))
    }

    /// How many others hold one now.
    ///
    /// # Errors
    /// What the kernel says to a socket.
    pub fn others(&self) -> io::Result<usize> {
        held(&self.name, |number| number != self.number)
    }

    /// Gives it up, and then says whether nobody holds one any more. Of two that leave together at least one hears `true`, both may.
    ///
    /// # Errors
    /// What the kernel says to a socket; the lease is given up all the same.
    pub fn leave(self) -> io::Result<bool> {
        let name = self.name.clone();
        drop(self);
        nobody(&name)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // it cannot fail on a socket that is there, and if it did, closing would do the same a little later
        self.socket.shutdown(Shutdown::Both).ok();
    }
}

/// True if nobody serves the node under this name.
///
/// # Errors
/// What the kernel says to a socket.
pub fn nobody(name: &str) -> io::Result<bool> {
    Ok(held(name, |_| true)? == 0)
}

/// How many of the numbers asked for are held.
fn held(name: &str, asked: impl Fn(usize) -> bool) -> io::Result<usize> {
    let probe = UnixDatagram::unbound()?;
    probe.set_nonblocking(true)?;
    let mut count = 0;
    for number in (0..LEASES_MAX).filter(|number| asked(*number)) {
        match probe.connect_addr(&address(name, number)?).and_then(|()| probe.send(&[])) {
            // there is no such socket, or it is shut down. Whatever else is said is said of one that is there: that it is full, or by
            // a security module that it is none of our business.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::BrokenPipe) => (),
            _ => count += 1,
        }
    }
    Ok(count)
}

fn address(name: &str, number: usize) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("nearpath/{name}/{number}"))
}

#[cfg(test)]
mod tests;
