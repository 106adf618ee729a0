//! Brokers that do nothing for a while.

use std::collections::BTreeMap;

use klamm_core::Instant;

/// The brokers that are paused, and until when.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    until: BTreeMap<i32, Instant>,
}

impl Pauses {
    pub(super) fn begin(&mut self, broker: i32, until: Instant) {
        let end = self.until.entry(broker).or_insert(until);
        *end = until.max(*end);
    }

    pub(super) fn forget(&mut self, broker: i32) {
        self.until.remove(&broker);
    }

    /// When a broker's pause is over, if it is paused.
    pub(super) fn end(&self, broker: i32) -> Option<Instant> {
        self.until.get(&broker).copied()
    }

    /// A broker whose pause is over.
    pub(super) fn over(&mut self, now: Instant) -> Option<i32> {
        let broker = self.until.iter().find(|(_, end)| **end <= now).map(|(broker, _)| *broker)?;
        self.until.remove(&broker);
        Some(broker)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.until.values().min().copied()
    }
}
