//! Transactions that take too long.

use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::Str;

use super::{Clock, State, Transactions};

impl Transactions {
    /// Has somebody look at a transaction at a time, rounded up to when a coordinator looks at all of them.
    pub(super) fn watch(&mut self, at: Instant, id: Str) {
        let interval = u64::try_from(self.config.abort_interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        let at = Instant::from_nanos(at.as_nanos().div_ceil(interval).saturating_mul(interval));
        self.deadlines.insert((at, id));
    }

    /// When there is something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        let loaded = self.loading.values().copied().min();
        deadline.into_iter().chain(loaded).chain(self.outbox.poll_timeout()).min()
    }

    /// Aborts transactions that take too long, whose coordinator is there, and ends loading that is over.
    pub(crate) fn handle_timeout(&mut self, clock: Clock) {
        self.end_loading(clock.now);
        while let Some((_, id)) = self.deadlines.first().filter(|(at, _)| *at <= clock.now).cloned() {
            self.deadlines.pop_first();
            let Some(txn) = self.by_id.get(&id).filter(|txn| txn.state == State::Ongoing) else { continue };
            let end = txn.started + txn.timeout;
            let (partition, leader) = self.coordinators.partition_of(&id);
            if end > clock.now {
                self.watch(end, id);
            } else if leader.is_none() || self.loading.contains_key(&partition) {
                // Who coordinates it next looks again.
                self.watch(clock.now + Duration::from_nanos(1), id);
            } else {
                self.fence(clock, &id);
            }
        }
    }
}
