//! Captures out to where others read them, and the traces of others in.
//!
//! [`export()`] writes the tables that [`table`] describes as Parquet, Arrow, CSV or NDJSON: one pass over the records, on
//! all cores, whose bytes do not depend on their number. [`export_single`] writes the one file that a trace viewer or a
//! histogram tool reads; [`import()`] makes a capture of one.
#![forbid(unsafe_code)]

mod about;
mod batch;
mod bins;
mod column;
mod dictionary;
mod error;
mod file;
mod form;
mod frame;
mod gather;
mod hlog;
mod import;
mod options;
mod otlp;
mod parquet_form;
mod perfetto;
mod pipeline;
mod place;
mod run;
mod single;
pub mod table;
mod text_form;
mod traces;
mod violations;

pub use error::Error;
pub use import::{HIGH_HALF, Imported, import};
pub use options::{Digits, Form, Options, Output, PartitionKey};
pub use run::{Exported, WrittenTable, export};
pub use single::{Single, SingleExported, SingleOptions, export_single};
pub use violations::violations;
