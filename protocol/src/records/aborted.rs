use std::collections::BTreeSet;

use super::batch::Batch;
use super::control::ControlRecord;
use super::error::Corrupt;
use super::read::ReadOptions;

/// An aborted transaction, as a Fetch response lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbortedTransaction {
    /// The offset of the transaction's first record.
    pub first_offset: i64,
    /// The producer id.
    pub producer_id: i64,
}

/// Says which batches of one Fetch response a reader of committed data sees.
///
/// Made for one partition of one response: the broker lists anew in each what concerns its batches.
#[derive(Debug, Clone, Default)]
pub struct AbortedFilter {
    /// Sorted by first offset, last first.
    ahead: Vec<AbortedTransaction>,
    /// Producers whose transaction under way was aborted.
    aborting: BTreeSet<i64>,
}

impl AbortedFilter {
    /// Takes the list in any order: not every broker sorts it.
    pub fn new(aborted: impl IntoIterator<Item = AbortedTransaction>) -> Self {
        let mut ahead: Vec<_> = aborted.into_iter().collect();
        ahead.sort_unstable_by(|a, b| b.cmp(a));
        Self { ahead, aborting: BTreeSet::new() }
    }

    /// Looks at the next batch, and says whether its records are committed data.
    ///
    /// Every batch of the response must be shown, in order. Control batches are never data.
    ///
    /// # Errors
    /// [`Corrupt`] if a control batch is malformed.
    pub fn is_visible(&mut self, batch: &Batch<'_>, options: &ReadOptions) -> Result<bool, Corrupt> {
        let producer_id = batch.producer_id();
        if producer_id < 0 {
            return Ok(!batch.is_control());
        }
        while let Some(transaction) = self.ahead.pop_if(|next| next.first_offset <= batch.last_offset()) {
            self.aborting.insert(transaction.producer_id);
        }
        if batch.is_control() {
            if let Some(ControlRecord::Abort(_)) = batch.control_record(options)? {
                self.aborting.remove(&producer_id);
            }
            return Ok(false);
        }
        Ok(!(batch.is_transactional() && self.aborting.contains(&producer_id)))
    }
}
