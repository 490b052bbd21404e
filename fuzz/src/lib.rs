//! What the fuzz targets do with a file: everything that the program does with one. `tests/fuzz_corpus.rs` does the same with the files of
//! `corpus/`, so that this is compiled and run without a fuzzer, too.

pub mod mutation;
pub mod targets;
