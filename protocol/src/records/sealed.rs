use core::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use super::crc::Shift;
use super::layout::{
    ATTRIBUTES, BASE_OFFSET, BASE_SEQUENCE, BASE_TIMESTAMP, BATCH_HEADER_LEN, BatchHeader, CONTROL, COUNT,
    CRC, LAST_OFFSET_DELTA, LEADER_EPOCH, LENGTH, MAGIC, MAX_TIMESTAMP, NO_PRODUCER_EPOCH, NO_PRODUCER_ID,
    NO_SEQUENCE, PREFIX_LEN, PRODUCER_EPOCH, PRODUCER_ID, TRANSACTIONAL, put,
};
use crate::RecordBytes;
use crate::compression::{Compression, Compressor};

/// A closed batch: its records, compressed, and what its header needs to know of them.
///
/// The header itself is made by [`header`](Self::header), as often as needed. Cloning shares the payload.
#[derive(Clone)]
pub struct SealedBatch {
    payload: Bytes,
    payload_crc: u32,
    shift: Shift,
    compression: Compression,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    plain_len: usize,
    memory: usize,
}

/// The part of a batch's header that is decided when the batch is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The producer id, or [`NO_PRODUCER_ID`].
    pub producer_id: i64,
    /// The producer's epoch, or [`NO_PRODUCER_EPOCH`].
    pub producer_epoch: i16,
    /// The sequence number of the first record, or [`NO_SEQUENCE`].
    pub base_sequence: i32,
    /// Whether the batch is part of a transaction.
    pub transactional: bool,
    /// Whether the batch holds a control record instead of data. Only brokers write such batches.
    pub control: bool,
}

impl Stamp {
    /// The stamp of a batch whose producer is not idempotent.
    pub const NONE: Self = Self {
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        base_sequence: NO_SEQUENCE,
        transactional: false,
        control: false,
    };

    /// The stamp of an idempotent producer's batch (KIP-98).
    #[inline]
    pub const fn idempotent(producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Self {
        Self { producer_id, producer_epoch, base_sequence, ..Self::NONE }
    }

    /// The same for a batch that is part of a transaction.
    #[inline]
    pub const fn transactional(self) -> Self {
        Self { transactional: true, ..self }
    }
}

impl Default for Stamp {
    fn default() -> Self {
        Self::NONE
    }
}

impl SealedBatch {
    pub(super) fn new(
        mut plain: Vec<u8>,
        count: i32,
        (base_timestamp, max_timestamp): (i64, i64),
        compressor: &mut Compressor,
    ) -> Self {
        let plain_len = plain.len();
        let compression = match compressor.compress_smaller(&plain) {
            // They take the place of the plain ones. Memory of their own would come from another of the allocator's
            // arenas, as another thread compresses, and each arena keeps the most that it ever had. Giving a smaller
            // part of a batch back costs more than it is worth.
            Some(compressed) => {
                plain.clear();
                plain.extend_from_slice(compressed);
                if plain.len() < plain.capacity() / 2 {
                    plain.shrink_to_fit();
                }
                compressor.compression()
            }
            None => Compression::None,
        };
        let memory = plain.capacity();
        let payload = Bytes::from(plain);
        let payload_crc = crc32c::crc32c(&payload);
        let shift = Shift::by(payload.len());
        Self {
            payload,
            payload_crc,
            shift,
            compression,
            count,
            base_timestamp,
            max_timestamp,
            plain_len,
            memory,
        }
    }

    /// Makes the batch's header: base offset 0, no leader epoch, and a checksum over header and payload that
    /// is computed without reading the payload.
    pub fn header(&self, stamp: &Stamp) -> [u8; BATCH_HEADER_LEN] {
        let mut header: BatchHeader = [0; BATCH_HEADER_LEN];
        let mut attributes = i16::from(self.compression.id());
        if stamp.transactional {
            attributes |= TRANSACTIONAL;
        }
        if stamp.control {
            attributes |= CONTROL;
        }
        let length = i32::try_from(self.len() - PREFIX_LEN).unwrap_or(i32::MAX);
        put(&mut header, BASE_OFFSET, 0i64.to_be_bytes());
        put(&mut header, LENGTH, length.to_be_bytes());
        put(&mut header, LEADER_EPOCH, (-1i32).to_be_bytes());
        put(&mut header, MAGIC, [2]);
        put(&mut header, ATTRIBUTES, attributes.to_be_bytes());
        put(&mut header, LAST_OFFSET_DELTA, (self.count - 1).max(0).to_be_bytes());
        put(&mut header, BASE_TIMESTAMP, self.base_timestamp.to_be_bytes());
        put(&mut header, MAX_TIMESTAMP, self.max_timestamp.to_be_bytes());
        put(&mut header, PRODUCER_ID, stamp.producer_id.to_be_bytes());
        put(&mut header, PRODUCER_EPOCH, stamp.producer_epoch.to_be_bytes());
        put(&mut header, BASE_SEQUENCE, stamp.base_sequence.to_be_bytes());
        put(&mut header, COUNT, self.count.to_be_bytes());
        let crc = self.shift.combine(crc32c::crc32c(&header[ATTRIBUTES..]), self.payload_crc);
        put(&mut header, CRC, crc.to_be_bytes());
        header
    }

    /// The records, compressed: what follows the header.
    #[inline]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The batch's size in bytes, header included.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a batch has a header at least")]
    pub fn len(&self) -> usize {
        BATCH_HEADER_LEN + self.payload.len()
    }

    /// The batch's size in bytes before compression, header included.
    #[inline]
    pub fn plain_len(&self) -> usize {
        BATCH_HEADER_LEN + self.plain_len
    }

    /// The bytes of memory that the payload takes: not less than its length, as it may lie in the memory that its plain
    /// records took.
    #[inline]
    pub fn memory_bytes(&self) -> usize {
        self.memory
    }

    /// The number of records.
    #[inline]
    pub fn count(&self) -> i32 {
        self.count
    }

    /// The codec: the one asked for, or none where it gained nothing.
    #[inline]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The first record's timestamp.
    #[inline]
    pub fn base_timestamp(&self) -> i64 {
        self.base_timestamp
    }

    /// The highest timestamp.
    #[inline]
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// Header and payload as a produce request carries them: the payload is shared, not copied.
    pub fn to_request(&self, stamp: &Stamp) -> RecordBytes {
        RecordBytes::new(Bytes::copy_from_slice(&self.header(stamp)), self.payload.clone())
    }

    /// Header and payload as one piece, copied.
    pub fn to_bytes(&self, stamp: &Stamp) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.len());
        whole.put_slice(&self.header(stamp));
        whole.put_slice(&self.payload);
        whole.freeze()
    }
}

impl fmt::Debug for SealedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedBatch")
            .field("count", &self.count)
            .field("len", &self.len())
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}
