//! What things are: the nouns of every floor. No clock, no IO, no rules.
//!
//! | looking for | file |
//! | --- | --- |
//! | groups, sites, accounts as configured | `spec` |
//! | the numbers a group is judged by | `policy` |
//! | what one probe brought | `sample` |
//! | what all rounds so far amount to | `evidence` |
//! | what is recorded of a group | `state`, `moves` |
//! | what a person asked for, what an alert said | `order`, `signal` |
//! | why a move is not made | `hold` |
//! | what happened | `history` |
//! | what a lookup hands out | `answer` |

pub mod answer;
pub mod evidence;
pub mod history;
pub mod hold;
pub mod moves;
pub mod name;
pub mod order;
pub mod policy;
pub mod sample;
pub mod signal;
pub mod spec;
pub mod state;
pub mod verdict;
