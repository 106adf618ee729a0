use thiserror::Error;

use super::layout::{BATCH_HEADER_LEN, NO_TIMESTAMP};
use super::record::RecordRef;
use super::sealed::SealedBatch;
use super::varint::{MAX_I32_LEN, MAX_I64_LEN, Small, len_i32, len_i64, one_byte};
use crate::compression::{Compression, Compressor};

/// How large a batch may become. Sizes count the 61-byte header and are taken before compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// A batch that holds a record takes no further one beyond this size, in bytes (`batch.size`).
    pub target_bytes: usize,
    /// No batch grows beyond this size, in bytes (`max.request.size`); a single record may use all of it.
    pub max_bytes: usize,
}

impl Default for BatchLimits {
    /// The Java client's defaults: 16 KiB and 1 MiB.
    fn default() -> Self {
        Self { target_bytes: 16_384, max_bytes: 1_048_576 }
    }
}

/// Why a record was not appended. The batch is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The batch has no room for the record, an empty one has.
    #[error("the batch is full")]
    Full,
    /// Not even an empty batch has room for the record.
    #[error("a batch with this record takes {needed_bytes} bytes, more than the limit of {max_bytes}")]
    TooLarge {
        /// The size of a batch with only this record, in bytes.
        needed_bytes: usize,
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// The timestamp is negative and not [`NO_TIMESTAMP`].
    #[error("timestamp {0} is negative: use milliseconds since 1970, or -1 for none")]
    Timestamp(i64),
}

/// An open batch of format 2. Appending encodes a record straight into the batch's buffer: one copy, and no
/// allocation but for the buffer's growth.
///
/// The size is exact at any time: a batch never exceeds its [`BatchLimits`].
#[derive(Debug, Clone)]
pub struct BatchEncoder {
    limits: BatchLimits,
    buffer: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

/// The sizes of a record at its place in a batch.
struct Fit {
    body_len: i32,
    whole_len: usize,
    timestamp_delta: i64,
}

impl BatchEncoder {
    /// The buffer's first allocation, unless the target is smaller or the record larger.
    const FIRST_CAPACITY: usize = 4096;

    /// An empty batch. Nothing is allocated before the first record.
    pub fn new(limits: BatchLimits) -> Self {
        // A batch's length is a signed 32-bit number that leaves out the first 12 bytes.
        let max_bytes = limits.max_bytes.min(i32::MAX.unsigned_abs() as usize);
        let limits = BatchLimits { target_bytes: limits.target_bytes.min(max_bytes), max_bytes };
        Self {
            limits,
            buffer: Vec::new(),
            count: 0,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
        }
    }

    /// Makes room for a batch of `bytes` in all (within the limits), for callers that know what comes.
    pub fn reserve(&mut self, bytes: usize) {
        let wanted = bytes.min(self.limits.max_bytes).saturating_sub(BATCH_HEADER_LEN);
        self.buffer.reserve(wanted.saturating_sub(self.buffer.len()));
    }

    /// Appends a record and returns its offset delta: its place in the batch, counted from 0.
    ///
    /// # Errors
    /// [`AppendError`]; the batch is then unchanged.
    #[inline]
    pub fn append(&mut self, record: &RecordRef<'_>) -> Result<i32, AppendError> {
        let fit = self.fit(record)?;
        let delta = self.count;
        if self.buffer.capacity() - self.buffer.len() < fit.whole_len {
            self.grow(fit.whole_len);
        }
        self.write(record, &fit);
        if delta == 0 {
            self.base_timestamp = record.timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.count += 1;
        Ok(delta)
    }

    #[inline]
    fn fit(&self, record: &RecordRef<'_>) -> Result<Fit, AppendError> {
        let timestamp = record.timestamp;
        if timestamp < NO_TIMESTAMP {
            return Err(AppendError::Timestamp(timestamp));
        }
        let timestamp_delta = if self.count == 0 { 0 } else { timestamp - self.base_timestamp };
        let body_len = 1 + len_i64(timestamp_delta) + len_i32(self.count) + payload_len(record);
        // Any length beyond i32 exceeds the limits, whatever its own length is taken for.
        let body_len_32 = i32::try_from(body_len).unwrap_or(i32::MAX);
        let whole_len = len_i32(body_len_32) + body_len;
        let len = self.len() + whole_len;
        if len > self.limits.target_bytes && (self.count > 0 || len > self.limits.max_bytes) {
            return Err(self.refusal(record));
        }
        Ok(Fit { body_len: body_len_32, whole_len, timestamp_delta })
    }

    #[cold]
    fn refusal(&self, record: &RecordRef<'_>) -> AppendError {
        let needed_bytes = Self::len_alone(record);
        let max_bytes = self.limits.max_bytes;
        if needed_bytes > max_bytes {
            AppendError::TooLarge { needed_bytes, max_bytes }
        } else {
            AppendError::Full
        }
    }

    #[cold]
    fn grow(&mut self, needed: usize) {
        let limit = if self.count == 0 { self.limits.max_bytes } else { self.limits.target_bytes };
        let most = limit.saturating_sub(BATCH_HEADER_LEN + self.buffer.len());
        let wanted = self.buffer.len().max(Self::FIRST_CAPACITY.min(self.limits.target_bytes));
        // The last step takes all that is left, rather than leave a small one to come.
        let step = if wanted.saturating_mul(2) >= most { most } else { wanted };
        self.buffer.reserve_exact(step.max(needed));
    }

    #[inline]
    fn write(&mut self, record: &RecordRef<'_>, fit: &Fit) {
        let mut small = Small::new();
        small.i32(fit.body_len);
        small.byte(0);
        small.i64(fit.timestamp_delta);
        small.i32(self.count);
        small.i32(nullable_len(record.key));
        let Some(key) = record.key.filter(|key| !key.is_empty()) else {
            small.i32(nullable_len(record.value));
            small.append_to(&mut self.buffer);
            return self.write_rest(record);
        };
        small.append_to(&mut self.buffer);
        self.buffer.extend_from_slice(key);
        self.write_len(nullable_len(record.value));
        self.write_rest(record);
    }

    /// Writes what follows the value's length.
    #[inline]
    fn write_rest(&mut self, record: &RecordRef<'_>) {
        self.buffer.extend_from_slice(record.value.unwrap_or_default());
        if record.headers.is_empty() {
            self.buffer.push(0);
        } else {
            self.write_headers(record);
        }
    }

    #[inline(never)]
    fn write_headers(&mut self, record: &RecordRef<'_>) {
        self.write_len(len_32(record.headers.len()));
        for header in record.headers {
            self.write_len(len_32(header.key.len()));
            self.buffer.extend_from_slice(header.key.as_bytes());
            self.write_len(nullable_len(header.value));
            self.buffer.extend_from_slice(header.value.unwrap_or_default());
        }
    }

    #[inline]
    fn write_len(&mut self, len: i32) {
        if let Some(byte) = one_byte(len) {
            return self.buffer.push(byte);
        }
        let mut small = Small::new();
        small.i32(len);
        small.append_to(&mut self.buffer);
    }

    /// The batch's size in bytes, header included, before compression.
    #[inline]
    pub fn len(&self) -> usize {
        BATCH_HEADER_LEN + self.buffer.len()
    }

    /// Whether the batch holds no record.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The number of records.
    #[inline]
    pub fn count(&self) -> i32 {
        self.count
    }

    /// The limits, as they apply.
    #[inline]
    pub fn limits(&self) -> BatchLimits {
        self.limits
    }

    /// The bytes of memory that the batch's buffer takes.
    #[inline]
    pub fn memory(&self) -> usize {
        self.buffer.capacity()
    }

    /// The first record's timestamp, or [`NO_TIMESTAMP`] if there is none.
    #[inline]
    pub fn base_timestamp(&self) -> i64 {
        self.base_timestamp
    }

    /// The highest timestamp, or [`NO_TIMESTAMP`] if there is none.
    #[inline]
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// Whether a record would be taken now.
    ///
    /// # Errors
    /// What [`append`](Self::append) would give.
    #[inline]
    pub fn check(&self, record: &RecordRef<'_>) -> Result<(), AppendError> {
        self.fit(record).map(|_| ())
    }

    /// The exact size of a batch with only this record, in bytes, before compression.
    #[inline]
    pub fn len_alone(record: &RecordRef<'_>) -> usize {
        let body_len = 3 + payload_len(record);
        BATCH_HEADER_LEN + len_i32(len_32(body_len)) + body_len
    }

    /// The most bytes that this record can add to any batch, without the batch's header.
    #[inline]
    pub fn encoded_len_upper_bound(record: &RecordRef<'_>) -> usize {
        MAX_I32_LEN + 1 + MAX_I64_LEN + MAX_I32_LEN + payload_len(record)
    }

    /// Closes the batch: compresses it at the codec's default level and computes its checksum.
    ///
    /// A batch that compression would not make smaller is left uncompressed: a sealed batch is never larger
    /// than the open one. See [`seal_with`](Self::seal_with) for levels, and to keep the codec's tables.
    pub fn seal(self, compression: Compression) -> SealedBatch {
        self.seal_with(&mut Compressor::new(compression))
    }

    /// Closes the batch with a compressor that is kept, as [`seal`](Self::seal).
    pub fn seal_with(self, compressor: &mut Compressor) -> SealedBatch {
        SealedBatch::new(self.buffer, self.count, (self.base_timestamp, self.max_timestamp), compressor)
    }
}

/// What key, value and headers take, their lengths included.
#[inline]
fn payload_len(record: &RecordRef<'_>) -> usize {
    let headers = if record.headers.is_empty() { 1 } else { headers_len(record) };
    nullable_encoded_len(record.key) + nullable_encoded_len(record.value) + headers
}

#[inline(never)]
fn headers_len(record: &RecordRef<'_>) -> usize {
    let each = record.headers.iter().map(|header| {
        len_i32(len_32(header.key.len())) + header.key.len() + nullable_encoded_len(header.value)
    });
    len_i32(len_32(record.headers.len())) + each.sum::<usize>()
}

#[inline]
fn nullable_encoded_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| len_i32(len_32(bytes.len())) + bytes.len())
}

#[inline]
fn nullable_len(bytes: Option<&[u8]>) -> i32 {
    bytes.map_or(-1, |bytes| len_32(bytes.len()))
}

/// A length as it is encoded. Longer ones than `i32` never fit a batch, so they are never encoded.
#[inline]
fn len_32(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}
