//! The #[measure] attribute of perf-probe.
