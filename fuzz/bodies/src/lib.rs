//! What the fuzz targets do with an input. The tests run each body over its seeds and over damaged copies of them, so
//! that a finding stays found on any machine and any toolchain.
#![expect(clippy::panic, reason = "a panic is how a body says that it found something")]

pub mod allocation;
pub mod broker;
pub mod codecs;
pub mod connection;
pub mod consumer;
pub mod messages;
pub mod records;
pub mod sasl;
pub mod seeds;

/// A fuzz target: its name and its body.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is that of its seeds too.
    pub name: &'static str,
    /// What it does with an input. It panics when something is wrong.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "broker", run: broker::run },
    Target { name: "codecs", run: codecs::run },
    Target { name: "connection", run: connection::run },
    Target { name: "consumer", run: consumer::run },
    Target { name: "messages", run: messages::run },
    Target { name: "records", run: records::run },
    Target { name: "sasl", run: sasl::run },
];

#[cfg(test)]
mod tests;
