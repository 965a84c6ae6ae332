//! Metrics of both after the same questions: the same names, labels and counts for what both have.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::fragment::Fragment;
use super::run::Outcome;

/// Compares two pages.
pub(crate) fn compare(_fragment: &Fragment, _pages: &[(String, SocketAddr); 2], _known: &BTreeSet<&str>, _outcome: &mut Outcome) {}
