//! Where the fields of a batch header of format 2 lie, and reading them.

/// Size of a batch header of format 2, in bytes.
pub const BATCH_HEADER_LEN: usize = 61;
/// The timestamp of records that have none.
pub const NO_TIMESTAMP: i64 = -1;
/// The producer id of batches that are not idempotent.
pub const NO_PRODUCER_ID: i64 = -1;
/// The producer epoch of batches that are not idempotent.
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The base sequence of batches that are not idempotent.
pub const NO_SEQUENCE: i32 = -1;

pub(super) const BASE_OFFSET: usize = 0;
pub(super) const LENGTH: usize = 8;
pub(super) const LEADER_EPOCH: usize = 12;
pub(super) const MAGIC: usize = 16;
pub(super) const CRC: usize = 17;
pub(super) const ATTRIBUTES: usize = 21;
pub(super) const LAST_OFFSET_DELTA: usize = 23;
pub(super) const BASE_TIMESTAMP: usize = 27;
pub(super) const MAX_TIMESTAMP: usize = 35;
pub(super) const PRODUCER_ID: usize = 43;
pub(super) const PRODUCER_EPOCH: usize = 51;
pub(super) const BASE_SEQUENCE: usize = 53;
pub(super) const COUNT: usize = 57;

/// Base offset and length: what every format starts with, and what the length does not count.
pub(super) const PREFIX_LEN: usize = 12;
/// Bytes of a batch that must be there to know its format.
pub(super) const MAGIC_END: usize = 17;

pub(super) const CODEC_MASK: i16 = 0x07;
pub(super) const LOG_APPEND_TIME: i16 = 0x08;
pub(super) const TRANSACTIONAL: i16 = 0x10;
pub(super) const CONTROL: i16 = 0x20;
pub(super) const DELETE_HORIZON: i16 = 0x40;

pub(super) type BatchHeader = [u8; BATCH_HEADER_LEN];

/// The bytes at a fixed place. The callers' places are constants within the arrays they read.
#[inline]
fn at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

#[inline]
pub(super) fn i16_at(bytes: &[u8], offset: usize) -> i16 {
    i16::from_be_bytes(at(bytes, offset))
}

#[inline]
pub(super) fn i32_at(bytes: &[u8], offset: usize) -> i32 {
    i32::from_be_bytes(at(bytes, offset))
}

#[inline]
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes(at(bytes, offset))
}

#[inline]
pub(super) fn i64_at(bytes: &[u8], offset: usize) -> i64 {
    i64::from_be_bytes(at(bytes, offset))
}

/// Writes a field; the callers' places are constants within the header.
#[inline]
pub(super) fn put<const N: usize>(header: &mut BatchHeader, offset: usize, field: [u8; N]) {
    if let Some(place) = header.get_mut(offset..offset + N) {
        place.copy_from_slice(&field);
    }
}

/// The sequence number `delta` records after `base`. Sequences wrap from `i32::MAX` to 0.
///
/// `base` and `delta` must not be negative, except that [`NO_SEQUENCE`] stays as it is.
#[inline]
pub const fn sequence_after(base: i32, delta: i32) -> i32 {
    if base == NO_SEQUENCE {
        return NO_SEQUENCE;
    }
    // Wrapping from MAX to 0 is counting modulo 2^31.
    base.wrapping_add(delta) & i32::MAX
}
