//! What only all server blocks together tell of private zones: one that is never asked, and one that hides the cluster's own.

use contract::corefile::{Corefile, Report};

/// Warns of private zones that other blocks take the names of, or that take those of the cluster.
pub fn check_blocks(_corefile: &Corefile, _report: &mut Report) {}
