//! What the workers count. Each thread writes its own cache lines and nobody else's; whoever asks adds them up.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counts of one worker, or the sum of several. Each only grows.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct UdpCounts {
    /// Datagrams received.
    pub received: u64,
    /// Replies given to the kernel.
    pub sent: u64,
    /// Replies that the kernel did not take.
    pub unsent: u64,
    /// Calls that received at least one datagram.
    pub batches: u64,
    /// Datagrams that get no reply on purpose.
    pub silent: u64,
    /// Datagrams whose answering panicked: they get SERVFAIL, which counts as sent too.
    pub panicked: u64,
}

impl UdpCounts {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            sent: self.sent + other.sent,
            unsent: self.unsent + other.unsent,
            batches: self.batches + other.batches,
            silent: self.silent + other.silent,
            panicked: self.panicked + other.panicked,
        }
    }
}

/// Counters on cache lines of their own; two lines, because processors fetch pairs.
#[derive(Default, Debug)]
#[repr(align(128))]
pub(super) struct Counters {
    received: AtomicU64,
    sent: AtomicU64,
    unsent: AtomicU64,
    batches: AtomicU64,
    silent: AtomicU64,
    panicked: AtomicU64,
}

impl Counters {
    /// Adds, by the one thread that owns them: no locked instruction.
    pub(super) fn add_as_owner(&self, more: UdpCounts) {
        self.each(more, |counter, by| counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed));
    }

    /// Adds, by anybody.
    pub(super) fn add(&self, more: UdpCounts) {
        self.each(more, |counter, by| {
            counter.fetch_add(by, Ordering::Relaxed);
        });
    }

    fn each(&self, more: UdpCounts, add: impl Fn(&AtomicU64, u64)) {
        let UdpCounts { received, sent, unsent, batches, silent, panicked } = more;
        let pairs = [
            (&self.received, received),
            (&self.sent, sent),
            (&self.unsent, unsent),
            (&self.batches, batches),
            (&self.silent, silent),
            (&self.panicked, panicked),
        ];
        for (counter, by) in pairs.into_iter().filter(|&(_, by)| by > 0) {
            add(counter, by);
        }
    }

    pub(super) fn counts(&self) -> UdpCounts {
        UdpCounts {
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            unsent: self.unsent.load(Ordering::Relaxed),
            batches: self.batches.load(Ordering::Relaxed),
            silent: self.silent.load(Ordering::Relaxed),
            panicked: self.panicked.load(Ordering::Relaxed),
        }
    }
}
