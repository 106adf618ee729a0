//! Coordinators of transactions that change.

use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::{ErrorCode, Str};

use super::Transactions;
use crate::cluster::{Cluster, CommandError};

impl Transactions {
    /// A broker died: others coordinate its transactional ids, as far as there are any.
    pub(crate) fn handle_broker_down(&mut self, now: Instant, broker: i32) {
        let partitions = self.coordinators.led_by(broker);
        self.coordinators.handle_broker_down(broker);
        partitions.into_iter().for_each(|partition| self.load(now, partition, self.config.load_time));
    }

    /// A dead broker came back. Transactional ids without a coordinator may get one.
    pub(crate) fn handle_broker_up(&mut self, now: Instant, broker: i32, is_alive: impl Fn(i32) -> bool) {
        self.coordinators.handle_broker_up(broker, is_alive);
        let partitions = self.coordinators.led_by(broker);
        partitions.into_iter().for_each(|partition| self.load(now, partition, self.config.load_time));
    }

    /// The ids of a partition have a new coordinator, which reads what is stored of them for a while, and has the markers
    /// written that are missing then.
    fn load(&mut self, now: Instant, partition: i32, time: Duration) {
        self.outbox.forget(partition);
        self.loading.insert(partition, now + time);
        if time.is_zero() {
            self.end_loading(now);
        }
    }

    /// Loading that has come to its end is over.
    pub(super) fn end_loading(&mut self, now: Instant) {
        let done: Vec<i32> =
            self.loading.iter().filter(|(_, end)| **end <= now).map(|(partition, _)| *partition).collect();
        for partition in done {
            self.loading.remove(&partition);
            let ids = self.by_id.values().filter(|txn| txn.state.is_ending()).map(|txn| txn.id.clone());
            let ids: Vec<Str> = ids.filter(|id| self.coordinators.partition_of(id).0 == partition).collect();
            ids.iter().for_each(|id| self.send_markers(now, id));
        }
    }

    /// Whether a broker still reads what is stored of any transactional id.
    pub(crate) fn is_any_loading(&self, now: Instant, broker: i32) -> bool {
        let mut led = self.coordinators.led_by(broker).into_iter();
        led.any(|partition| self.loading.get(&partition).is_some_and(|end| *end > now))
    }
}

impl Cluster {
    /// Has another broker coordinate a transactional id, and all ids of the same partition of `__transaction_state`. It
    /// reads what is stored of them for a while, during which it answers `COORDINATOR_LOAD_IN_PROGRESS`; the old
    /// one answers `NOT_COORDINATOR`. With the broker that coordinates it already, that one reads it again.
    ///
    /// # Errors
    /// The broker is not there or does not hold that partition.
    pub fn move_transaction_coordinator(
        &mut self,
        now: Instant,
        id: &str,
        broker: i32,
        load_time: Duration,
    ) -> Result<(), CommandError> {
        self.now = now;
        let (partition, _) = self.transactions.coordinators.partition_of(id);
        if !self.is_alive(broker) || !self.transactions.coordinators.lead(partition, broker) {
            let message = format!("broker {broker} cannot coordinate transactional id {id:?}");
            return Err(CommandError { code: ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE, message });
        }
        self.transactions.load(now, partition, load_time);
        self.work(now);
        Ok(())
    }

    /// The broker that coordinates a transactional id, if there is one.
    #[must_use]
    pub fn transaction_coordinator(&self, id: &str) -> Option<i32> {
        self.transactions.coordinator(id)
    }
}
