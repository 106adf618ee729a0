//! What appending a record says.

/// The n-th batch of one partition's buffer, counted from 0 without gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

impl BatchId {
    /// The batch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Whether the control plane should hear of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// No.
    Quiet,
    /// The record opened its batch, and so closed the one before it.
    Opened,
    /// The record filled its batch, which is closed now.
    Full,
    /// The record opened its batch and filled it.
    OpenedFull,
}

impl Signal {
    /// Whether to pass it on to [`Producer::handle_signal`](super::Producer::handle_signal).
    #[must_use]
    pub const fn is_quiet(self) -> bool {
        matches!(self, Self::Quiet)
    }

    /// Whether the batch was filled.
    #[must_use]
    pub const fn is_full(self) -> bool {
        matches!(self, Self::Full | Self::OpenedFull)
    }
}

/// A record was encoded into a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the signal has to reach the control plane"]
pub struct Appended {
    /// The batch that holds the record.
    pub batch: BatchId,
    /// The record's place in the batch, from 0.
    pub index: u32,
    /// Whether the control plane should hear of it.
    pub signal: Signal,
    /// Bytes by which the buffered data grew: what a byte budget is charged until the batch's outcome.
    pub bytes: usize,
    /// Bytes that still fit into the batch, 0 if it is closed.
    pub room: usize,
}
