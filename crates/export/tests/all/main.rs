//! Tests of exports and imports through what the crate shows.

mod hlog;
mod hostile_import;
