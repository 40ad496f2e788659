//! The command line as its users meet it: the real binary on capture files made here.

mod attach;
pub(crate) mod captures;
mod damage;
pub(crate) mod diff;
mod export;
mod follow;
mod gates;
mod html;
mod import;
mod info;
mod output;
mod plot;
mod recover;
mod report;
pub(crate) mod run;
mod selection;
mod sla;
mod terminal;
mod traces;
