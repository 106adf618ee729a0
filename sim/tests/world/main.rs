//! The world: determinism, faults of the network, processes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod bench;
mod buffers;
mod cancelled;
mod clocks;
mod connecting;
mod exactly_once;
mod interleavings;
mod jitter;
mod links;
mod members;
mod processes;
mod round_trip;
mod stuck;
