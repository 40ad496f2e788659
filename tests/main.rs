//! Tests of the product as a whole, through its real binary.

mod browser;
mod cli;
mod crash_recovery;
mod format_compat;
mod fuzz_corpus;
mod plain_decoder;
mod simulated;
mod tidy;
