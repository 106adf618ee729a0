//! The cluster machine through its wire: requests and responses of the generated types, no sockets, no clock.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod admin;
mod configs;
mod events;
mod every_version;
mod faults;
mod fetch;
mod framing;
mod groups;
mod lookups;
mod partitions;
mod produce;
mod refusals;
mod replication;
mod transactions;
mod wire;
