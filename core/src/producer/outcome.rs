//! What became of a batch.

use super::{BatchId, ProduceError};
use crate::PartitionIndex;

/// One flush of one producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlushId(pub u64);

/// Which records of a batch an outcome is about.
///
/// A batch has one outcome, [`Portion::Whole`], unless a broker found it too large and it was split, or refused it for
/// some of its records: then it has several, in any order, which together cover each record once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Portion {
    /// All of them.
    Whole,
    /// Some of them.
    Part {
        /// The index of the first.
        first: u32,
        /// How many.
        count: u32,
        /// Whether this is the last outcome for the batch.
        last: bool,
    },
}

impl Portion {
    /// Whether no further outcome follows for the batch.
    #[must_use]
    pub const fn is_last(self) -> bool {
        matches!(self, Self::Whole | Self::Part { last: true, .. })
    }
}

/// A batch was acknowledged as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The offset of the portion's first record; the others follow without gaps. `None` without acknowledgements
    /// (`acks=0`), and if the broker remembered the batch as written before but no longer where.
    pub base_offset: Option<i64>,
    /// The broker's time of appending in milliseconds since 1970, if the topic replaces the records' own timestamps.
    pub log_append_time_ms: Option<i64>,
}

/// What became of the records of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The partition.
    pub partition: PartitionIndex,
    /// The batch.
    pub batch: BatchId,
    /// Which of its records.
    pub portion: Portion,
    /// Acknowledged, or failed and what is known about it.
    pub result: Result<Acknowledged, ProduceError>,
}
