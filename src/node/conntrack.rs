//! The kernel's connection tracking: entries that would hide the rules are removed, and translated ones tell who is behind a Service's address.
