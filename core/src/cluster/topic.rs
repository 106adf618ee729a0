//! Topics and partitions as metadata describes them.

use alloc::vec::Vec;

use klamm_protocol::{ErrorCode, Ints, Str, Uuid};

use crate::{BrokerId, PartitionIndex};

/// A topic that the cluster has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Str,
    /// Its id; zero if the brokers are older than topic ids (KIP-516).
    pub id: Uuid,
    /// Kafka's own, such as the committed offsets.
    pub internal: bool,
    /// Its partitions in ascending order; Kafka numbers them from 0 without gaps.
    pub partitions: Vec<PartitionIndex>,
}

/// A partition that the cluster has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its leader, if it has one.
    pub leader: Option<BrokerId>,
    /// The highest leader epoch that has been seen; -1 if none.
    pub leader_epoch: i32,
    /// What metadata said of it.
    pub error: ErrorCode,
    /// The brokers that hold it, the preferred leader first.
    pub replicas: Ints,
    /// Those of them that are in sync.
    pub in_sync: Ints,
    /// Those of them that are down.
    pub offline: Ints,
}

/// The broker that leads a partition, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The broker.
    pub broker: BrokerId,
    /// The epoch of its leadership; -1 if the brokers do not say.
    pub epoch: i32,
}
