//! What is in a transaction.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use klamm_protocol::Str;

use super::output::TopicIds;
use crate::{
    Instant, OperationId, PartitionIndex,
    group::{CommitOffset, GroupMetadata, TopicPartition},
};

/// Offsets that are to be committed with the transaction.
#[derive(Clone, Debug)]
pub(super) struct Offsets {
    /// Who waits for it.
    pub(super) operation: OperationId,
    pub(super) deadline: Instant,
    pub(super) group: GroupMetadata,
    /// What is not committed yet.
    pub(super) left: BTreeMap<TopicPartition, CommitOffset>,
    pub(super) topic_ids: TopicIds,
}

/// What is in the transaction that is open.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// Version 2: what is written adds its partition.
    pub(super) implicit: bool,
    /// Partitions that have something for the transaction and are not in it yet.
    pub(super) wanted: BTreeMap<TopicPartition, PartitionIndex>,
    /// Partitions that are in it.
    pub(super) partitions: BTreeSet<TopicPartition>,
    /// Groups that are in it.
    pub(super) groups: BTreeSet<Str>,
    /// A request that adds something was sent and not answered: the coordinator may have added it.
    pub(super) maybe_more: bool,
    pub(super) offsets: VecDeque<Offsets>,
    /// The producer has settled everything.
    pub(super) is_drained: bool,
    /// Its end was sent, and an answer is missing.
    pub(super) end_unsure: bool,
}

impl Scope {
    pub(super) const fn new(implicit: bool) -> Self {
        Self {
            implicit,
            wanted: BTreeMap::new(),
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            maybe_more: false,
            offsets: VecDeque::new(),
            is_drained: false,
            end_unsure: false,
        }
    }

    /// Whether the coordinator surely knows nothing of it, so that there is nothing to end.
    pub(super) fn is_empty(&self) -> bool {
        self.partitions.is_empty() && self.groups.is_empty() && !self.maybe_more
    }

    /// Whether the coordinator surely knows of it.
    pub(super) fn is_certain(&self) -> bool {
        // Version 2 adds what is written when it arrives, and nobody tells whether it did.
        !self.implicit && (!self.partitions.is_empty() || !self.groups.is_empty())
    }

    /// Takes the wanted partitions into the transaction.
    pub(super) fn enrol(&mut self, partitions: &[TopicPartition]) -> Vec<PartitionIndex> {
        let mut indices = Vec::new();
        for partition in partitions {
            indices.extend(self.wanted.remove(partition));
            self.partitions.insert(partition.clone());
        }
        indices
    }
}
