//! Benchmarks of Klamm.
