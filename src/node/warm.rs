//! What was asked a moment ago, kept over a restart.
