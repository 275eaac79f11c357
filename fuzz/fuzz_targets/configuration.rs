//! The subject `configuration` in libFuzzer's hands; `tests/bad_input/subjects` says what is read and what must hold of it.
#![no_main]

#[path = "../../tests/bad_input/subjects/mod.rs"]
mod subjects;

libfuzzer_sys::fuzz_target!(init: subjects::write_seeds("configuration"), |data: &[u8]| subjects::configuration(data));
