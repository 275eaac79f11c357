//! Azure as an API: identity, tokens, ARM.
