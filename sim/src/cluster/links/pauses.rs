//! Brokers that do nothing for a while.

use std::collections::BTreeMap;

use klamm_core::Instant;

/// A broker's pause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause {
    pub(crate) until: Instant,
    /// When the controller gives the broker up, if it has not yet.
    pub(crate) fence_at: Option<Instant>,
    /// Whether the broker heard of changes before.
    pub(crate) was_informed: bool,
}

/// The brokers that are paused.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    by_broker: BTreeMap<i32, Pause>,
}

impl Pauses {
    /// A broker pauses, or longer than it was to. Returns false if it is paused already.
    pub(super) fn begin(&mut self, broker: i32, pause: Pause) -> bool {
        match self.by_broker.get_mut(&broker) {
            Some(known) => {
                known.until = known.until.max(pause.until);
                false
            }
            None => {
                self.by_broker.insert(broker, pause);
                true
            }
        }
    }

    /// All pauses are over now.
    pub(super) fn end_all(&mut self, now: Instant) {
        self.by_broker.values_mut().for_each(|pause| pause.until = pause.until.min(now));
    }

    pub(super) fn forget(&mut self, broker: i32) {
        self.by_broker.remove(&broker);
    }

    /// When a broker's pause is over, if it is paused.
    pub(super) fn end(&self, broker: i32) -> Option<Instant> {
        self.by_broker.get(&broker).map(|pause| pause.until)
    }

    /// A broker that the controller gives up now.
    pub(super) fn fenced(&mut self, now: Instant) -> Option<i32> {
        let is_due = |pause: &Pause| pause.fence_at.is_some_and(|at| at <= now && at < pause.until);
        let (broker, pause) = self.by_broker.iter_mut().find(|(_, pause)| is_due(pause))?;
        pause.fence_at = None;
        Some(*broker)
    }

    /// A broker whose pause is over.
    pub(super) fn over(&mut self, now: Instant) -> Option<(i32, Pause)> {
        let (broker, pause) = self.by_broker.iter().find(|(_, pause)| pause.until <= now)?;
        let over = (*broker, *pause);
        self.by_broker.remove(&over.0);
        Some(over)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let next = |pause: &Pause| pause.fence_at.map_or(pause.until, |at| at.min(pause.until));
        self.by_broker.values().map(next).min()
    }
}
