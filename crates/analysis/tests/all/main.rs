//! Tests of the whole crate through its public face, on captures made here.

mod edge;
mod files;
mod hostile;
mod oracle;
mod sla;
mod sla_oracle;
mod verify;
mod world;
