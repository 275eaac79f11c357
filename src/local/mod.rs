//! The whole app on one machine, without Azure.
