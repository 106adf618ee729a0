//! Reading a chunk: checksums, decompression, and what of it the application sees.
//!
//! This is the reader's side: it needs no lock and no machine. [`ChunkReader`] walks over the batches of one
//! [`Chunk`]; the records of a batch borrow the chunk, or a scratch buffer that is used again for the next batch.
//! Reading a record allocates nothing.

mod owned;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use klamm_protocol::records::{
    AbortedFilter, AbortedTransaction, Batch, Batches, Corrupt, ReadOptions, Record, RecordIter, Scratch,
};

pub use self::owned::{OwnedBatch, OwnedBatchIter, OwnedHeader, OwnedRecord};
use super::{Aborted, Chunk, Isolation};

/// Reads the batches of one chunk, in order.
///
/// Left out are records below the offset that was asked for, control batches (unless
/// [shown](ChunkReader::show_control)), and with [`Isolation::ReadCommitted`] what was aborted.
#[derive(Clone, Debug)]
pub struct ChunkReader {
    data: Bytes,
    /// Where the next batch begins in `data`.
    at: usize,
    from: i64,
    next_offset: i64,
    leader_epoch: i32,
    filter: Option<AbortedFilter>,
    options: ReadOptions,
    control: bool,
    failed: bool,
}

impl ChunkReader {
    /// A reader at the start of `chunk`. The chunk's memory is shared, so its ticket is to be returned only when
    /// the reader and all that was read are dropped.
    #[must_use]
    pub fn new(chunk: &Chunk, options: ReadOptions) -> Self {
        let aborted = (chunk.isolation == Isolation::ReadCommitted).then_some(&*chunk.aborted);
        Self::over(chunk.data.clone(), chunk.from_offset, aborted, options)
    }

    /// A reader of batches from elsewhere, such as a file of a broker's log: from `from_offset` on, and without the
    /// records of `aborted` transactions, where these are given.
    #[must_use]
    pub fn over(data: Bytes, from_offset: i64, aborted: Option<&[Aborted]>, options: ReadOptions) -> Self {
        let transaction = |aborted: &Aborted| AbortedTransaction {
            first_offset: aborted.first_offset,
            producer_id: aborted.producer_id,
        };
        Self {
            data,
            at: 0,
            from: from_offset,
            next_offset: from_offset,
            leader_epoch: -1,
            filter: aborted.map(|aborted| AbortedFilter::new(aborted.iter().map(transaction))),
            options,
            control: false,
            failed: false,
        }
    }

    /// Shows control batches too (the markers of transactions). By default they are left out.
    #[must_use]
    pub const fn show_control(mut self, show: bool) -> Self {
        self.control = show;
        self
    }

    /// The next batch that has something to show, open for reading; `None` at the end of the chunk, and after an
    /// error. Its records are in `scratch` if they were compressed.
    ///
    /// # Errors
    ///
    /// A batch is corrupt: [`ChunkReader::next_offset`] is then still before it.
    pub fn next_batch<'s>(
        &'s mut self,
        scratch: &'s mut Scratch,
    ) -> Option<Result<BatchReader<'s>, Corrupt>> {
        let from = self.from;
        let batch = match self.next_visible()? {
            Ok(at) => at,
            Err(corrupt) => return Some(Err(corrupt)),
        };
        let batch = match Batches::from_position(&self.data, batch).next()? {
            Ok(batch) => batch,
            Err(corrupt) => return Some(Err(corrupt)),
        };
        match batch.open(scratch, &self.options) {
            Ok(records) => {
                self.next_offset = batch.next_offset().max(self.next_offset);
                self.leader_epoch = batch.leader_epoch().unwrap_or(-1);
                Some(Ok(BatchReader { batch, records, next_offset: from.max(batch.base_offset()), from }))
            }
            Err(corrupt) => {
                self.failed = true;
                Some(Err(corrupt))
            }
        }
    }

    /// The offset at which reading goes on after the batches that were read or left out. At the end of the chunk
    /// that is the chunk's, even if nothing was shown.
    #[must_use]
    pub const fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The leader epoch of the batch before [`ChunkReader::next_offset`]; -1 if it is not known.
    #[must_use]
    pub const fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// Goes past the next batch that is to be shown, and returns where it begins. Those that are left out on the
    /// way count as read.
    fn next_visible(&mut self) -> Option<Result<usize, Corrupt>> {
        while !self.failed {
            let batch = match Batches::from_position(&self.data, self.at).next()? {
                Ok(batch) => batch,
                Err(corrupt) => {
                    self.failed = true;
                    return Some(Err(corrupt));
                }
            };
            let begin = self.at;
            let end = begin + batch.len();
            let next = batch.next_offset();
            let visible = match &mut self.filter {
                Some(filter) => filter.is_visible(&batch, &self.options),
                None => Ok(!batch.is_control()),
            };
            let marker = |visible| {
                let shown = visible || (self.control && batch.control_record(&self.options)?.is_some());
                Ok(next > self.from && shown)
            };
            let shown = match visible.and_then(marker) {
                Ok(shown) => shown,
                Err(corrupt) => {
                    self.failed = true;
                    return Some(Err(corrupt));
                }
            };
            let epoch = batch.leader_epoch().unwrap_or(-1);
            self.at = end;
            if shown {
                return Some(Ok(begin));
            }
            self.next_offset = next.max(self.next_offset);
            self.leader_epoch = epoch;
        }
        None
    }
}

/// The records of one batch, in order, borrowed. Ends after the first error.
#[derive(Clone, Debug)]
pub struct BatchReader<'a> {
    batch: Batch<'a>,
    records: RecordIter<'a>,
    from: i64,
    next_offset: i64,
}

impl<'a> BatchReader<'a> {
    /// The batch's header.
    #[must_use]
    pub const fn batch(&self) -> &Batch<'a> {
        &self.batch
    }

    /// The offset after the record that was read last: where to go on if reading ends here, or fails.
    #[must_use]
    pub const fn next_offset(&self) -> i64 {
        self.next_offset
    }
}

impl<'a> Iterator for BatchReader<'a> {
    type Item = Result<Record<'a>, Corrupt>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.records.next()? {
                Ok(record) if record.offset < self.from => {}
                Ok(record) => {
                    self.next_offset = record.offset.saturating_add(1);
                    return Some(Ok(record));
                }
                Err(corrupt) => return Some(Err(corrupt)),
            }
        }
    }
}
