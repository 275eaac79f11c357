//! What should happen: total, deterministic, silent.
