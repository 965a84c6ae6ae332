//! The step of the chain: which section a name belongs to, and what becomes of its answer.

use contract::Plugin;

/// All private zones of a server block at work.
#[derive(Debug)]
pub(crate) struct PrivateZone;

impl Plugin for PrivateZone {
    fn name(&self) -> &'static str {
        "privatezone"
    }
}
