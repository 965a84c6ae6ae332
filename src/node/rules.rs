//! The rules of the node and the kernel's failsafe.
