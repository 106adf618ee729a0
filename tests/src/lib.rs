//! What the scenarios of `tests/` are made of: clusters, adapters, and hostile peers.

pub mod client;
pub mod hostile;
pub mod input;
pub mod program;
pub mod real;

/// The result of a step of a scenario: any error ends the scenario, with its text.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
