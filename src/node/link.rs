//! The interface and the addresses that pods ask, made so and kept so.
