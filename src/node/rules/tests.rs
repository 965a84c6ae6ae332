//! The rules as they are written, without a kernel.
