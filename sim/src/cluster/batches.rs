//! What a broker does with record batches: what it checks of produced ones, and conversion between formats.

mod convert;
mod lookup;

use bytes::Bytes;
use klamm_core::WallTime;
use klamm_protocol::ErrorCode;
use klamm_protocol::compression::Compression;
use klamm_protocol::records::{
    Assignment, Batch, Batches, ControlRecord, Corrupt, CorruptReason, EndTransaction, NO_PRODUCER_ID,
    NO_TIMESTAMP, ReadOptions, Scratch, TimestampType, Timestamps, Validated, assign,
};

use super::log::{Log, Store, Stored};
use super::producers::{Marker, Sequenced};
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
    /// The places of the records that are wrong, if it is some of them.
    pub(crate) records: Vec<i32>,
    /// Found before the partition was asked, so that nothing is told of its log.
    is_of_request: bool,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), records: Vec::new(), is_of_request: false }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::INVALID_RECORD, message)
    }

    pub(super) fn of_request(self) -> Self {
        Self { is_of_request: true, ..self }
    }

    /// Whether the answer says in words what is wrong: with single records, or with the form of all of them.
    pub(crate) fn is_told_in_words(&self) -> bool {
        let is_explained = matches!(
            self.code,
            ErrorCode::CORRUPT_MESSAGE | ErrorCode::INVALID_TXN_STATE | ErrorCode::NOT_ENOUGH_REPLICAS
        );
        !self.records.is_empty() || self.is_of_request && is_explained
    }

    /// Whether the log of the partition was asked.
    pub(crate) const fn is_of_log(&self) -> bool {
        !self.is_of_request
    }

    /// Whether the answer says where the partition's log begins.
    pub(crate) fn tells_start(&self) -> bool {
        !self.is_of_request
            && !matches!(
                self.code,
                ErrorCode::CORRUPT_MESSAGE
                    | ErrorCode::INVALID_TOPIC_EXCEPTION
                    | ErrorCode::MESSAGE_TOO_LARGE
                    | ErrorCode::NOT_LEADER_OR_FOLLOWER
                    | ErrorCode::RECORD_LIST_TOO_LARGE
                    | ErrorCode::UNKNOWN_TOPIC_ID
                    | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            )
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
            // What a broker did not expect to fail.
            CorruptReason::UnknownCodec(_) | CorruptReason::Decompress(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
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
    check_records(&batch, &found, limits, wall_time, (&options, &mut *scratch))?;
    scratch.shrink_to(SCRATCH_BYTES);
    let max_timestamp = if limits.log_append_time { wall_time.0 } else { found.max_timestamp };
    let stored = Stored { offsets: i64::from(found.count), max_timestamp };
    let batch = AcceptedBatch {
        // Without what may lie behind it, too short to be another batch.
        bytes: records.slice(..batch.len()),
        stored,
        sequenced: (batch.producer_id() > NO_PRODUCER_ID).then(|| Sequenced {
            producer_id: batch.producer_id(),
            producer_epoch: batch.producer_epoch(),
            base_sequence: batch.base_sequence(),
            offsets: stored.offsets,
            is_transactional: batch.is_transactional(),
            max_timestamp: stored.max_timestamp,
        }),
        is_max_timestamp_wrong: batch.max_timestamp() != found.max_timestamp,
    };
    Ok(Accepted { batches: vec![batch] })
}

/// The only batch that there may be, if its format and codec fit the version of the request.
fn single_batch(records: &Bytes, version: i16) -> Result<Batch<'_>, Refusal> {
    let refuse = |code: ErrorCode, what: &str| {
        Refusal::new(code, format!("Produce requests with version {version} {what}")).of_request()
    };
    let exactly_one =
        || refuse(ErrorCode::INVALID_RECORD, "must have exactly one record batch per partition");
    // A batch that claims an impossible size is found before the partition is asked, other damage by its log.
    let unreadable = |corrupt: Corrupt| match corrupt.reason {
        CorruptReason::Length(_) | CorruptReason::UnknownFormat(_) => Refusal::from(corrupt).of_request(),
        _ => Refusal::from(corrupt),
    };
    let mut batches = Batches::new(records);
    let batch = batches.next().ok_or_else(exactly_one)?.map_err(unreadable)?;
    if batch.magic() != 2 {
        return Err(refuse(ErrorCode::INVALID_RECORD, "are only allowed to contain format 2"));
    }
    if batches.next().transpose().map_err(unreadable)?.is_some() {
        return Err(exactly_one());
    }
    if batch.compression() == Compression::Zstd && version < 7 {
        return Err(refuse(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, "may not use zstd compression"));
    }
    Ok(batch)
}

/// Checks each record's key and timestamp; what is wrong is told record by record (KIP-467).
fn check_records(
    batch: &Batch<'_>,
    found: &Validated,
    limits: &Limits,
    wall_time: WallTime,
    (options, scratch): (&ReadOptions, &mut Scratch),
) -> Result<(), Refusal> {
    let earliest = wall_time.0.saturating_sub(limits.timestamp_before_max_ms);
    let latest = wall_time.0.saturating_add(limits.timestamp_after_max_ms);
    let checks_time = !limits.log_append_time
        && (found.max_timestamp > latest || limits.timestamp_before_max_ms < i64::MAX);
    if !limits.compacted && !checks_time {
        return Ok(());
    }
    let is_timely = |timestamp: i64| timestamp == NO_TIMESTAMP || (earliest..=latest).contains(&timestamp);
    let (mut wrong, mut is_time_wrong) = (Vec::new(), false);
    for (index, record) in (0..).zip(batch.open(scratch, options)?) {
        let record = record?;
        if limits.compacted && record.key.is_none() {
            wrong.push(index);
        } else if checks_time && !is_timely(record.timestamp) {
            is_time_wrong = true;
            wrong.push(index);
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let refusal = if is_time_wrong {
        let text = format!("Timestamps of records should be within {earliest} and {latest}.");
        Refusal::new(ErrorCode::INVALID_TIMESTAMP, text)
    } else {
        Refusal::invalid("Compacted topic cannot accept message without key")
    };
    Err(Refusal { records: wrong, ..refusal })
}

/// Appends the batch that ends a transaction and returns its offset.
pub(crate) fn append_marker(
    log: &mut Log,
    store: &mut Store,
    marker: &Marker,
    leader_epoch: i32,
    timestamp: i64,
) -> Option<i64> {
    let end = EndTransaction { coordinator_epoch: marker.coordinator_epoch };
    let record = if marker.commit { ControlRecord::Commit(end) } else { ControlRecord::Abort(end) };
    let bytes = record.encode_batch(marker.producer_id, marker.producer_epoch, timestamp)?;
    let stored = Stored { offsets: 1, max_timestamp: timestamp };
    let batch = AcceptedBatch { bytes, stored, sequenced: None, is_max_timestamp_wrong: false };
    Some(append(log, store, &batch, leader_epoch, None))
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
