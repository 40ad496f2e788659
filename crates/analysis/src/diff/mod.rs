//! Whether one build is slower than another, by captures of both.
//!
//! The way of an answer: [`summarise`] cuts each capture into slices of time; [`compare`] judges the slices of two sides. What
//! it judges by depends on how many captures there are: [`bootstrap`] for one a side, [`permute`] for many, a prediction
//! interval for one against a history. [`calibrate`] learns how captures of one build differ.

pub mod bootstrap;
pub mod counts;
pub mod measure;
pub mod permute;
pub mod random;
mod scan;
pub mod student;
pub mod summary;
pub mod within;

pub use scan::summarise;
