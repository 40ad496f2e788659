//! Tests of the whole crate through its public face, on captures made here.

mod edge;
mod files;
mod hostile;
mod oracle;
mod parts;
mod plot;
mod sla;
mod sla_oracle;
mod sla_sampled;
mod sla_traces;
mod traces;
mod traces_explicit;
mod traces_extreme;
mod traces_world;
mod verify;
mod world;
