//! Interface, addresses and lease of the whole daemon: made, kept, found again, removed. Each by itself is tested beside its code, in
//! `src/node/`, in networks of the tests' own too.
