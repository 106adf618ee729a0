//! What may happen to partitions and their replicas.

use std::time::Duration;

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::ErrorCode;

use super::{CommandError, unknown_topic};
use crate::cluster::Cluster;

/// The state of one broker's part in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// The broker.
    pub broker: i32,
    /// Whom the broker believes to lead, if it has heard of anybody.
    pub leader: Option<i32>,
    /// The epoch of that; -1: it has not heard of the partition.
    pub leader_epoch: i32,
    /// The offset of its oldest record.
    pub log_start_offset: i64,
    /// The end of its log.
    pub log_end_offset: i64,
    /// What it believes to be committed.
    pub high_watermark: i64,
}

impl Cluster {
    /// Nothing passes between two brokers: neither follows the other. Clients are not concerned.
    pub fn cut_replication(&mut self, now: Instant, a: i32, b: i32) {
        self.set_replication(now, a, b, None);
    }

    /// Messages between two brokers take this long, one way, instead of
    /// [`ClusterConfig::replication_latency`](super::super::ClusterConfig::replication_latency).
    pub fn slow_replication(&mut self, now: Instant, a: i32, b: i32, latency: Duration) {
        self.set_replication(now, a, b, Some(latency));
    }

    /// Two brokers exchange messages as at first again; `None`: all brokers do.
    pub fn heal_replication(&mut self, now: Instant, brokers: Option<(i32, i32)>) {
        self.now = now;
        self.peers.reset_latency(brokers);
        self.wake_followers(now);
        self.work(now);
    }

    fn set_replication(&mut self, now: Instant, a: i32, b: i32, latency: Option<Duration>) {
        self.now = now;
        self.peers.set_latency(a, b, latency);
        for (topic_id, index) in self.topics.held_by(a) {
            let Some(mut turn) = self.turn(now, topic_id, index) else { continue };
            turn.lose_messages(a, b);
        }
        self.wake_followers(now);
        self.work(now);
    }

    /// Has a replica lead a partition, whether it is in sync or not: if it is not, records may be lost.
    ///
    /// # Errors
    /// There is no such partition, the broker holds no replica of it or is not there.
    pub fn elect(
        &mut self,
        now: Instant,
        topic: &str,
        partition: i32,
        broker: i32,
    ) -> Result<(), CommandError> {
        self.now = now;
        self.elect_by(now, (topic, partition), |leadership, is_active| {
            let may_lead = leadership.replicas.contains(&broker) && is_active(broker);
            if may_lead { Ok(broker) } else { Err(ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE) }
        })
    }

    /// Has the first replica of a partition lead it.
    ///
    /// # Errors
    /// There is no such partition, it leads already (`ELECTION_NOT_NEEDED`), or is not in sync or not there
    /// (`PREFERRED_LEADER_NOT_AVAILABLE`).
    pub fn elect_preferred(&mut self, now: Instant, topic: &str, partition: i32) -> Result<(), CommandError> {
        self.now = now;
        self.elect_by(now, (topic, partition), |leadership, is_active| {
            let preferred = leadership.replicas.first().copied().unwrap_or(-1);
            if leadership.leader == preferred {
                Err(ErrorCode::ELECTION_NOT_NEEDED)
            } else if leadership.isr.contains(&preferred) && is_active(preferred) {
                Ok(preferred)
            } else {
                Err(ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE)
            }
        })
    }

    /// Has any replica lead a partition that has no leader, in sync or not.
    ///
    /// # Errors
    /// There is no such partition, it has a leader (`ELECTION_NOT_NEEDED`), or no replica is there
    /// (`ELIGIBLE_LEADERS_NOT_AVAILABLE`).
    pub fn elect_unclean(&mut self, now: Instant, topic: &str, partition: i32) -> Result<(), CommandError> {
        self.now = now;
        self.elect_by(now, (topic, partition), |leadership, is_active| {
            if leadership.leader >= 0 {
                return Err(ErrorCode::ELECTION_NOT_NEEDED);
            }
            let active = leadership.replicas.iter().copied().filter(|replica| is_active(*replica));
            let in_sync = active.clone().find(|replica| leadership.isr.contains(replica));
            in_sync.or_else(|| active.clone().next()).ok_or(ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE)
        })
    }

    /// Deletes the records of a partition below an offset (-1: below the high watermark), as `DeleteRecords` does, and
    /// returns the partition's first offset then.
    ///
    /// # Errors
    /// There is no such partition, it has no leader, or the offset is above the high watermark.
    pub fn delete_records(
        &mut self,
        now: Instant,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<i64, CommandError> {
        self.now = now;
        let topic_id = self.topics.get(topic).ok_or_else(|| unknown_topic(topic))?.id();
        let deleted = self.turn(now, topic_id, partition).map_or(
            Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            |mut turn| {
                let leader = turn.acting_leader();
                leader.map_or(Err(ErrorCode::LEADER_NOT_AVAILABLE), |leader| {
                    turn.delete_records(leader, offset)
                })
            },
        );
        self.work(now);
        deleted.map_err(|code| CommandError {
            code,
            message: format!("the records of {topic:?} {partition} below {offset} cannot be deleted"),
        })
    }

    /// Has all leaders delete what is older than `retention.ms` or more than `retention.bytes`, as brokers do from
    /// time to time. The wall clock counts. What is more than `retention.bytes` is also deleted whenever something is
    /// appended.
    pub fn apply_retention(&mut self, now: Instant) {
        self.now = now;
        for (topic_id, index) in self.topics.all_partitions() {
            let Some(limits) = self.topics.by_id(topic_id).map(|topic| *topic.settings.limits()) else {
                continue;
            };
            let wall_time = self.wall_time;
            let Some(mut turn) = self.turn(now, topic_id, index) else { continue };
            if let Some(leader) = turn.acting_leader() {
                turn.retain(leader, &limits, Some(wall_time));
            }
        }
        self.work(now);
    }

    /// The state of a broker's part in a partition.
    #[must_use]
    pub fn replica(&self, topic: &str, partition: i32, broker: i32) -> Option<ReplicaState> {
        let replica = self.topics.get(topic)?.partition(partition)?.replica(broker)?;
        Some(ReplicaState {
            broker,
            leader: (replica.belief.leader >= 0).then_some(replica.belief.leader),
            leader_epoch: replica.belief.leader_epoch,
            log_start_offset: replica.log.start_offset(),
            log_end_offset: replica.log.end_offset(),
            high_watermark: replica.high_watermark,
        })
    }

    /// The batches of a broker's log of a partition as they are stored.
    #[must_use]
    pub fn replica_batches(&self, topic: &str, partition: i32, broker: i32) -> Option<Bytes> {
        let partition = self.topics.get(topic)?.partition(partition)?;
        let log = &partition.replica(broker)?.log;
        let mut all = Vec::new();
        for (_, batch) in log.batches_from(&partition.store, log.start_offset()) {
            all.extend_from_slice(&batch);
        }
        Some(all.into())
    }
}
