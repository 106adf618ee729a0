//! A partitioner of the application's own.

use std::{fmt, sync::Arc};

use super::topics::TopicEntry;
use crate::{Record, wait::lock};

/// The partitions of a topic, for a partitioner of the application's own.
#[derive(Clone, Copy)]
pub struct TopicPartitions<'a> {
    entry: &'a TopicEntry,
}

impl fmt::Debug for TopicPartitions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicPartitions").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl<'a> TopicPartitions<'a> {
    pub(super) const fn new(entry: &'a TopicEntry) -> Self {
        Self { entry }
    }

    /// How many there are: they have the numbers from 0 on.
    #[must_use]
    pub fn count(&self) -> i32 {
        i32::try_from(self.entry.slots.len()).unwrap_or(i32::MAX)
    }

    /// Whether a partition can be written to at present, as far as is known: it has a leader that is available.
    #[must_use]
    pub fn can_be_written(&self, partition: i32) -> bool {
        u32::try_from(partition).is_ok_and(|partition| lock(&self.entry.spread).topic.is_writable(partition))
    }

    /// How many batches wait to be sent to a partition; 0 if there is no such partition.
    #[must_use]
    pub fn waiting(&self, partition: i32) -> u32 {
        let slot = usize::try_from(partition).ok().and_then(|partition| self.entry.slots.get(partition));
        slot.map_or(0, |slot| slot.waiting())
    }
}

type Pick = dyn Fn(&Record<'_>, TopicPartitions<'_>) -> Option<i32> + Send + Sync;

/// Picks a partition in the application's way. It runs on the thread that sends, and no lock is held meanwhile.
#[derive(Clone)]
pub(super) struct Custom(Arc<Pick>);

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom")
    }
}

impl Custom {
    pub(super) fn new(
        pick: impl Fn(&Record<'_>, TopicPartitions<'_>) -> Option<i32> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(pick))
    }

    pub(super) fn pick(&self, record: &Record<'_>, entry: &TopicEntry) -> Option<i32> {
        (self.0)(record, TopicPartitions::new(entry))
    }
}
