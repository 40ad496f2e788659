//! Whether one build is slower than another, by captures of both.
//!
//! The way of an answer: [`summarise`] cuts each capture into slices of time; [`compare`] judges the slices of two sides. What
//! it judges by depends on how many captures there are: [`bootstrap`] for one a side, [`permute`] for many, a prediction
//! interval for one against a history. [`calibrate`] learns how captures of one build differ.

pub mod bootstrap;
pub mod comparable;
mod compare;
pub mod counts;
pub mod curve;
mod explain;
pub mod interval;
pub mod measure;
mod noise;
mod options;
pub mod permute;
mod provisional;
pub mod random;
mod result;
mod row;
mod scan;
pub mod student;
pub mod summary;
#[cfg(test)]
mod testing;
mod weather;
pub mod within;

pub use crate::threads::with_threads;
pub use comparable::NotComparable;
pub use compare::{UnknownGate, compare};
pub use curve::Curves;
pub use measure::Measure;
pub use noise::{FigureNoise, MIN_RUNS, Noise, SCHEMA as NOISE_SCHEMA, calibrate};
pub use options::*;
pub use result::*;
pub use scan::summarise;
pub use summary::{SLICES, Series, SeriesKind, Summary};
