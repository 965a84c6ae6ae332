//! Whether every thread that answers makes progress, seen from inside.
