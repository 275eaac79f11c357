//! What things are: the nouns of every floor. No clock, no IO, no rules.
//!
//! | looking for | file |
//! | --- | --- |
//! | groups, sites, accounts as configured | `spec`, `media` |
//! | the numbers a group is judged by | `policy` |
//! | what one probe brought | `sample` |
//! | what all rounds so far amount to | `evidence` |
//! | what is recorded of a group | `state`, `moves` |
//! | what a person asked for, what an alert said | `order`, `alert`, `signal` |
//! | why a move is not made | `hold` |
//! | which section of the runbook tells of what | `runbook` |
//! | what happened | `history` |
//! | what a process is started with | `deployment`, `secret` |
//! | what a lookup hands out | `answer` |
//! | Azure's regions by their two names | `region` |
//! | how people read it | `words` |

pub mod alert;
pub mod answer;
pub mod deployment;
pub mod evidence;
pub mod history;
pub mod hold;
pub mod media;
pub mod moves;
pub mod name;
pub mod order;
pub mod policy;
pub mod region;
pub mod runbook;
pub mod sample;
pub mod secret;
pub mod signal;
pub mod spec;
pub mod state;
pub mod verdict;
pub mod words;
