//! One [`Document`] model, rendered as text, Markdown and CSV; [`plot`]s as SVG; and all of it as one [`html`] page.
//!
//! A report is built once, out of headings, facts, tables of typed cells and notes. Each output form is one
//! function over that model, so that reports and forms stay independent of each other.
//!
//! Captures are hostile input, and so is every name in them. Whatever form is chosen, control characters,
//! terminal escapes and text-direction overrides come out as visible escapes, and a name's length is bounded.
#![forbid(unsafe_code)]

mod csv;
mod document;
pub mod escape;
pub mod html;
pub mod json;
pub mod junit;
mod markdown;
pub mod number;
pub mod plot;
mod sparkline;
mod table;
mod text;

pub use crate::csv::csv;
pub use document::{Block, Document, Fact, Note, Tone};
pub use markdown::markdown;
pub use table::{Cell, Column, Keep, Name, Row, Table};
pub use text::{TextStyle, text};
