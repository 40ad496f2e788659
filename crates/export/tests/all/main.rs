//! Tests of exports and imports through what the crate shows.

mod hostile_import;
