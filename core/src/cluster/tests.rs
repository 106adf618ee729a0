//! Scripts of inputs and expected outputs.

mod addresses;
mod brokers;
mod laws;
mod leaders;
mod refresh;
mod topics;
mod world;
