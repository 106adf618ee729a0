//! What administration asks and answers.

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::{Str, Uuid};

use super::{AdminError, GroupCommand, GroupReply, TransactionsCommand, TransactionsReply};
use crate::BrokerId;

/// A topic to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// The name: 1 to 249 of the characters a-z, A-Z, 0-9, `.`, `_` and `-`, and not `.` or `..`.
    pub name: Str,
    /// The number of partitions; `None`: what the broker is configured to (`num.partitions`; Kafka 2.4, KIP-464).
    pub partitions: Option<i32>,
    /// The number of replicas; `None`: what the broker is configured to (`default.replication.factor`).
    pub replication: Option<i16>,
    /// Which brokers hold which partition, instead of the two numbers above. The first of each is preferred as leader.
    pub assignments: BTreeMap<i32, Vec<BrokerId>>,
    /// The topic's configuration where it differs from the broker's.
    pub configs: BTreeMap<Str, Str>,
}

impl NewTopic {
    /// A topic with the broker's defaults.
    #[must_use]
    pub fn new(name: impl Into<Str>) -> Self {
        Self {
            name: name.into(),
            partitions: None,
            replication: None,
            assignments: BTreeMap::new(),
            configs: BTreeMap::new(),
        }
    }

    /// With this number of partitions.
    #[must_use]
    pub const fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// With this number of replicas.
    #[must_use]
    pub const fn replication(mut self, replication: i16) -> Self {
        self.replication = Some(replication);
        self
    }

    /// With one setting, as the broker's documentation of topic configurations names it.
    #[must_use]
    pub fn config(mut self, name: impl Into<Str>, value: impl Into<Str>) -> Self {
        self.configs.insert(name.into(), value.into());
        self
    }

    /// With one partition's replicas laid down. Lay down all or none.
    #[must_use]
    pub fn assign(mut self, partition: i32, brokers: impl IntoIterator<Item = i32>) -> Self {
        self.assignments.insert(partition, brokers.into_iter().map(BrokerId).collect());
        self
    }
}

/// A place in a partition's log that only the broker knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OffsetSpec {
    /// The oldest record that is still there.
    Earliest,
    /// The end: the offset of the next record.
    Latest,
    /// The first record whose timestamp (milliseconds since 1970) is not before this one.
    Timestamp(i64),
    /// The record with the highest timestamp (Kafka 3.0, KIP-734).
    MaxTimestamp,
}

impl OffsetSpec {
    /// The number that ListOffsets carries.
    #[must_use]
    pub const fn wire(self) -> i64 {
        match self {
            Self::Earliest => -2,
            Self::Latest => -1,
            Self::MaxTimestamp => -3,
            Self::Timestamp(timestamp) => timestamp,
        }
    }
}

/// An operation of administration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminCommand {
    /// Create topics.
    CreateTopics {
        /// Which.
        topics: Vec<NewTopic>,
        /// Only check whether they could be created.
        validate_only: bool,
    },
    /// Delete topics.
    DeleteTopics {
        /// Which.
        names: Vec<Str>,
    },
    /// List all topics that the client may see.
    ListTopics,
    /// Describe topics.
    DescribeTopics {
        /// Which.
        names: Vec<Str>,
    },
    /// Ask where in the log of each partition something is.
    ListOffsets {
        /// Topic, partition, what is asked.
        of: Vec<(Str, i32, OffsetSpec)>,
        /// Whether the end is the last stable offset instead of the high watermark.
        read_committed: bool,
    },
    /// Ask for the brokers and the controller.
    DescribeCluster,
    /// Do something with groups.
    Groups(GroupCommand),
    /// Ask about transactions, or abort one.
    Transactions(TransactionsCommand),
}

impl AdminCommand {
    /// What it does, in words, for error texts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CreateTopics { .. } => "create topics",
            Self::DeleteTopics { .. } => "delete topics",
            Self::ListTopics => "list topics",
            Self::DescribeTopics { .. } => "describe topics",
            Self::ListOffsets { .. } => "list offsets",
            Self::DescribeCluster => "describe the cluster",
            Self::Groups(command) => command.name(),
            Self::Transactions(command) => command.name(),
        }
    }
}

/// A topic that was created, or could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id; zero before Kafka 2.8.
    pub id: Uuid,
    /// The number of partitions; `None` before Kafka 2.4.
    pub partitions: Option<i32>,
    /// The number of replicas; `None` before Kafka 2.4.
    pub replication: Option<i16>,
}

/// A topic in the list of topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicListing {
    /// Its id; zero before Kafka 2.8.
    pub id: Uuid,
    /// Whether it is Kafka's own, for instance `__consumer_offsets`.
    pub is_internal: bool,
    /// The number of partitions.
    pub partitions: usize,
}

/// A topic and its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its id; zero before Kafka 2.8.
    pub id: Uuid,
    /// Whether it is Kafka's own.
    pub is_internal: bool,
    /// The partitions, in their order.
    pub partitions: Vec<PartitionDescription>,
}

/// Where a partition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDescription {
    /// Its number.
    pub partition: i32,
    /// The leader; `None` while there is none.
    pub leader: Option<BrokerId>,
    /// The leader's epoch; `None` before Kafka 2.1.
    pub leader_epoch: Option<i32>,
    /// The brokers that hold it, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Those of them that have all records.
    pub in_sync: Vec<BrokerId>,
    /// Those of them that are down; empty before Kafka 1.0.
    pub offline: Vec<BrokerId>,
}

/// An answer to an [`OffsetSpec`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset; `None` if no record is what was asked for (a timestamp after the last record's).
    pub offset: Option<i64>,
    /// The record's timestamp in milliseconds since 1970; `None` for the earliest and the latest.
    pub timestamp: Option<i64>,
    /// The leader epoch of the record; `None` before Kafka 2.1.
    pub leader_epoch: Option<i32>,
}

/// One broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerDescription {
    /// Its node id.
    pub id: BrokerId,
    /// The host that it advertises.
    pub host: Str,
    /// The port that it advertises.
    pub port: i32,
    /// Its rack.
    pub rack: Option<Str>,
}

/// The cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    /// The cluster's id; `None` before Kafka 0.10.1.
    pub cluster_id: Option<Str>,
    /// The controller, or with KRaft a broker that passes requests on to it; `None` while there is none.
    pub controller: Option<BrokerId>,
    /// The brokers that are up, by their ids.
    pub brokers: Vec<BrokerDescription>,
}

/// What came of one item of an operation.
pub type PerItem<K, T> = BTreeMap<K, Result<T, AdminError>>;

/// The answer to an [`AdminCommand`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminReply {
    /// By topic.
    CreateTopics(PerItem<Str, CreatedTopic>),
    /// By topic.
    DeleteTopics(PerItem<Str, ()>),
    /// By topic.
    ListTopics(BTreeMap<Str, TopicListing>),
    /// By topic.
    DescribeTopics(PerItem<Str, TopicDescription>),
    /// By topic and partition.
    ListOffsets(PerItem<(Str, i32), ListedOffset>),
    /// The cluster.
    DescribeCluster(ClusterDescription),
    /// What became of groups.
    Groups(GroupReply),
    /// To [`AdminCommand::Transactions`].
    Transactions(TransactionsReply),
}
