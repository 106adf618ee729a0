//! What a consumer has counted, and where its partitions stand.

use super::{Consumer, Isolation, partition::Partition};
use crate::metrics::{ConsumerMetrics, PartitionMetrics};

impl Consumer {
    /// What has been counted, and where the assigned partitions stand.
    #[must_use]
    pub fn metrics(&self) -> ConsumerMetrics {
        let isolation = self.config.isolation;
        let (held, limit) = self.budget.level();
        ConsumerMetrics {
            consumer: self.id,
            counts: self.outside.counts,
            partitions: self.partitions.values().map(|each| partition(each, isolation)).collect(),
            held_bytes: u64::try_from(held).unwrap_or(u64::MAX),
            buffer_bytes: u64::try_from(limit).unwrap_or(u64::MAX),
        }
    }
}

fn partition(partition: &Partition, isolation: Isolation) -> PartitionMetrics {
    let position = partition.position.known().map(|at| at.offset).filter(|offset| *offset >= 0);
    let end = partition.ends.visible(isolation);
    let log_start = Some(partition.ends.log_start).filter(|offset| *offset >= 0);
    let between = |from: Option<i64>, to: Option<i64>| {
        from.zip(to).map(|(from, to)| u64::try_from(to.saturating_sub(from)).unwrap_or(0))
    };
    let mut metrics =
        PartitionMetrics::new(partition.topic.clone(), partition.number, partition.position.state());
    metrics.paused = partition.paused;
    metrics.position = position;
    metrics.end = end;
    metrics.log_start = log_start;
    metrics.lag = between(position, end);
    metrics.lead = between(log_start, position);
    metrics.unread_bytes = u64::try_from(partition.intake.held).unwrap_or(u64::MAX);
    metrics
}
