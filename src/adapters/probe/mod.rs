//! Probes: one attempt to reach one account; failure is a value.
