//! A stand-in for the parts of Azure that Understudy uses, over real HTTP.
