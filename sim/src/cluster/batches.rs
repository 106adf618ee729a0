//! What a broker does with record batches: what it checks of produced ones, and conversion between formats.

mod convert;
mod lookup;

use bytes::Bytes;
use klamm_core::WallTime;
use klamm_protocol::ErrorCode;
use klamm_protocol::compression::Compression;
use klamm_protocol::records::{
    Assignment, Batch, Batches, Corrupt, CorruptReason, NO_PRODUCER_ID, ReadOptions, Scratch, TimestampType,
    Timestamps, assign,
};

use super::log::{Log, Store, Stored};
use super::producers::Sequenced;
use super::topics::settings::Limits;

pub(crate) use convert::{down_convert, up_convert, without_zstd};
pub(crate) use lookup::{record_by_timestamp, record_of_highest_timestamp};

/// Memory for decompressed records that is kept from one batch to the next.
const SCRATCH_BYTES: usize = 4 << 20;

/// Why records are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::INVALID_RECORD, message)
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, "")
    }
}

impl From<Corrupt> for Refusal {
    fn from(corrupt: Corrupt) -> Self {
        let code = match corrupt.reason {
            CorruptReason::Checksum { .. } | CorruptReason::Length(_) | CorruptReason::UnknownFormat(_) => {
                ErrorCode::CORRUPT_MESSAGE
            }
            _ => ErrorCode::INVALID_RECORD,
        };
        Self::new(code, corrupt.to_string())
    }
}

/// How records are decompressed: no more than 64 times what may be stored, at least 16 MiB.
fn read_options(limits: &Limits) -> ReadOptions {
    let most = usize::try_from(limits.max_message_bytes).unwrap_or(0).saturating_mul(64).max(16 << 20);
    ReadOptions { max_decompressed_bytes: most, ..ReadOptions::default() }
}

/// Produced records that may be appended: batches of the log's own format.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) batches: Vec<AcceptedBatch>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct AcceptedBatch {
    pub(crate) bytes: Bytes,
    pub(crate) stored: Stored,
    pub(crate) sequenced: Option<Sequenced>,
    pub(crate) is_transactional: bool,
    /// What the header says of the highest timestamp has to be put right.
    is_max_timestamp_wrong: bool,
}

/// Checks what a produce request from version 3 on carries for a partition: exactly one batch of format 2.
pub(crate) fn check_batch(
    records: &Bytes,
    version: i16,
    limits: &Limits,
    wall_time: WallTime,
    scratch: &mut Scratch,
) -> Result<Accepted, Refusal> {
    let batch = single_batch(records, version)?;
    if batch.len() as u64 > limits.max_message_bytes.unsigned_abs() {
        let text = format!(
            "The record batch size in the append is {} bytes, more than the maximum of {}.",
            batch.len(),
            limits.max_message_bytes
        );
        return Err(Refusal::new(ErrorCode::MESSAGE_TOO_LARGE, text));
    }
    if batch.len() as u64 > limits.segment_bytes.unsigned_abs() {
        return Err(Refusal::new(ErrorCode::RECORD_LIST_TOO_LARGE, "The batch is larger than a segment."));
    }
    batch.verify_checksum()?;
    if batch.base_offset() != 0 {
        let text =
            format!("The base offset of the record batch should be 0, but it is {}", batch.base_offset());
        return Err(Refusal::invalid(text));
    }
    if batch.timestamp_type() == TimestampType::LogAppendTime {
        return Err(Refusal::new(
            ErrorCode::INVALID_TIMESTAMP,
            "Invalid timestamp type in message: LogAppendTime",
        ));
    }
    // The checksum has been checked.
    let options = ReadOptions { check_crc: false, ..read_options(limits) };
    let found = batch.validate(scratch, &options)?;
    if limits.compacted {
        check_keys(&batch, &options, scratch)?;
    }
    scratch.shrink_to(SCRATCH_BYTES);
    let latest = wall_time.0.saturating_add(limits.timestamp_after_max_ms);
    if !limits.log_append_time && found.max_timestamp > latest {
        let text = format!("Timestamp {} is later than {latest}.", found.max_timestamp);
        return Err(Refusal::new(ErrorCode::INVALID_TIMESTAMP, text));
    }
    let max_timestamp = if limits.log_append_time { wall_time.0 } else { found.max_timestamp };
    let stored = Stored { offsets: i64::from(found.count), max_timestamp };
    let batch = AcceptedBatch {
        bytes: records.clone(),
        stored,
        sequenced: (batch.producer_id() != NO_PRODUCER_ID).then(|| Sequenced {
            producer_id: batch.producer_id(),
            producer_epoch: batch.producer_epoch(),
            base_sequence: batch.base_sequence(),
            offsets: stored.offsets,
        }),
        is_transactional: batch.is_transactional(),
        is_max_timestamp_wrong: batch.max_timestamp() != found.max_timestamp,
    };
    Ok(Accepted { batches: vec![batch] })
}

/// The only batch that there may be, if its format and codec fit the version of the request.
fn single_batch(records: &Bytes, version: i16) -> Result<Batch<'_>, Refusal> {
    let exactly_one = || {
        let text = format!(
            "Produce requests with version {version} must have exactly one record batch per partition"
        );
        Refusal::invalid(text)
    };
    let batch = Batches::new(records).next().ok_or_else(exactly_one)??;
    if batch.magic() != 2 {
        let text = format!("Produce requests with version {version} are only allowed to contain format 2");
        return Err(Refusal::invalid(text));
    }
    if batch.len() != records.len() {
        return Err(exactly_one());
    }
    if batch.compression() == Compression::Zstd && version < 7 {
        let text = format!("Produce requests with version {version} may not use zstd compression");
        return Err(Refusal::new(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, text));
    }
    Ok(batch)
}

fn check_keys(batch: &Batch<'_>, options: &ReadOptions, scratch: &mut Scratch) -> Result<(), Refusal> {
    for record in batch.open(scratch, options)? {
        if record?.key.is_none() {
            return Err(Refusal::invalid("Compacted topic cannot accept message without key"));
        }
    }
    Ok(())
}

/// Appends an accepted batch and returns its offset.
pub(crate) fn append(
    log: &mut Log,
    store: &mut Store,
    batch: &AcceptedBatch,
    leader_epoch: i32,
    append_time: Option<i64>,
) -> i64 {
    log.append(store, leader_epoch, [&batch.bytes, &[]], batch.stored, |bytes, base_offset| {
        let timestamps = match append_time {
            Some(time) => Timestamps::Append(time),
            None if batch.is_max_timestamp_wrong => Timestamps::Max(batch.stored.max_timestamp),
            None => Timestamps::Keep,
        };
        let assignment = Assignment { base_offset, leader_epoch, timestamps };
        if assign(bytes, &assignment).is_err() {
            convert::assign_legacy(bytes, base_offset, batch.stored.offsets);
        }
    })
}
