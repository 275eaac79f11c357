//! Logging: JSON lines on stdout, with the chatter of the old Azure crates capped.
