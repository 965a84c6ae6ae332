//! The daemon's own watch over itself: hung threads, memory, warm starts, ports that are shared.
