//! Datagrams: a thread per core, each with its own socket of every address, so that threads share nothing on the way of a
//! hit.
//!
//! ```text
//!   UdpSockets::bind (a socket per thread) --serve--> Worker: Batch --Desk--> replies at once
//!                                                                  \--miss--> Late, on the runtime
//! ```

mod batch;
mod counters;
mod late;
mod pulse;
mod roster;
#[cfg(test)]
mod tests;
mod worker;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use contract::limits::RECEIVE_BUFFER;
use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::runtime::Handle;

use self::batch::Lane;
use self::counters::Counters;
pub use self::counters::UdpCounts;
use self::late::Late;
pub use self::pulse::HIT_SECONDS;
use self::pulse::{HitTimes, Pulse};
use self::roster::Placed;
pub use self::roster::{Roster, Sight};
use self::worker::{Command, Listen, Station, Worker};
use super::{Door, sockets};

/// How long a worker may take to answer what a socket of `limits::RECEIVE_BUFFER` has queued.
const RETIRE_WITHIN: Duration = Duration::from_secs(5);

/// The sockets of one address, at least one for each thread, bound and not yet served. Questions queue from here on.
#[derive(Debug)]
pub struct UdpSockets {
    sockets: Vec<UdpSocket>,
    added: Added,
}

/// An address that is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Added {
    /// The address, with the port that the system chose if 0 was asked.
    pub local: SocketAddr,
    /// The receive buffer of each socket, octets; less than was asked for if the system bounds it
    /// (`net.core.rmem_max`) and the daemon may not pass the bound (`CAP_NET_ADMIN`).
    pub receive_buffer: usize,
}

impl UdpSockets {
    /// Binds `count` sockets to the same address, at least one.
    ///
    /// # Errors
    /// What the system says, most often that the address is in use or not ours. Then no socket stays bound.
    pub fn bind(address: SocketAddr, count: usize) -> io::Result<Self> {
        let first = sockets::datagram(address)?;
        let local = first.local_addr()?;
        let mut sockets = vec![first];
        for _ in 1..count {
            sockets.push(sockets::datagram(local)?);
        }
        let receive_buffer = receive_buffers(&sockets, RECEIVE_BUFFER)?;
        Ok(Self { sockets, added: Added { local, receive_buffer } })
    }

    /// Makes the receive buffer of each socket so large at most, octets: what is queued counts against a limit of memory.
    ///
    /// # Errors
    /// What the system says.
    pub fn bound_receive_buffers(&mut self, octets: usize) -> io::Result<()> {
        if octets < self.added.receive_buffer {
            self.added.receive_buffer = receive_buffers(&self.sockets, octets)?;
        }
        Ok(())
    }

    /// How many sockets there are.
    pub fn count(&self) -> usize {
        self.sockets.len()
    }

    /// What was got.
    pub fn added(&self) -> Added {
        self.added
    }
}

/// Asks for a receive buffer of so many octets for each socket, and says what the one with the least has got.
fn receive_buffers(sockets: &[UdpSocket], octets: usize) -> io::Result<usize> {
    sockets.iter().try_fold(usize::MAX, |least, socket| Ok(least.min(sockets::set_receive_buffer(socket, octets)?)))
}

/// The threads that answer datagrams. Dropped, they answer what is queued and end; [`UdpWorkers::drain`] waits for the
/// misses too.
#[derive(Debug)]
pub struct UdpWorkers {
    threads: Vec<Thread>,
    runtime: Handle,
    /// The numbers that the sockets of each address have.
    served: Vec<(Range<u64>, SocketAddr)>,
    /// The sockets of each worker, for whoever looks at whether they are read.
    placed: Arc<Mutex<Vec<Placed>>>,
    next_number: u64,
    under_way: tokio::sync::mpsc::Sender<()>,
    all_answered: tokio::sync::mpsc::Receiver<()>,
}

#[derive(Debug)]
struct Thread {
    commands: mpsc::Sender<Command>,
    wake: Arc<EventFd>,
    own: Arc<Counters>,
    late: Arc<Counters>,
    hits: Arc<HitTimes>,
    handle: Option<JoinHandle<()>>,
}

impl UdpWorkers {
    /// Starts `threads` threads, at least one, that serve nothing yet. Misses run on `runtime`, which needs its timers.
    ///
    /// # Errors
    /// The system has no more threads or descriptors.
    pub fn start(threads: usize, runtime: Handle) -> io::Result<Self> {
        let (under_way, all_answered) = tokio::sync::mpsc::channel(1);
        let threads = (0..threads.max(1)).map(Thread::start).collect::<io::Result<_>>()?;
        let placed = Arc::default();
        Ok(Self { threads, runtime, served: Vec::new(), placed, next_number: 0, under_way, all_answered })
    }

    /// How many threads there are: so many sockets to bind for each address, or more.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Serves bound sockets, by turns if there are more than threads. The same address may be served twice, during a reload.
    ///
    /// # Errors
    /// There are fewer sockets than threads, or a thread is gone.
    pub fn serve<D: Door>(&mut self, sockets: UdpSockets, door: &Arc<D>) -> io::Result<Added> {
        let UdpSockets { sockets, added } = sockets;
        if sockets.len() < self.threads.len() {
            let counts = format!("{} sockets for {} threads", sockets.len(), self.threads.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, counts));
        }
        let first = self.next_number;
        self.next_number += sockets.len().div_ceil(self.threads.len()) as u64;
        for (index, socket) in sockets.into_iter().enumerate() {
            let worker = index % self.threads.len();
            let (thread, number) = (&self.threads[worker], first + (index / self.threads.len()) as u64);
            let (door, socket, local) = (Arc::clone(door), Arc::new(socket), added.local);
            self.note(worker, local, &socket);
            let (counters, under_way) = (Arc::clone(&thread.late), self.under_way.clone());
            let hits = Arc::clone(&thread.hits);
            let late = Late::start(&self.runtime, counters, under_way);
            thread.tell(Command::Serve(
                number,
                Box::new(move || -> Box<dyn Listen> {
                    let (desk, lane) = (door.desk_of_worker(worker), Lane::new(local));
                    Box::new(Station { socket, local, lane, desk, late, pulse: Pulse::default(), hits })
                }),
            ))?;
        }
        self.served.push((first..self.next_number, added.local));
        Ok(added)
    }

    /// Notes which socket is whose; it is forgotten when it has closed.
    fn note(&self, worker: usize, local: SocketAddr, socket: &Arc<UdpSocket>) {
        let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        placed.retain(|placed| placed.socket.strong_count() > 0);
        placed.push(Placed { worker, local, socket: Arc::downgrade(socket) });
    }

    /// A view of the workers' progress that outlives them.
    pub fn roster(&self) -> Roster {
        let progress = self.threads.iter().map(|thread| Arc::clone(&thread.own)).collect();
        Roster::new(progress, Arc::clone(&self.placed))
    }

    /// Binds and serves.
    ///
    /// # Errors
    /// As [`UdpSockets::bind`] and [`UdpWorkers::serve`].
    pub fn add<D: Door>(&mut self, address: SocketAddr, door: &Arc<D>) -> io::Result<Added> {
        self.serve(UdpSockets::bind(address, self.threads.len())?, door)
    }

    /// Stops serving an address, the one served longest if it is served twice: new questions go to other sockets of the
    /// address, what is queued is answered, then the sockets close. Misses under way are still answered. Waits for the
    /// threads, some milliseconds: not for the inside of a task.
    ///
    /// # Errors
    /// The address (as [`Added::local`] says it) is not served, or a thread is gone or does not get done.
    pub fn remove(&mut self, address: SocketAddr) -> io::Result<()> {
        self.retire(address, self.served.iter().position(|(_, local)| *local == address))
    }

    /// As [`UdpWorkers::remove`], of an address that is served twice the one served last: it is taken back.
    ///
    /// # Errors
    /// As there.
    pub fn take_back(&mut self, address: SocketAddr) -> io::Result<()> {
        self.retire(address, self.served.iter().rposition(|(_, local)| *local == address))
    }

    fn retire(&mut self, address: SocketAddr, position: Option<usize>) -> io::Result<()> {
        let position =
            position.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{address} is not served")))?;
        let (numbers, _) = self.served.remove(position);
        let (done, all_done) = mpsc::channel();
        for number in numbers {
            for thread in &self.threads {
                thread.tell(Command::Retire(number, done.clone()))?;
            }
        }
        drop(done);
        match all_done.recv_timeout(RETIRE_WITHIN) {
            Err(mpsc::RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => Ok(()),
        }
    }

    /// Stops serving: as [`UdpWorkers::remove`] for all addresses, then the threads end, then misses under way have until
    /// `within` from now to be answered. True if all were.
    pub async fn drain(mut self, within: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + within;
        let threads = std::mem::take(&mut self.threads);
        // Dropping joins the threads.
        let ended = self.runtime.spawn_blocking(move || drop(threads));
        if tokio::time::timeout_at(deadline, ended).await.is_err() {
            return false;
        }
        let Self { mut all_answered, under_way, .. } = self;
        drop(under_way);
        // Nobody ever sends; the end comes when the last miss drops its sender.
        tokio::time::timeout_at(deadline, all_answered.recv()).await.is_ok()
    }

    /// The sum of what all workers counted, misses included.
    pub fn counts(&self) -> UdpCounts {
        self.meter().counts()
    }

    /// What each worker counted, its misses included.
    pub fn counts_by_worker(&self) -> Vec<UdpCounts> {
        self.threads.iter().map(|thread| thread.own.counts().plus(thread.late.counts())).collect()
    }

    /// A reader of the counts that outlives the workers.
    pub fn meter(&self) -> UdpMeter {
        UdpMeter {
            counters: self.threads.iter().flat_map(|thread| [&thread.own, &thread.late]).cloned().collect(),
            hits: self.threads.iter().map(|thread| Arc::clone(&thread.hits)).collect(),
        }
    }
}

/// Reads what workers count.
#[derive(Debug)]
pub struct UdpMeter {
    counters: Vec<Arc<Counters>>,
    hits: Vec<Arc<HitTimes>>,
}

impl UdpMeter {
    /// The sum of all workers, misses included.
    pub fn counts(&self) -> UdpCounts {
        self.counters.iter().map(|counters| counters.counts()).fold(UdpCounts::default(), UdpCounts::plus)
    }

    /// What hits took that were measured: how many by [`HIT_SECONDS`], and nanoseconds together.
    pub fn hits(&self) -> (Vec<u64>, u64) {
        let (mut counts, mut nanoseconds) = (vec![0; HIT_SECONDS.len() + 1], 0);
        self.hits.iter().for_each(|hits| hits.add_to(&mut counts, &mut nanoseconds));
        (counts, nanoseconds)
    }
}

impl Thread {
    fn start(index: usize) -> io::Result<Self> {
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let (commands, queue) = mpsc::channel();
        let (own, late, hits) = (Arc::<Counters>::default(), Arc::default(), Arc::default());
        let worker_parts = (Arc::clone(&wake), Arc::clone(&own));
        let handle = std::thread::Builder::new().name(format!("nearpath-udp-{index}")).spawn(move || {
            let (wake, counters) = worker_parts;
            match Worker::new(wake, queue, counters) {
                Ok(worker) => worker.run(),
                Err(error) => tracing::error!(%error, "a thread for datagrams cannot wait for sockets and ends"),
            }
        })?;
        Ok(Self { commands, wake, own, late, hits, handle: Some(handle) })
    }

    fn tell(&self, command: Command) -> io::Result<()> {
        self.commands.send(command).map_err(|_| io::Error::other("a thread for datagrams has ended"))?;
        self.wake.write(1)?;
        Ok(())
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // A thread that is gone already has nothing to be told.
        let _ = self.tell(Command::Stop);
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}
