//! What a cluster is made with.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Authorizer, SaslUsers};
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
    /// `broker.rack` of the brokers, the first one's first. Default: none has any.
    pub racks: Vec<String>,
    /// Whether consumers that say where they stand are sent to the replica in sync of the same rack
    /// (`replica.selector.class`, KIP-392). Default false.
    pub rack_aware_reads: bool,
    /// How long a message between two brokers takes, one way: a follower has a batch after this time, the leader
    /// knows after twice and the other followers after three times as long. Default 0: followers copy in the step
    /// in which the leader appends.
    pub replication_latency: Duration,
    /// `replica.lag.time.max.ms`: a follower that has not been at the end of the leader's log for this long is not in
    /// sync any more. Default 30 seconds.
    pub replica_max_lag: Duration,
    /// How long it takes until a broker hears of what the controller has decided. Default 0: at once.
    pub metadata_latency: Duration,
    /// How often brokers flush their logs: what was appended since is lost in a
    /// [`Crash`](super::Crash) without the unflushed tail. Default 5 seconds; 0: whenever something is appended.
    pub flush_interval: Duration,
    /// Whom brokers let in. Default: everybody, without SASL.
    pub sasl: Option<SaslUsers>,
    /// What those may do who authenticate themselves (`authorizer.class.name`). Default: everything.
    pub authorizer: Option<Authorizer>,
    /// What coordinators of groups allow.
    pub groups: GroupConfig,
    /// What coordinators of transactions allow.
    pub transactions: TransactionConfig,
    /// What brokers remember, and for how long.
    pub limits: LimitConfig,
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
            racks: Vec::new(),
            rack_aware_reads: false,
            replication_latency: Duration::ZERO,
            replica_max_lag: Duration::from_secs(30),
            metadata_latency: Duration::ZERO,
            flush_interval: Duration::from_secs(5),
            sasl: None,
            authorizer: None,
            groups: GroupConfig::default(),
            transactions: TransactionConfig::default(),
            limits: LimitConfig::default(),
        }
    }
}

/// How much brokers remember and do at once, and for how long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LimitConfig {
    /// `max.incremental.fetch.session.cache.slots`: fetch sessions that each broker keeps. Default 1000.
    pub fetch_sessions: usize,
    /// `min.incremental.fetch.session.eviction.ms`: how long a fetch session must have been idle before another may
    /// take its place. Default 2 minutes.
    pub fetch_session_eviction: Duration,
    /// `producer.id.expiration.ms`: how long a partition remembers a producer that writes nothing to it. Default
    /// 1 day.
    pub producer_id_expiration: Duration,
    /// `connections.max.idle.ms`: how long a connection may be idle before its broker closes it, from its first
    /// request on. Default: for ever; a real broker's is 10 minutes.
    pub connections_max_idle: Option<Duration>,
    /// `num.io.threads`: requests that a broker works on at once while it is [slow](super::Fault::slow). Default: any
    /// number; a real broker's is 8.
    pub request_handlers: usize,
    /// `broker.session.timeout.ms`: how long a broker may be [paused](super::Fault::pause) before the controller gives
    /// it up. Default 9 seconds.
    pub broker_session_timeout: Duration,
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self {
            fetch_sessions: 1000,
            fetch_session_eviction: Duration::from_secs(120),
            producer_id_expiration: Duration::from_secs(86_400),
            connections_max_idle: None,
            request_handlers: usize::MAX,
            broker_session_timeout: Duration::from_secs(9),
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
    /// `group.consumer.session.timeout.ms`: how long a member of a consumer group (KIP-848) may be silent. Default
    /// 45 seconds.
    pub consumer_session_timeout: Duration,
    /// `group.consumer.heartbeat.interval.ms`: how often such a member is told to be heard of. Default 5 seconds.
    pub consumer_heartbeat_interval: Duration,
    /// `group.consumer.max.size`: how many members a consumer group may have. Default: any number.
    pub consumer_max_size: usize,
    /// `offsets.retention.minutes`: how long what is committed is kept after its group became empty, or after the commit if
    /// the group never had members or has no member that reads the topic. Looked after every 10 minutes. Default 7 days.
    pub offsets_retention: Duration,
    /// How long a new coordinator reads what is stored of its groups, and answers `COORDINATOR_LOAD_IN_PROGRESS`.
    /// Default 0.
    pub load_time: Duration,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            initial_rebalance_delay: Duration::ZERO,
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_secs(1800),
            max_size: usize::MAX,
            consumer_session_timeout: Duration::from_secs(45),
            consumer_heartbeat_interval: Duration::from_secs(5),
            consumer_max_size: usize::MAX,
            offsets_retention: Duration::from_secs(7 * 86_400),
            load_time: Duration::ZERO,
        }
    }
}

/// What coordinators of transactions allow their producers, and how fast they are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TransactionConfig {
    /// `transaction.max.timeout.ms`: how long a producer may ask its transactions to be allowed to take. Default 15
    /// minutes.
    pub max_timeout: Duration,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`: how often a coordinator looks for transactions that
    /// take too long. Default 10 seconds.
    pub abort_interval: Duration,
    /// `transactional.id.expiration.ms`: how long a coordinator remembers a transactional id that nobody uses. Default 7
    /// days.
    pub id_expiration: Duration,
    /// How long it takes from the end of a transaction until a partition gets its marker, drawn for each: until then
    /// another one cannot begin. Default 0.
    pub marker_delay: RangeInclusive<Duration>,
    /// How long a new coordinator reads what is stored of its transactional ids, and answers
    /// `COORDINATOR_LOAD_IN_PROGRESS`. Default 0.
    pub load_time: Duration,
}

impl Default for TransactionConfig {
    fn default() -> Self {
        Self {
            max_timeout: Duration::from_secs(900),
            abort_interval: Duration::from_secs(10),
            id_expiration: Duration::from_secs(7 * 86_400),
            marker_delay: Duration::ZERO..=Duration::ZERO,
            load_time: Duration::ZERO,
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
