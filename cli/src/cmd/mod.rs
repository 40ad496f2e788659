//! The commands, one file each: what they take, and what they do.

pub(crate) mod attach;
pub(crate) mod calibrate;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod man;
pub(crate) mod plot;
pub(crate) mod recover;
pub(crate) mod report;
pub(crate) mod sla;
pub(crate) mod traces;
pub(crate) mod verify;
