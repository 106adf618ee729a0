//! Records that own their bytes: slices of the response, or of one buffer for each compressed batch.

use alloc::vec::Vec;

use bytes::Bytes;
use klamm_protocol::{
    Str,
    compression::Compression,
    records::{Batches, ControlRecord, Corrupt, Record, RecordIter, RecordPlace, Records, Scratch},
};

use super::ChunkReader;

/// The records of one batch, owning their bytes.
#[derive(Clone, Debug)]
pub struct OwnedBatch {
    records: Records,
    from: i64,
    /// What its records were decompressed into, in bytes.
    decompressed: usize,
    control: Option<ControlRecord>,
    leader_epoch: i32,
}

/// The records of one batch, in order, borrowed. Ends after the first error.
#[derive(Clone, Debug)]
pub struct OwnedBatchIter<'a> {
    records: RecordIter<'a>,
    from: i64,
}

/// A record that owns its bytes. They are shared with the batch that it came from, and keep that in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    /// The record's offset in its partition.
    pub offset: i64,
    /// Milliseconds since 1970; -1 if it has none.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers, in order; keys may repeat.
    pub headers: Vec<OwnedHeader>,
}

/// A header that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedHeader {
    /// The key.
    pub key: Str,
    /// The value; null and empty differ.
    pub value: Option<Bytes>,
}

impl ChunkReader {
    /// As [`ChunkReader::next_batch`], with the records in memory of their own.
    ///
    /// # Errors
    ///
    /// A batch is corrupt: [`ChunkReader::next_offset`] is then still before it.
    pub fn next_owned(&mut self, scratch: &mut Scratch) -> Option<Result<OwnedBatch, Corrupt>> {
        let at = match self.next_visible()? {
            Ok(at) => at,
            Err(corrupt) => return Some(Err(corrupt)),
        };
        let batch = match Batches::from_position(&self.data, at).next()? {
            Ok(batch) => batch,
            Err(corrupt) => return Some(Err(corrupt)),
        };
        match batch.to_records(&self.data, scratch, &self.options) {
            Ok(records) => {
                self.next_offset = batch.next_offset().max(self.next_offset);
                self.leader_epoch = batch.leader_epoch().unwrap_or(-1);
                let compressed = batch.compression() != Compression::None;
                let decompressed = if compressed { records.payload().len() } else { 0 };
                let control = match batch.control_record(&self.options) {
                    Ok(control) => control,
                    Err(corrupt) => {
                        self.failed = true;
                        return Some(Err(corrupt));
                    }
                };
                let leader_epoch = self.leader_epoch;
                Some(Ok(OwnedBatch { records, from: self.from, decompressed, control, leader_epoch }))
            }
            Err(corrupt) => {
                self.failed = true;
                Some(Err(corrupt))
            }
        }
    }
}

impl OwnedBatch {
    /// The marker that it is, if it is one and they are [shown](ChunkReader::show_control).
    #[must_use]
    pub const fn control(&self) -> Option<ControlRecord> {
        self.control
    }

    /// The bytes of memory that it takes beside the chunk that it came from: what it was decompressed into.
    #[must_use]
    pub const fn decompressed_bytes(&self) -> usize {
        self.decompressed
    }

    /// The leader epoch in which it was written; -1 if it is not known.
    #[must_use]
    pub const fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// The records, in order, borrowed. Ends after the first error.
    #[must_use]
    pub fn iter(&self) -> OwnedBatchIter<'_> {
        OwnedBatchIter { records: self.records.iter(), from: self.from }
    }

    /// The records from a [place](OwnedBatchIter::place) of this very batch on.
    #[must_use]
    pub fn iter_from(&self, place: RecordPlace) -> OwnedBatchIter<'_> {
        OwnedBatchIter { records: self.records.iter_from(place), from: self.from }
    }

    /// The records, in order, owned. Allocates for headers only.
    pub fn iter_owned(&self) -> impl Iterator<Item = Result<OwnedRecord, Corrupt>> + '_ {
        self.iter().map(|record| record.map(|record| self.own(&record)))
    }

    /// One of its records, owned. Allocates for headers only.
    ///
    /// # Panics
    ///
    /// If the record is of another batch.
    #[must_use]
    pub fn own(&self, record: &Record<'_>) -> OwnedRecord {
        OwnedRecord {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(|key| self.share(key)),
            value: record.value.map(|value| self.share(value)),
            headers: record
                .headers
                .iter()
                .map(|header| OwnedHeader {
                    key: Str::copy_of(header.key),
                    value: header.value.map(|value| self.share(value)),
                })
                .collect(),
        }
    }

    /// A part of the records as bytes that share their memory.
    fn share(&self, part: &[u8]) -> Bytes {
        self.records.payload().slice_ref(part)
    }
}

impl<'a> IntoIterator for &'a OwnedBatch {
    type Item = Result<Record<'a>, Corrupt>;
    type IntoIter = OwnedBatchIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl OwnedBatchIter<'_> {
    /// Where the next record begins.
    #[must_use]
    pub fn place(&self) -> RecordPlace {
        self.records.place()
    }
}

impl<'a> Iterator for OwnedBatchIter<'a> {
    type Item = Result<Record<'a>, Corrupt>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.records.next()? {
                Ok(record) if record.offset < self.from => {}
                other => return Some(other),
            }
        }
    }
}
