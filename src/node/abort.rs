//! How the process ends when it must end at once: without a core file, which would keep its sockets open while it is written.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The least bound that switches core dumps off: with it a file would be too short to be written, and the kernel starts no
/// program that takes one either, which it does at 0 (core(5), `/proc/sys/kernel/core_pattern`).
const NO_CORE: u64 = 1;

/// Switches core dumps off, for as long as nobody raises the bound again (`prlimit --core`).
pub fn without_core_dumps() {
    let off = |(_, hard): (u64, u64)| setrlimit(Resource::RLIMIT_CORE, NO_CORE.min(hard), hard);
    if let Err(error) = getrlimit(Resource::RLIMIT_CORE).and_then(off) {
        tracing::debug!(%error, "core dumps cannot be switched off");
    }
}
