//! What can be asked about transactions, and what is answered.

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::Str;

use crate::{BrokerId, admin::PerItem};

/// What is asked about transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionsCommand {
    /// List the transactional ids that the coordinators know (KIP-664, from Kafka 3.0).
    List {
        /// Only those of these producer ids; all if there are none.
        producer_ids: Vec<i64>,
    },
    /// Describe transactions (KIP-664, from Kafka 3.0).
    Describe {
        /// Their transactional ids.
        ids: Vec<Str>,
    },
    /// Describe who writes to partitions, and where the transaction of each begins (KIP-664, from Kafka 2.8).
    DescribeProducers {
        /// Topic and partition.
        partitions: Vec<(Str, i32)>,
    },
    /// Abort a transaction in one partition, past its coordinator (KIP-664): for one that hangs there.
    Abort(HangingTransaction),
}

impl TransactionsCommand {
    /// What it does, in words, for error texts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::List { .. } => "list transactions",
            Self::Describe { .. } => "describe transactions",
            Self::DescribeProducers { .. } => "describe producers",
            Self::Abort(_) => "abort a transaction",
        }
    }

    pub(in crate::admin) const fn needs(&self) -> Option<&'static str> {
        match self {
            Self::List { .. } => Some("listing transactions needs Kafka 3.0 or later"),
            Self::Describe { .. } => Some("describing transactions needs Kafka 3.0 or later"),
            Self::DescribeProducers { .. } => Some("describing producers needs Kafka 2.8 or later"),
            Self::Abort(_) => None,
        }
    }
}

/// A transaction of one partition, by what [`TransactionsCommand::DescribeProducers`] says of its producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HangingTransaction {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The epoch of the coordinator that ended this producer's last transaction; 0 if there was none.
    pub coordinator_epoch: i32,
}

/// A transactional id as its coordinator lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionListing {
    /// The id.
    pub transactional_id: Str,
    /// The producer's id.
    pub producer_id: i64,
    /// The state, as the coordinator calls it: `Ongoing`, `CompleteCommit` and so on.
    pub state: Str,
}

/// A transaction as its coordinator describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionDescription {
    /// The broker that coordinates it.
    pub coordinator: BrokerId,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The state, as the coordinator calls it.
    pub state: Str,
    /// After how long it is aborted, in milliseconds.
    pub timeout_ms: i32,
    /// When it began, in milliseconds since 1970; `None` if none is open.
    pub started_ms: Option<i64>,
    /// The partitions in it, by topic.
    pub partitions: BTreeMap<Str, Vec<i32>>,
}

/// A producer as a partition's leader knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionProducer {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i32,
    /// The sequence number of its last record.
    pub last_sequence: i32,
    /// When it wrote last, in milliseconds since 1970.
    pub last_timestamp_ms: i64,
    /// The epoch of the coordinator that ended its last transaction; -1 if there was none.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins, if it has one.
    pub transaction_start_offset: Option<i64>,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionsReply {
    /// To [`TransactionsCommand::List`], by broker.
    List(PerItem<BrokerId, Vec<TransactionListing>>),
    /// To [`TransactionsCommand::Describe`].
    Describe(PerItem<Str, TransactionDescription>),
    /// To [`TransactionsCommand::DescribeProducers`].
    DescribeProducers(PerItem<(Str, i32), Vec<PartitionProducer>>),
    /// To [`TransactionsCommand::Abort`].
    Abort(PerItem<(Str, i32), ()>),
}
