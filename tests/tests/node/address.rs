//! Interface, addresses and lease: made, kept, found again, removed.
