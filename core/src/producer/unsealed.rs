//! What the control plane knows of the batches that are still in their buffer.

use alloc::collections::VecDeque;

use super::{BatchId, batch::Opened};

/// The batches of one partition that were opened and not sealed.
#[derive(Debug, Default)]
pub(super) struct Unsealed {
    batches: VecDeque<Opened>,
    /// The id of the first of them, or of the next one that will be opened.
    first: BatchId,
    /// Batches below this one are to be sealed without waiting for more records.
    due_below: BatchId,
    /// The batch that the driver was asked to seal and has not given yet.
    sealing: Option<BatchId>,
}

impl Unsealed {
    pub(super) const fn first(&self) -> BatchId {
        self.first
    }

    /// The id after the last one that was opened.
    pub(super) fn end(&self) -> BatchId {
        BatchId(self.first.0 + self.batches.len() as u64)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    pub(super) fn oldest(&self) -> Option<Opened> {
        self.batches.front().copied()
    }

    /// A batch was opened, and so was every one before it. Returns how many of them are news.
    pub(super) fn open(&mut self, batch: BatchId, opened: Opened) -> u64 {
        let news = (batch.0 + 1).saturating_sub(self.end().0);
        for _ in 0..news {
            self.batches.push_back(opened);
        }
        news
    }

    /// Batches below `end` wait for no more records.
    pub(super) fn make_due(&mut self, end: BatchId) {
        self.due_below = self.due_below.max(end);
    }

    /// The oldest batch waits for no more records.
    pub(super) fn make_oldest_due(&mut self) {
        self.make_due(self.first.next());
    }

    /// Whether the oldest batch is closed because there is a younger one.
    pub(super) fn is_oldest_closed(&self) -> bool {
        self.batches.len() > 1
    }

    pub(super) fn is_due(&self) -> bool {
        !self.is_empty() && self.due_below > self.first
    }

    /// Removes the oldest: it was sealed, or has its outcome.
    pub(super) fn pop(&mut self) -> Option<(BatchId, Opened)> {
        let opened = self.batches.pop_front()?;
        let batch = self.first;
        self.first = batch.next();
        Some((batch, opened))
    }

    pub(super) const fn is_sealing(&self) -> bool {
        self.sealing.is_some()
    }

    pub(super) const fn begin_sealing(&mut self) {
        self.sealing = Some(self.first);
    }

    /// Ends sealing; returns the batch that was the oldest when it began.
    pub(super) const fn end_sealing(&mut self) -> Option<BatchId> {
        self.sealing.take()
    }
}
