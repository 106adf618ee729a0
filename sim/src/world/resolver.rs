//! Names of hosts, and what is at an address.

use std::collections::BTreeMap;

/// An address that a name resolves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Endpoint {
    /// A broker listens there, if it is alive.
    Broker(i32),
    /// A machine that refuses connections.
    Refusing,
    /// No machine: connecting hangs.
    Nowhere,
}

/// What a name resolves to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// To these addresses, in this order; there may be none.
    To(Vec<Endpoint>),
    /// Resolution fails, with these words.
    Fails(String),
    /// There is no answer.
    Hangs,
}

/// The names that do not resolve as they should.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    names: BTreeMap<String, Resolution>,
}

impl Resolver {
    pub(super) fn set(&mut self, host: &str, resolution: Option<Resolution>) {
        match resolution {
            Some(resolution) => self.names.insert(host.to_owned(), resolution),
            None => self.names.remove(host),
        };
    }

    pub(super) fn clear(&mut self) {
        self.names.clear();
    }

    pub(super) fn get(&self, host: &str) -> Option<&Resolution> {
        self.names.get(host)
    }
}
