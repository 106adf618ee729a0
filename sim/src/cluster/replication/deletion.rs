//! What goes from the beginning of logs, and what goes with a broker.

use klamm_core::WallTime;
use klamm_protocol::ErrorCode;

use super::Turn;
use crate::cluster::topics::settings::Limits;
use crate::observe::ClusterEvent;

impl Turn<'_> {
    /// Has a leader delete the records below an offset (-1: below the high watermark), and returns where its log
    /// begins then.
    pub(crate) fn delete_records(&mut self, leader: usize, offset: i64) -> Result<i64, ErrorCode> {
        let replica = &mut self.partition.replicas[leader];
        let offset = if offset == -1 { replica.high_watermark } else { offset };
        if offset < 0 || offset > replica.high_watermark {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        replica.drop_below(&self.partition.store, offset, self.now);
        self.handle_start_moved(leader);
        Ok(self.partition.replicas[leader].log.start_offset())
    }

    /// Has a leader delete segments that are too many, or too old by the wall clock.
    pub(crate) fn retain(&mut self, leader: usize, limits: &Limits, wall_time: Option<WallTime>) {
        let by_bytes = u64::try_from(limits.retention_bytes).ok();
        let oldest = wall_time
            .filter(|_| limits.retention_ms >= 0)
            .map(|wall_time| wall_time.0.saturating_sub(limits.retention_ms));
        if by_bytes.is_none() && oldest.is_none() {
            return;
        }
        let replica = &mut self.partition.replicas[leader];
        let (before, high_watermark) = (replica.log.start_offset(), replica.high_watermark);
        replica.producers(&self.partition.store, self.now);
        if let Some(oldest) = oldest {
            replica.log.retain_since(oldest, high_watermark);
        }
        if let Some(max_bytes) = by_bytes {
            replica.log.retain_bytes(max_bytes, high_watermark);
        }
        if replica.log.start_offset() > before {
            self.handle_start_moved(leader);
        }
    }

    /// The place of the elected leader, if it knows that it leads.
    pub(crate) fn acting_leader(&self) -> Option<usize> {
        let slot = self.partition.slot(self.leadership.leader)?;
        self.partition.replicas.get(slot).filter(|replica| replica.leads()).map(|_| slot)
    }

    /// Tells where the log begins, if that is news.
    pub(super) fn tell_start(&mut self, leader: usize) {
        let (topic_id, partition) = (self.topic_id, self.index);
        let replica = &self.partition.replicas[leader];
        let offset = replica.log.start_offset();
        let history = &mut self.partition.history;
        if history.leader == Some(replica.broker) && offset != history.start {
            history.start = offset;
            self.events.tell(|| ClusterEvent::LogStart { topic_id, partition, offset });
        }
    }

    fn handle_start_moved(&mut self, leader: usize) {
        self.tell_start(leader);
        for connection in &self.partition.replicas[leader].readers {
            self.links.feed(*connection, None);
        }
        self.settle();
        self.partition.free();
    }

    /// A broker goes down: what it was sent or sent is lost, and what it has not flushed may be, too.
    pub(crate) fn lose_broker(&mut self, broker: i32, keep_unflushed: bool) {
        self.lose_all_messages(broker);
        if let Some(slot) = self.partition.slot(broker) {
            self.fail_produces(slot, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        let flushes = self.peers.flushes_until(self.now);
        let Some(replica) = self.partition.replica_mut(broker) else { return };
        if !keep_unflushed {
            replica.flush(flushes);
            replica.truncate(replica.flushed.offset);
        }
        replica.forget_everything();
    }

    /// Messages from and to a broker are lost.
    pub(crate) fn lose_all_messages(&mut self, broker: i32) {
        for slot in 0..self.partition.replicas.len() {
            let replica = &self.partition.replicas[slot];
            if replica.broker == broker || replica.belief.leader == broker {
                self.stop_fetching(slot);
            }
        }
    }

    /// Messages between two brokers are lost.
    pub(crate) fn lose_messages(&mut self, a: i32, b: i32) {
        for slot in 0..self.partition.replicas.len() {
            let replica = &self.partition.replicas[slot];
            let pair = (replica.broker, replica.belief.leader);
            if pair == (a, b) || pair == (b, a) {
                self.stop_fetching(slot);
            }
        }
    }
}
