//! What the scenarios of `tests/` are made of: clusters, adapters, and hostile peers.

pub mod adapters;
pub mod client;
pub mod cluster;
mod embedded;
pub mod hostile;
pub mod input;
pub mod librdkafka;
pub mod members;
pub mod oauth;
pub mod program;
pub mod real;
pub mod relay;
pub mod running;
pub mod scenario;
pub mod security;
pub mod transactions;
pub mod wire;

/// The result of a step of a scenario: any error ends the scenario, with its text.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The programs in README.md compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
