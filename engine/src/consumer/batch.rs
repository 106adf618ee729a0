//! What a reader is handed: the records of one partition, borrowed.

use std::{fmt, sync::Arc};

use klamm_core::{
    consumer::{OwnedBatch, OwnedBatchIter},
    group::HandedOut,
    planted,
};
use klamm_protocol::{
    Str,
    records::{ControlRecord, Corrupt, Record},
};

use super::{
    ConsumedRecord,
    opened::{Mark, Opened},
};

/// Records of one partition, in the order of their offsets.
///
/// Iterating borrows and allocates nothing. The batch holds a share of the consumer's memory until it is dropped, so
/// do not keep many: copy what is to be kept.
pub struct FetchedBatch {
    opened: Arc<Opened>,
    from: Mark,
    from_offset: i64,
    /// Where another part of what was fetched begins, if this is not all that is left of it.
    until: Option<i64>,
    /// What a group knows it as: dropping it says that it is done with.
    handed: Option<HandedOut>,
}

impl fmt::Debug for FetchedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedBatch")
            .field("topic", self.topic())
            .field("partition", &self.partition())
            .field("from_offset", &self.from_offset())
            .field("next_offset", &self.next_offset())
            .finish_non_exhaustive()
    }
}

impl FetchedBatch {
    /// What was fetched from `from` on, up to the offset `until` if that is not all.
    pub(super) const fn new(
        opened: Arc<Opened>,
        (from, from_offset): (Mark, i64),
        until: Option<i64>,
    ) -> Self {
        Self { opened, from, from_offset, until, handed: None }
    }

    /// The same, known to a group as this.
    pub(crate) fn handed(mut self, handed: Option<HandedOut>) -> Self {
        self.handed = handed;
        self
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &Str {
        &self.opened.topic
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.opened.partition
    }

    /// The records, borrowed from the batch.
    ///
    /// Should one of them be corrupt, the iteration ends before it, the partition is stopped there, and
    /// [`Consumer::next`](super::Consumer::next) reports it once the batch is dropped.
    #[must_use]
    pub fn records(&self) -> BatchRecords<'_> {
        BatchRecords {
            batch: self,
            next: self.from.batch + 1,
            records: self.opened.records_from(self.from),
            next_offset: self.from_offset,
        }
    }

    /// The offsets and contents of the markers that end transactions. There are none unless the consumer was
    /// [built](super::ConsumerBuilder::control_records) to show them.
    pub fn control_records(&self) -> impl Iterator<Item = (i64, ControlRecord)> + '_ {
        let offset = |batch: &OwnedBatch| Some(batch.iter().next()?.ok()?.offset);
        let mine = |offset: i64| offset >= self.from_offset && self.until.is_none_or(|until| offset < until);
        let all = self.opened.batches.iter();
        let all = all.filter_map(move |batch| Some((offset(batch)?, batch.control()?)));
        all.filter(move |(offset, _)| mine(*offset))
    }

    /// Its first record, owned, and the leader epoch of that.
    pub(crate) fn first(&self) -> Option<(ConsumedRecord, Option<i32>)> {
        match self.opened.step(self.from)? {
            Ok((record, batch, _)) if self.until.is_none_or(|until| record.offset < until) => {
                let epoch = Some(batch.leader_epoch()).filter(|epoch| *epoch >= 0);
                Some((ConsumedRecord::new(&self.opened, batch.own(&record)), epoch))
            }
            Ok(_) => None,
            Err(error) => {
                let _ = self.opened.corrupt.set((self.from_offset, error));
                None
            }
        }
    }

    /// What was found to be corrupt, if anything was so far: the offset at which to go on, and what is wrong.
    #[must_use]
    pub fn corrupt(&self) -> Option<(i64, &Corrupt)> {
        let found = self.opened.corrupt.get().filter(|_| self.until.is_none());
        found.map(|(offset, corrupt)| (*offset, corrupt))
    }

    /// The offset from which on these are the records: none has a smaller one.
    #[must_use]
    pub const fn from_offset(&self) -> i64 {
        self.from_offset
    }

    /// The offset at which reading goes on after the batch: what to commit or to store when its records are done
    /// with. It may lie beyond the last record's, because compacted, aborted and control records take offsets too.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.until.unwrap_or(self.opened.chunk.next_offset)
    }

    /// The leader epoch of the last record, to be committed with [`next_offset`](Self::next_offset); `None` if it is not
    /// known (KIP-320).
    #[must_use]
    pub fn leader_epoch(&self) -> Option<i32> {
        let whole = self.until.is_none();
        Some(self.opened.chunk.leader_epoch).filter(|epoch| whole && *epoch >= 0)
    }

    /// The offset after the last record that all in-sync replicas had when the batch was fetched.
    #[must_use]
    pub fn high_watermark(&self) -> i64 {
        self.opened.chunk.high_watermark
    }

    /// The offset before which every transaction was decided when the batch was fetched; `None` if the broker does
    /// not say.
    #[must_use]
    pub fn last_stable_offset(&self) -> Option<i64> {
        Some(self.opened.chunk.last_stable_offset).filter(|offset| *offset >= 0)
    }

    /// The bytes that were fetched. Where [`max_poll_records`](super::ConsumerBuilder::max_poll_records) or
    /// [`max_poll_bytes`](super::ConsumerBuilder::max_poll_bytes) cut what was fetched into batches, each has those of all.
    #[must_use]
    pub fn fetched_bytes(&self) -> usize {
        self.opened.chunk.ticket.bytes
    }

    /// What compressed records among them were decompressed into, in bytes; 0 if none were.
    #[must_use]
    pub fn decompressed_bytes(&self) -> usize {
        self.opened.decompressed
    }
}

impl Drop for FetchedBatch {
    fn drop(&mut self) {
        if let Some(id) = self.handed {
            self.opened.give_back(id);
        }
    }
}

impl<'a> IntoIterator for &'a FetchedBatch {
    type Item = Record<'a>;
    type IntoIter = BatchRecords<'a>;

    fn into_iter(self) -> BatchRecords<'a> {
        self.records()
    }
}

/// The records of a [`FetchedBatch`], in the order of their offsets, borrowed.
#[derive(Clone, Debug)]
pub struct BatchRecords<'a> {
    batch: &'a FetchedBatch,
    /// Which batch of the broker comes next.
    next: usize,
    records: Option<OwnedBatchIter<'a>>,
    next_offset: i64,
}

impl<'a> Iterator for BatchRecords<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        loop {
            match self.records.as_mut()?.next() {
                Some(Ok(record)) if self.batch.until.is_none_or(|until| record.offset < until) => {
                    let offset = record.offset + i64::from(planted!(ValueShifted, every 20));
                    self.next_offset = offset + 1;
                    return Some(Record { offset, ..record });
                }
                Some(Ok(_)) => {
                    self.records = None;
                    return None;
                }
                Some(Err(error)) => {
                    self.records = None;
                    let _ = self.batch.opened.corrupt.set((self.next_offset, error));
                    return None;
                }
                None => {
                    self.records = self.batch.opened.records_from(Mark { batch: self.next, place: None });
                    self.next += 1;
                }
            }
        }
    }
}
