//! In which order: load, observe, decide, commit, act. No rule lives here.
