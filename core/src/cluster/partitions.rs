//! Dense numbers for partitions.

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::Str;

use crate::PartitionIndex;

/// Numbers each (topic name, partition) that the client has met: 0, 1, 2 and so on, never taken back.
///
/// What is keyed by partition elsewhere is a dense vector, and no topic name is hashed or compared on a hot path.
#[derive(Clone, Debug, Default)]
pub struct Partitions {
    names: Vec<(Str, i32)>,
    by_topic: BTreeMap<Str, BTreeMap<i32, PartitionIndex>>,
}

impl Partitions {
    /// No partition.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of a partition; a new one if it has none.
    pub fn intern(&mut self, topic: &Str, partition: i32) -> PartitionIndex {
        if let Some(index) = self.get(topic, partition) {
            return index;
        }
        // 2^32 partitions do not fit into memory: the names alone take more.
        let index = PartitionIndex(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.names.push((topic.clone(), partition));
        self.by_topic.entry(topic.clone()).or_default().insert(partition, index);
        index
    }

    /// The number of a partition, if it has one.
    #[must_use]
    pub fn get(&self, topic: &str, partition: i32) -> Option<PartitionIndex> {
        self.by_topic.get(topic)?.get(&partition).copied()
    }

    /// The topic and partition of a number.
    #[must_use]
    pub fn name(&self, index: PartitionIndex) -> Option<(&Str, i32)> {
        let at = usize::try_from(index.0).ok()?;
        self.names.get(at).map(|(topic, partition)| (topic, *partition))
    }

    /// How many have been numbered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether none has been.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
