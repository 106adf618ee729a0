//! The data plane: one partition's records, until its batches are sealed.

use alloc::collections::VecDeque;

use klamm_protocol::records::{self, BatchEncoder, BatchLimits, RecordRef};

use super::{AppendError, Appended, BatchId, ProducerConfig, Signal};

/// A batch taken out of its buffer, to be sealed.
#[derive(Debug)]
pub struct TakenBatch {
    /// Which batch.
    pub batch: BatchId,
    /// Its records.
    pub encoder: BatchEncoder,
}

/// The records of one partition that are not sealed yet: closed batches in their order, and one open batch.
///
/// Lives behind its partition's lock; knows nothing of brokers, sequences or time.
#[derive(Debug)]
pub struct PartitionBuffer {
    limits: BatchLimits,
    closed: VecDeque<TakenBatch>,
    open: Option<BatchEncoder>,
    /// The id of the open batch, or of the next one to be opened.
    next: BatchId,
    bytes: usize,
}

impl PartitionBuffer {
    /// An empty buffer; of the configuration it takes `batch_size` and `max_request_size`.
    #[must_use]
    pub const fn new(config: &ProducerConfig) -> Self {
        let limits = BatchLimits { target_bytes: config.batch_size, max_bytes: config.max_request_size };
        Self { limits, closed: VecDeque::new(), open: None, next: BatchId(0), bytes: 0 }
    }

    /// Encodes a record into the open batch. If it does not fit there, that batch is closed and another one opened;
    /// a record that is larger than `batch_size` gets a batch of its own.
    ///
    /// # Errors
    ///
    /// The record is larger than a request may be, or its timestamp is none. Nothing was changed.
    #[inline]
    pub fn append(&mut self, record: &RecordRef<'_>) -> Result<Appended, AppendError> {
        let Some(open) = &mut self.open else { return self.append_to_new(record) };
        let before = open.len();
        match open.append(record) {
            Ok(index) => {
                let after = open.len();
                self.bytes += after - before;
                Ok(self.appended(index, after - before, after, false))
            }
            Err(records::AppendError::Full) => self.append_to_new(record),
            Err(error) => Err(AppendError::of(error)),
        }
    }

    #[cold]
    fn append_to_new(&mut self, record: &RecordRef<'_>) -> Result<Appended, AppendError> {
        let mut encoder = BatchEncoder::new(self.limits);
        let index = encoder.append(record).map_err(AppendError::of)?;
        self.close_open();
        let bytes = encoder.len();
        self.bytes += bytes;
        self.open = Some(encoder);
        Ok(self.appended(index, bytes, bytes, true))
    }

    #[inline]
    fn appended(&mut self, index: i32, bytes: usize, len: usize, opened: bool) -> Appended {
        let batch = self.next;
        let room = self.limits.target_bytes.saturating_sub(len);
        let signal = match (opened, room) {
            (false, 0) => Signal::Full,
            (false, _) => Signal::Quiet,
            (true, 0) => Signal::OpenedFull,
            (true, _) => Signal::Opened,
        };
        if room == 0 {
            self.close_open();
        }
        Appended { batch, index: index.unsigned_abs(), signal, bytes, room }
    }

    fn close_open(&mut self) {
        if let Some(encoder) = self.open.take() {
            self.closed.push_back(TakenBatch { batch: self.next, encoder });
            self.next = self.next.next();
        }
    }

    /// Takes the oldest batch, the open one if no other is there. `None` if there is none at all.
    pub fn take(&mut self) -> Option<TakenBatch> {
        if self.closed.is_empty() {
            self.close_open();
        }
        let taken = self.closed.pop_front()?;
        self.bytes -= taken.encoder.len();
        Some(taken)
    }

    /// Drops the batches up to `through`, whose outcome was reported. Returns the bytes that this freed.
    pub fn discard(&mut self, through: BatchId) -> usize {
        if self.next <= through {
            self.close_open();
        }
        let before = self.bytes;
        while self.closed.front().is_some_and(|oldest| oldest.batch <= through) {
            self.take();
        }
        before - self.bytes
    }

    /// The uncompressed size in bytes of the batch that [`take`](Self::take) would give, 0 if there is none.
    #[must_use]
    pub fn next_len(&self) -> usize {
        self.closed.front().map(|oldest| &oldest.encoder).or(self.open.as_ref()).map_or(0, BatchEncoder::len)
    }

    /// Bytes buffered here.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many batches are buffered here.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.closed.len() + usize::from(self.open.is_some())
    }

    /// Whether nothing is buffered here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_none() && self.closed.is_empty()
    }
}
