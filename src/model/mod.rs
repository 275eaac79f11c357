//! What things are: the nouns of every floor. No clock, no IO, no rules.
