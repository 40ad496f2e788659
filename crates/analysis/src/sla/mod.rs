//! Whether what was promised was kept.

pub mod config;
mod parse;
pub mod quantity;
pub mod rule;

pub use rule::{Bound, Op, Rule, RuleError, Stat, Target};
