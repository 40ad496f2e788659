//! Captures out to where others read them, and the traces of others in.
//!
//! [`export()`] writes the tables that [`table`] describes as Parquet, Arrow, CSV or NDJSON: one pass over the records, on
//! all cores, whose bytes do not depend on their number.
#![forbid(unsafe_code)]

mod about;
mod batch;
mod bins;
mod dictionary;
mod error;
mod file;
mod form;
mod frame;
mod gather;
mod options;
mod parquet_form;
mod pipeline;
mod place;
mod run;
pub mod table;
mod text_form;
mod traces;

pub use error::Error;
pub use options::{Digits, Form, Options, Output, PartitionKey};
pub use run::{Exported, WrittenTable, export};
