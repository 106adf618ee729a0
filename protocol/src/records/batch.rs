use bytes::Bytes;

use super::control::ControlRecord;
use super::error::{Corrupt, CorruptReason};
use super::layout::{
    ATTRIBUTES, BASE_OFFSET, BASE_SEQUENCE, BASE_TIMESTAMP, BATCH_HEADER_LEN, CODEC_MASK, CONTROL, COUNT,
    CRC, DELETE_HORIZON, LAST_OFFSET_DELTA, LEADER_EPOCH, LENGTH, LOG_APPEND_TIME, MAGIC, MAGIC_END,
    MAX_TIMESTAMP, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, PREFIX_LEN, PRODUCER_EPOCH, PRODUCER_ID,
    TRANSACTIONAL, i16_at, i32_at, i64_at, sequence_after, u32_at,
};
use super::legacy::{self, Message};
use super::read::{ReadOptions, RecordIter, Records, Scratch};
use super::v2;
use crate::compression::Compression;

/// What the timestamps of a batch's records mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// Format 0 has no timestamps.
    None,
    /// The producer set them.
    CreateTime,
    /// The broker set them when it appended the batch.
    LogAppendTime,
}

/// A record batch within a buffer, of which only the header has been looked at.
///
/// A message of format 0 or 1, or a compressed set of them, counts as a batch.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    magic: i8,
    compression: Compression,
}

impl<'a> Batch<'a> {
    /// Reads the header at the front of `bytes`, which may hold more batches after it.
    ///
    /// `None` stands for a batch that is cut short. Brokers cut responses anywhere, so that is no error.
    ///
    /// # Errors
    /// [`Corrupt`] if the header is none.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Self>, Corrupt> {
        Self::parse_at(bytes, 0)
    }

    /// Reads the header at `buffer[at..]`.
    pub(super) fn parse_at(buffer: &'a [u8], at: usize) -> Result<Option<Self>, Corrupt> {
        let rest = buffer.get(at..).unwrap_or_default();
        if rest.len() < MAGIC_END {
            return Ok(None);
        }
        let corrupt = |place, reason| {
            Err(Corrupt { batch_at: at, at: place, batch_offset: Some(i64_at(rest, BASE_OFFSET)), reason })
        };
        let [magic] = rest.get(MAGIC..).and_then(|rest| rest.first_chunk()).map_or([0], |magic| *magic);
        let magic = i8::from_be_bytes([magic]);
        let length = i32_at(rest, LENGTH);
        let min_length = match magic {
            0 => legacy::MIN_LEN_0,
            1 => legacy::MIN_LEN_1,
            2 => 49,
            _ if length < legacy::MIN_LEN_0 => return corrupt(LENGTH, CorruptReason::Length(length)),
            _ => return corrupt(MAGIC, CorruptReason::UnknownFormat(magic)),
        };
        if length < min_length {
            return corrupt(LENGTH, CorruptReason::Length(length));
        }
        let len = usize::try_from(length).map_or(usize::MAX, |length| length.saturating_add(PREFIX_LEN));
        let Some(bytes) = rest.get(..len) else { return Ok(None) };
        let mut batch = Self { bytes, at, magic, compression: Compression::None };
        let codec = u8::try_from(batch.attributes() & CODEC_MASK).unwrap_or(u8::MAX);
        match Compression::from_id(codec) {
            Some(Compression::Zstd) | None if magic < 2 => {
                return corrupt(MAGIC_END, CorruptReason::UnknownCodec(codec));
            }
            Some(compression) => batch.compression = compression,
            None => return corrupt(ATTRIBUTES, CorruptReason::UnknownCodec(codec)),
        }
        match batch.check_ranges() {
            Ok(()) => Ok(Some(batch)),
            Err((place, reason)) => corrupt(place, reason),
        }
    }

    /// Refuses headers whose offsets would lead a reader backwards or nowhere.
    fn check_ranges(&self) -> Result<(), (usize, CorruptReason)> {
        let base = self.base_offset();
        if base < 0 || base.checked_add(i64::from(i32::MAX)).is_none() {
            return Err((BASE_OFFSET, CorruptReason::OffsetRange));
        }
        if self.magic == 2 {
            if i32_at(self.bytes, LAST_OFFSET_DELTA) < 0 {
                return Err((LAST_OFFSET_DELTA, CorruptReason::OffsetRange));
            }
            let count = i32_at(self.bytes, COUNT);
            if count < 0 {
                return Err((COUNT, CorruptReason::Count(count)));
            }
        }
        Ok(())
    }

    /// The format: 0, 1 or 2.
    #[inline]
    pub fn magic(&self) -> i8 {
        self.magic
    }

    /// The batch's bytes.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the batch starts in the buffer it was found in.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The batch's size in bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a batch has a header at least")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The offset of the first record that the batch was written with. The header of a compressed set of
    /// format 0 or 1 has only the last record's offset: this is that.
    #[inline]
    pub fn base_offset(&self) -> i64 {
        i64_at(self.bytes, BASE_OFFSET)
    }

    /// The offset of the last record that the batch was written with; compaction may have removed it.
    #[inline]
    pub fn last_offset(&self) -> i64 {
        let delta = if self.magic == 2 { i32_at(self.bytes, LAST_OFFSET_DELTA) } else { 0 };
        self.base_offset() + i64::from(delta)
    }

    /// The offset after the batch: where a reader goes on, whichever records are left in the batch.
    ///
    /// Old versions of librdkafka produced compressed sets of format 1 with offset 0 in the header: after
    /// one of those, go on after its last record.
    #[inline]
    pub fn next_offset(&self) -> i64 {
        self.last_offset() + 1
    }

    /// The number of records, or `None` if the header does not say (a compressed set of format 0 or 1).
    #[inline]
    pub fn count(&self) -> Option<i32> {
        match (self.magic, self.compression) {
            (2, _) => Some(i32_at(self.bytes, COUNT)),
            (_, Compression::None) => Some(1),
            _ => None,
        }
    }

    /// The epoch of the leader that appended the batch, if it is known.
    #[inline]
    pub fn leader_epoch(&self) -> Option<i32> {
        self.field(LEADER_EPOCH, i32_at).filter(|epoch| *epoch >= 0)
    }

    /// The codec of the records.
    #[inline]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// What the records' timestamps mean.
    pub fn timestamp_type(&self) -> TimestampType {
        match self.magic {
            0 => TimestampType::None,
            _ if self.attributes() & LOG_APPEND_TIME != 0 => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        }
    }

    /// The highest timestamp (the append time, if the broker set it), or -1.
    #[inline]
    pub fn max_timestamp(&self) -> i64 {
        self.field(MAX_TIMESTAMP, i64_at).unwrap_or_else(|| self.message().timestamp())
    }

    /// What the records' timestamps are relative to in format 2: the first record's timestamp, or the
    /// [delete horizon](Self::delete_horizon) if there is one.
    #[inline]
    pub fn base_timestamp(&self) -> Option<i64> {
        self.field(BASE_TIMESTAMP, i64_at)
    }

    /// When tombstones and markers of a compacted batch may be removed, in milliseconds since the Unix epoch
    /// (KIP-534).
    pub fn delete_horizon(&self) -> Option<i64> {
        self.base_timestamp().filter(|_| self.has(DELETE_HORIZON))
    }

    /// The producer id, or [`NO_PRODUCER_ID`].
    #[inline]
    pub fn producer_id(&self) -> i64 {
        self.field(PRODUCER_ID, i64_at).unwrap_or(NO_PRODUCER_ID)
    }

    /// The producer's epoch, or [`NO_PRODUCER_EPOCH`].
    #[inline]
    pub fn producer_epoch(&self) -> i16 {
        self.field(PRODUCER_EPOCH, i16_at).unwrap_or(NO_PRODUCER_EPOCH)
    }

    /// The sequence number of the first record, or [`NO_SEQUENCE`].
    #[inline]
    pub fn base_sequence(&self) -> i32 {
        self.field(BASE_SEQUENCE, i32_at).unwrap_or(NO_SEQUENCE)
    }

    /// The sequence number of the last record that the batch was written with, or [`NO_SEQUENCE`].
    pub fn last_sequence(&self) -> i32 {
        sequence_after(self.base_sequence(), self.field(LAST_OFFSET_DELTA, i32_at).unwrap_or(0))
    }

    /// Whether the batch is part of a transaction.
    #[inline]
    pub fn is_transactional(&self) -> bool {
        self.has(TRANSACTIONAL)
    }

    /// Whether the batch holds a control record instead of data.
    #[inline]
    pub fn is_control(&self) -> bool {
        self.has(CONTROL)
    }

    /// Checks the checksum: CRC-32C in format 2, CRC-32 before.
    ///
    /// # Errors
    /// [`Corrupt`] with [`CorruptReason::Checksum`].
    pub fn verify_checksum(&self) -> Result<(), Corrupt> {
        let verified = if self.magic == 2 {
            let expected = u32_at(self.bytes, CRC);
            let actual = crc32c::crc32c(self.bytes.get(ATTRIBUTES..).unwrap_or_default());
            if expected == actual { Ok(()) } else { Err(CorruptReason::Checksum { expected, actual }) }
        } else {
            self.message().verify()
        };
        verified.map_err(|reason| self.corrupt(CRC, reason))
    }

    /// Checks and decompresses the batch, and reads its records.
    ///
    /// The records borrow the batch, or `scratch` if they were compressed. Reading them allocates nothing.
    ///
    /// # Errors
    /// [`Corrupt`] if the checksum is wrong, or the payload cannot be decompressed within the limit.
    pub fn open<'s>(&self, scratch: &'s mut Scratch, options: &ReadOptions) -> Result<RecordIter<'s>, Corrupt>
    where
        'a: 's,
    {
        RecordIter::open(self, scratch, options)
    }

    /// Checks and decompresses the batch into a value that owns its bytes (`source` must be the buffer that
    /// the batch was found in): uncompressed records stay where they are, compressed ones get a buffer.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn to_records(
        &self,
        source: &Bytes,
        scratch: &mut Scratch,
        options: &ReadOptions,
    ) -> Result<Records, Corrupt> {
        Records::open(self, source, scratch, options)
    }

    /// Reads the control record of a control batch; `None` for other batches, and for one whose record was compacted
    /// away: brokers keep such a batch, empty, for the sake of the producer's state.
    ///
    /// # Errors
    /// [`Corrupt`] if the batch or its record is malformed.
    pub fn control_record(&self, options: &ReadOptions) -> Result<Option<ControlRecord>, Corrupt> {
        if !self.is_control() {
            return Ok(None);
        }
        let mut scratch = Scratch::new();
        let malformed = || self.corrupt(BATCH_HEADER_LEN, CorruptReason::ControlRecord);
        let Some(record) = self.open(&mut scratch, options)?.next() else { return Ok(None) };
        let record = record?;
        ControlRecord::decode(record.key, record.value).map(Some).ok_or_else(malformed)
    }

    #[inline]
    pub(super) fn attributes(&self) -> i16 {
        if self.magic == 2 { i16_at(self.bytes, ATTRIBUTES) } else { self.message().attributes() }
    }

    #[inline]
    pub(super) fn message(&self) -> Message<'a> {
        Message::new(self.bytes)
    }

    /// The records as they are stored. Only for format 2.
    pub(super) fn payload(&self) -> &'a [u8] {
        self.bytes.get(BATCH_HEADER_LEN..).unwrap_or_default()
    }

    pub(super) fn base(&self) -> v2::Base {
        v2::Base {
            offset: self.base_offset(),
            last_offset_delta: i32_at(self.bytes, LAST_OFFSET_DELTA),
            timestamp: i64_at(self.bytes, BASE_TIMESTAMP),
            append_time: self.has(LOG_APPEND_TIME).then(|| self.max_timestamp()),
            count: i32_at(self.bytes, COUNT),
        }
    }

    #[cold]
    pub(super) fn corrupt(&self, at: usize, reason: CorruptReason) -> Corrupt {
        Corrupt { batch_at: self.at, at, batch_offset: Some(self.base_offset()), reason }
    }

    #[inline]
    fn has(&self, flag: i16) -> bool {
        self.magic == 2 && self.attributes() & flag != 0
    }

    #[inline]
    fn field<T>(&self, at: usize, read: impl FnOnce(&[u8], usize) -> T) -> Option<T> {
        (self.magic == 2).then(|| read(self.bytes, at))
    }
}
