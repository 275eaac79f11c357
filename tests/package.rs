//! `package` as people run it: what is in the folder and the archive, what is refused, what is warned of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "package/contents.rs"]
mod contents;
#[path = "package/elf.rs"]
mod elf;
#[path = "package/libc.rs"]
mod libc;
#[path = "package/mark.rs"]
mod mark;
#[path = "package/place.rs"]
mod place;
#[path = "support/program.rs"]
mod program;
#[path = "package/workshop.rs"]
mod workshop;
