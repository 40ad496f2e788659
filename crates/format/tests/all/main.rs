//! The format from outside: what was written comes back, and no bytes do harm.

mod annotations;
mod cpu;
mod damage;
mod extra;
mod hostile;
mod parts;
mod pread;
mod rollups;
mod round_trip;
mod sample;
mod stream;
