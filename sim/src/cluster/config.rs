//! What a cluster is made with.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::Release;

/// What a [`Cluster`](super::Cluster) is made with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterConfig {
    /// How many brokers; their ids are 1, 2, and so on. Default 1.
    pub brokers: i32,
    /// The Kafka release to pretend to be. Default: the newest one known.
    pub release: Release,
    /// Determines the cluster's id and the ids of topics, fetch sessions and members of groups. Default 0.
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
    /// What coordinators of groups allow.
    pub groups: GroupConfig,
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
            groups: GroupConfig::default(),
        }
    }
}

/// What coordinators of groups allow their members.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GroupConfig {
    /// `group.initial.rebalance.delay.ms`: how long the first rebalance of an empty group waits for more members.
    /// Default 0; a real broker's is 3 seconds.
    pub initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`. Default 6 seconds.
    pub min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`. Default 30 minutes.
    pub max_session_timeout: Duration,
    /// `group.max.size`: how many members a group may have. Default: any number.
    pub max_size: usize,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            initial_rebalance_delay: Duration::ZERO,
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_secs(1800),
            max_size: usize::MAX,
        }
    }
}

impl GroupConfig {
    pub(crate) const fn session_timeouts(&self) -> RangeInclusive<Duration> {
        self.min_session_timeout..=self.max_session_timeout
    }
}

impl ClusterConfig {
    pub(crate) fn default_replication(&self) -> i16 {
        self.replication.unwrap_or_else(|| i16::try_from(self.brokers.clamp(1, 3)).unwrap_or(1))
    }
}
