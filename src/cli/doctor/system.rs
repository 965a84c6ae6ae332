//! What the kernel and files of the system say, read without changing anything.

pub(super) mod diag;
pub(super) mod owners;
pub(super) mod process_limits;
pub(super) mod resolv_conf;
pub(super) mod sockets;
