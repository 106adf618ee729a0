//! What a cluster is made with.

use crate::Release;

/// What a [`Cluster`](super::Cluster) is made with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterConfig {
    /// How many brokers; their ids are 1, 2, and so on. Default 1.
    pub brokers: i32,
    /// The Kafka release to pretend to be. Default: the newest one known.
    pub release: Release,
    /// Determines the cluster's id, topic ids and session ids. Default 0.
    pub seed: u64,
    /// Whether asking for the metadata of a missing topic, or producing to it, creates it
    /// (`auto.create.topics.enable`). Default true.
    pub auto_create_topics: bool,
    /// `num.partitions`: of topics created without a number. Default 1.
    pub partitions: i32,
    /// `default.replication.factor`. Default: 3, or the number of brokers if that is less.
    pub replication: Option<i16>,
    /// `min.insync.replicas`: how many replicas must be in sync for `acks=all`. Default 1.
    pub min_insync_replicas: i32,
    /// `message.max.bytes`: the largest record batch. Default 1 MiB and 12 bytes.
    pub max_message_bytes: i32,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            brokers: 1,
            release: Release::default(),
            seed: 0,
            auto_create_topics: true,
            partitions: 1,
            replication: None,
            min_insync_replicas: 1,
            max_message_bytes: 1_048_588,
        }
    }
}

impl ClusterConfig {
    pub(crate) fn default_replication(&self) -> i16 {
        self.replication.unwrap_or_else(|| i16::try_from(self.brokers.clamp(1, 3)).unwrap_or(1))
    }
}
