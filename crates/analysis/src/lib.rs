//! Captures in, plain structs out.
