//! What each broker is to be sent next: sealing rounds and requests.

use alloc::vec::Vec;

use klamm_protocol::records::BATCH_HEADER_LEN;

use super::{
    ProducerOutput, Seal,
    broker::{Broker, Link, Round},
    machine::Producer,
    partition::Step,
};
use crate::{BrokerId, Instant, PartitionIndex};

impl Producer {
    pub(super) fn drive_brokers(&mut self, now: Instant) {
        let with_work = self.brokers.iter().filter(|(_, broker)| !broker.ready.is_empty());
        for broker in with_work.map(|(id, _)| *id).collect::<Vec<_>>() {
            while self.drive(now, broker) {}
        }
    }

    /// When a broker that takes nothing is to be avoided.
    pub(super) fn judge_at(&self, broker: &Broker) -> Option<Instant> {
        let timeout = self.config.availability_timeout;
        let since = broker.waiting_since.filter(|_| !timeout.is_zero() && !broker.is_stuck)?;
        Some(since + timeout)
    }

    /// Finds out which brokers take nothing, and which do again (KIP-794).
    pub(super) fn judge_brokers(&mut self, now: Instant) {
        if self.config.availability_timeout.is_zero() {
            return;
        }
        let mut changed = false;
        for id in self.brokers.keys().copied().collect::<Vec<_>>() {
            let Some(broker) = self.brokers.get_mut(&id) else { continue };
            if broker.ready.is_empty() {
                broker.waiting_since = None;
            } else {
                broker.waiting_since.get_or_insert(now);
            }
            let waits = broker.waiting_since.is_some();
            let is_due =
                self.brokers.get(&id).and_then(|broker| self.judge_at(broker)).is_some_and(|at| at <= now);
            let Some(broker) = self.brokers.get_mut(&id) else { continue };
            let was_stuck = broker.is_stuck;
            broker.is_stuck = is_due || was_stuck && waits;
            changed |= was_stuck != broker.is_stuck;
        }
        if changed {
            probe!(BrokerAvailabilityChanged);
            self.news.outputs.push_back(ProducerOutput::AvailabilityChanged);
        }
    }

    /// Takes one step towards the next request to a broker; returns whether there may be another one.
    fn drive(&mut self, now: Instant, id: BrokerId) -> bool {
        let max_in_flight = self.config.max_in_flight + usize::from(planted!(SixInFlight));
        let Some(broker) = self.brokers.get_mut(&id) else { return false };
        if broker.ready.is_empty() {
            return false;
        }
        let version = match broker.link {
            Link::Up(version) => version,
            Link::Asked => return false,
            Link::Down => {
                broker.link = Link::Asked;
                self.news.outputs.push_back(ProducerOutput::Connect(id));
                return false;
            }
        };
        if broker.in_flight >= max_in_flight {
            return false;
        }
        match broker.round {
            Round::Sealing => false,
            Round::Idle => !self.begin_sealing(now, id, version) && self.send(now, id, version),
            Round::Sealed => {
                broker.round = Round::Idle;
                self.send(now, id, version);
                true
            }
        }
    }

    /// Asks the driver to seal what the next request to a broker has room for; returns whether there is any.
    fn begin_sealing(&mut self, now: Instant, id: BrokerId, version: i16) -> bool {
        let Some(broker) = self.brokers.get(&id) else { return false };
        let rules = self.rules();
        let mut partitions = Vec::new();
        let (mut sealed_bytes, mut unsealed_bytes) = (0, 0);
        for index in broker.ready_in_turn() {
            let Some(state) = self.partition(index) else { continue };
            match state.step(now, &rules) {
                Step::Seal => {
                    partitions.push(index);
                    // How large an open batch is, is known where it is taken; but a closed one is full.
                    let closed = state.unsealed.is_oldest_closed();
                    unsealed_bytes += if closed { self.config.batch_size } else { BATCH_HEADER_LEN };
                }
                Step::Send(at) => sealed_bytes += state.queue.get(at).map_or(0, |batch| batch.sealed.len()),
                _ => {}
            }
            if sealed_bytes + unsealed_bytes >= self.config.max_request_size {
                break;
            }
        }
        let max_bytes = self.config.max_request_size.saturating_sub(sealed_bytes);
        if partitions.is_empty() || max_bytes == 0 {
            return false;
        }
        self.seal(now, id, version, partitions, max_bytes);
        true
    }

    fn seal(
        &mut self,
        now: Instant,
        id: BrokerId,
        version: i16,
        partitions: Vec<PartitionIndex>,
        max_bytes: usize,
    ) {
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.round = Round::Sealing;
        }
        for index in &partitions {
            if let Some(state) = self.partition_mut(*index) {
                state.unsealed.begin_sealing();
            }
            self.schedule(now, *index);
        }
        let compression = self.config.compression.for_version(version);
        let seal = Seal { broker: id, partitions, max_bytes, compression };
        self.news.outputs.push_back(ProducerOutput::Seal(seal));
    }
}
