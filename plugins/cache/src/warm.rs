//! The hot part of the store as octets that outlive the process: keyed by what a block answers and what a search list holds,
//! because numbers are given anew by each process.
//!
//! ```text
//!   magic, version, checksum | when | fingerprints of blocks | search lists | answers: block, list, question, ages, message
//! ```
//!
//! Integers are big-endian. Times left are those of the moment of writing; whoever reads takes off what has passed since.

mod octets;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Kept, Unusable, Warm};
pub use write::{Names, write};

/// When something was written, on every clock that outlives the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds since 1970.
    pub wall: u64,
    /// Which boot of the machine; zero if unknown.
    pub boot: u128,
    /// Milliseconds since that boot.
    pub up: u64,
}

impl Stamp {
    /// Milliseconds from an earlier stamp to this one: the longer by the two clocks, so that nothing lives too long where one
    /// of them was set. `None` if no clock can tell: another boot, and a wall clock that was set back.
    pub fn since(&self, earlier: &Self) -> Option<u64> {
        let same_boot = self.boot == earlier.boot && self.boot != 0;
        let up = self.up.checked_sub(earlier.up).filter(|_| same_boot);
        up.max(self.wall.checked_sub(earlier.wall))
    }
}

/// How every such piece begins.
const MAGIC: &[u8; 8] = b"nearpath";
/// The form of what follows; another one is not read.
const VERSION: u32 = 1;
/// Octets before what the checksum covers.
pub const HEAD: usize = MAGIC.len() + 4 + 8;

/// Puts the head before a body. For tests and fuzzers too: a body of any octets comes through to the reader by it.
pub fn seal(body: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(HEAD + body.len());
    sealed.extend_from_slice(MAGIC);
    sealed.extend(VERSION.to_be_bytes());
    sealed.extend(checksum(body).to_be_bytes());
    sealed.extend_from_slice(body);
    sealed
}

/// Against damage, not against forgery. Eight octets at a step.
fn checksum(body: &[u8]) -> u64 {
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let (words, rest) = body.as_chunks::<8>();
    let sum = words.iter().fold(body.len() as u64, |sum, word| mix(sum, u64::from_be_bytes(*word)));
    rest.iter().fold(sum, |sum, &octet| mix(sum, octet.into()))
}
