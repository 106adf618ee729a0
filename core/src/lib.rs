//! The deterministic state machines of a Kafka client: no I/O, no clock, no randomness of their own.
//!
//! # The contract of every machine
//!
//! A machine is a plain struct. Its methods come in four kinds:
//!
//! | kind | what it does |
//! |---|---|
//! | `handle_*(now, ..)` | takes one input from outside: bytes, a response, a lost connection, the passing of time |
//! | commands (verbs) | takes one wish of the application: append, assign, seek, flush |
//! | `poll_*() -> Option<_>` | hands out one output; call until it returns `None` |
//! | getters | read, never change |
//!
//! `poll_timeout()` is the next [`Instant`] at which `handle_timeout(now)` has something to do.
//!
//! The laws (checked for each machine by one shared harness):
//!
//! 1. Inputs may be batched: outputs may be drained after each input or after many.
//! 2. An early or repeated `handle_timeout` does nothing.
//! 3. After a drain at `now`, `poll_timeout()` lies after `now`: no machine asks to be called in a loop.
//! 4. Shifting every `Instant` by a constant changes nothing but the `Instant`s in the output.
//! 5. Any chunking of received bytes gives the same events.
//! 6. The same inputs give the same outputs.
//! 7. No input panics. Misuse by the caller is an error value; nonsense from a broker is
//!    [`Misbehaved`], and costs that connection, not the client.
//! 8. Terminal states absorb.
//! 9. Sizes return to their baseline when there is nothing to do.
//! 10. The work of one call is bounded.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "probes", feature = "planted-bugs"))]
extern crate std;

// First, for the macros.
#[macro_use]
pub mod planted;
#[macro_use]
pub mod probes;

pub mod admin;
mod backoff;
pub mod client;
pub mod cluster;
pub mod connection;
pub mod consumer;
mod entropy;
mod error;
pub mod group;
mod id;
#[cfg(test)]
mod laws;
pub mod metrics;
pub mod producer;
mod request;
pub mod sasl;
pub mod socks;
#[cfg(all(test, any(feature = "probes", feature = "planted-bugs")))]
mod sources;
mod time;
mod timers;
mod token;
pub mod transaction;
mod whereabouts;

pub use backoff::Backoff;
pub use entropy::Entropy;
pub use error::{Effect, Misbehaved};
pub use id::{BrokerId, ConnectionId, ConsumerId, OperationId, PartitionIndex, ProducerHandle};
pub use request::{Outgoing, Purpose, Request, Target};
pub use time::{Instant, WallTime};
pub use timers::{Deadlines, earliest};
pub use token::Token;
