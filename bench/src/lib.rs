//! Benchmarks of Klamm: the work that is measured, as plain functions. How it is measured lies in `src/bin` and
//! `benches`; see `README.md`.

pub mod contract;
pub mod instructions;
pub mod records;
