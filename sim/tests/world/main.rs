//! The world: determinism, faults of the network, processes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod round_trip;
