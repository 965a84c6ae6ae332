//! How much memory there may be, and what is done before it is used up.
