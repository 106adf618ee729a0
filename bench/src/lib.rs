//! Benchmarks of Klamm: the work that is measured, as plain functions. How it is measured lies in `src/bin` and
//! `benches`; see `README.md`.

pub mod assignors;
pub mod client;
pub mod contract;
pub mod counting;
pub mod fetching;
pub mod instructions;
pub mod memory;
pub mod messages;
pub mod records;
