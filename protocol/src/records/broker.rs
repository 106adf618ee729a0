//! What a broker does with a produced batch: check it, and stamp it in place.

use thiserror::Error;

use super::batch::Batch;
use super::crc::Shift;
use super::error::{Corrupt, CorruptReason};
use super::layout::{
    ATTRIBUTES, BASE_OFFSET, BATCH_HEADER_LEN, CRC, LAST_OFFSET_DELTA, LEADER_EPOCH, LOG_APPEND_TIME,
    MAX_TIMESTAMP, NO_PRODUCER_ID, i16_at, i32_at, put, u32_at,
};
use super::read::{ReadOptions, Scratch};

/// What [`Batch::validate`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validated {
    /// The number of records.
    pub count: i32,
    /// The highest timestamp among the records. The header may say otherwise: brokers do not refuse that, they
    /// put it right.
    pub max_timestamp: i64,
    /// The offset delta of the first record with the highest timestamp.
    pub max_timestamp_delta: i32,
}

impl Batch<'_> {
    /// Checks everything that a broker checks before it appends a produced batch of format 2: checksum,
    /// count, offset deltas that count up from 0, no bytes left over, a producer state that is whole, no
    /// control records and no append time.
    ///
    /// # Errors
    /// [`Corrupt`], with [`CorruptReason::NotProducible`] for a batch that may be stored but not produced.
    pub fn validate(&self, scratch: &mut Scratch, options: &ReadOptions) -> Result<Validated, Corrupt> {
        let refuse = |what| Err(self.corrupt(ATTRIBUTES, CorruptReason::NotProducible(what)));
        if self.magic() != 2 {
            return refuse("its format is older than 2");
        }
        let base = self.base();
        if base.count <= 0 || i32_at(self.bytes(), LAST_OFFSET_DELTA) != base.count - 1 {
            return refuse("its last offset delta does not fit its count");
        }
        if self.is_control() {
            return refuse("it is a control batch");
        }
        if base.append_time.is_some() {
            return refuse("its timestamps are said to be the broker's");
        }
        // Any negative id is none, and what an epoch is worth is for the producer's state to say.
        if self.producer_id() > NO_PRODUCER_ID && self.base_sequence() < 0 {
            return refuse("its producer id comes without a sequence");
        }
        if self.is_transactional() && self.producer_id() == NO_PRODUCER_ID {
            return refuse("it is transactional without a producer id");
        }
        let mut found = Validated { count: base.count, max_timestamp: i64::MIN, max_timestamp_delta: 0 };
        for (delta, record) in (0..).zip(self.open(scratch, options)?) {
            let record = record?;
            if record.offset - base.offset != i64::from(delta) {
                return refuse("its offset deltas do not count up from 0");
            }
            if record.timestamp > found.max_timestamp {
                found.max_timestamp = record.timestamp;
                found.max_timestamp_delta = delta;
            }
        }
        Ok(found)
    }
}

/// What a broker stamps onto a batch as it appends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// The offset of the batch's first record.
    pub base_offset: i64,
    /// The leader's epoch.
    pub leader_epoch: i32,
    /// What to do about the batch's timestamps.
    pub timestamps: Timestamps,
}

/// What a broker does about the timestamps of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamps {
    /// Leaves them as the producer wrote them.
    Keep,
    /// Puts the header's highest timestamp right: see [`Validated::max_timestamp`].
    Max(i64),
    /// Replaces them by the time of appending, in milliseconds since the Unix epoch
    /// (`message.timestamp.type=LogAppendTime`).
    Append(i64),
}

/// The bytes given to [`assign`] are not one whole batch of format 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not one whole batch of format 2")]
pub struct AssignError;

/// Stamps a batch of format 2 in place. Offset and epoch lie outside the checksum; an append time changes the
/// checksum by what the header's change amounts to, without reading the payload.
///
/// # Errors
/// [`AssignError`] if `batch` is not exactly one batch of format 2; it is then unchanged.
pub fn assign(batch: &mut [u8], assignment: &Assignment) -> Result<(), AssignError> {
    match Batch::parse(batch) {
        Ok(Some(whole)) if whole.magic() == 2 && whole.len() == batch.len() => {}
        _ => return Err(AssignError),
    }
    let payload_len = batch.len() - BATCH_HEADER_LEN;
    let header = batch.first_chunk_mut::<BATCH_HEADER_LEN>().ok_or(AssignError)?;
    put(header, BASE_OFFSET, assignment.base_offset.to_be_bytes());
    put(header, LEADER_EPOCH, assignment.leader_epoch.to_be_bytes());
    let (flag, max_timestamp) = match assignment.timestamps {
        Timestamps::Keep => return Ok(()),
        Timestamps::Max(time) => (0, time),
        Timestamps::Append(time) => (LOG_APPEND_TIME, time),
    };
    let before = crc32c::crc32c(&header[ATTRIBUTES..]);
    let attributes = i16_at(header, ATTRIBUTES) | flag;
    put(header, ATTRIBUTES, attributes.to_be_bytes());
    put(header, MAX_TIMESTAMP, max_timestamp.to_be_bytes());
    let after = crc32c::crc32c(&header[ATTRIBUTES..]);
    // CRCs are linear: the difference of two headers, moved past the payload, is that of the batches.
    let crc = Shift::by(payload_len).combine(before ^ after, u32_at(header, CRC));
    put(header, CRC, crc.to_be_bytes());
    Ok(())
}
