//! Tests of the product as a whole, through its real binary.

mod cli;
mod fuzz_corpus;
mod tidy;
