//! Conversion between record formats, for requests older than the format of the log.

use bytes::Bytes;
use klamm_protocol::compression::{Compression, Compressor};
use klamm_protocol::records::{
    Batch, BatchEncoder, BatchLimits, Batches, LegacyFormat, NO_TIMESTAMP, ReadOptions, RecordRef, Scratch,
    SealedBatch, Stamp,
};

use super::{Accepted, AcceptedBatch, Refusal, read_options};
use crate::cluster::log::Stored;
use crate::cluster::topics::settings::Limits;
use klamm_core::WallTime;
use klamm_protocol::ErrorCode;

/// No limit but that of the format.
const LIMITS: BatchLimits = BatchLimits { target_bytes: i32::MAX as usize, max_bytes: i32::MAX as usize };

/// Checks what a produce request before version 3 carries, messages of format 0 or 1, and brings it into the
/// format of the log.
pub(crate) fn up_convert(
    records: &Bytes,
    log_magic: i8,
    limits: &Limits,
    wall_time: WallTime,
    scratch: &mut Scratch,
) -> Result<Accepted, Refusal> {
    let mut batches = Vec::new();
    for batch in Batches::new(records) {
        let batch = batch?;
        if batch.magic() > 1 {
            return Err(Refusal::invalid("Produce requests before version 3 may not contain format 2"));
        }
        if batch.len() as u64 > limits.max_message_bytes.unsigned_abs() {
            return Err(Refusal::new(ErrorCode::MESSAGE_TOO_LARGE, "The message is too large."));
        }
        let (sealed, _) = reencode(&batch, &read_options(limits), scratch, |record| {
            if limits.compacted && record.key.is_none() {
                return Err(Refusal::invalid("Compacted topic cannot accept message without key"));
            }
            let timestamp =
                if limits.log_append_time { wall_time.0 } else { record.timestamp.max(NO_TIMESTAMP) };
            Ok(RecordRef { timestamp, ..record })
        })?;
        if log_magic == 2 {
            let bytes = sealed.to_bytes(&Stamp::default());
            batches.push(accepted(bytes, i64::from(sealed.count()), sealed.max_timestamp()));
        } else {
            let messages = sealed
                .to_legacy(LegacyFormat::V1, &mut Compressor::new(batch.compression()))
                .map_err(|error| Refusal::invalid(error.to_string()))?;
            split(&messages, &mut batches)?;
        }
    }
    if batches.is_empty() {
        return Err(Refusal::invalid("There are no records for the partition"));
    }
    Ok(Accepted { batches })
}

fn accepted(bytes: Bytes, offsets: i64, max_timestamp: i64) -> AcceptedBatch {
    let stored = Stored { offsets, max_timestamp };
    AcceptedBatch { bytes, stored, sequenced: None, is_max_timestamp_wrong: false }
}

/// Each message of a set by itself.
fn split(messages: &Bytes, batches: &mut Vec<AcceptedBatch>) -> Result<(), Refusal> {
    let mut next = 0;
    for message in Batches::new(messages) {
        let message = message?;
        let bytes = messages.slice(message.position()..message.position() + message.len());
        batches.push(accepted(bytes, message.last_offset() + 1 - next, message.max_timestamp()));
        next = message.last_offset() + 1;
    }
    Ok(())
}

/// Writes the offset of a message of format 0 or 1, a compressed set being numbered by its last record.
pub(super) fn assign_legacy(message: &mut [u8], base_offset: i64, offsets: i64) {
    if let Some(field) = message.first_chunk_mut() {
        *field = (base_offset + offsets - 1).to_be_bytes();
    }
}

/// The records of a batch in a new one of format 2 with the same codec, and the offset of the first one.
fn reencode(
    batch: &Batch<'_>,
    options: &ReadOptions,
    scratch: &mut Scratch,
    map: impl for<'a> Fn(RecordRef<'a>) -> Result<RecordRef<'a>, Refusal>,
) -> Result<(SealedBatch, i64), Refusal> {
    let mut first = None;
    let mut encoder = BatchEncoder::new(LIMITS);
    for record in batch.open(scratch, options)? {
        let record = record?;
        first.get_or_insert(record.offset);
        // Record headers have no form in the older formats.
        let plain =
            RecordRef { key: record.key, value: record.value, headers: &[], timestamp: record.timestamp };
        encoder.append(&map(plain)?).map_err(|error| Refusal::invalid(error.to_string()))?;
    }
    Ok((encoder.seal(batch.compression()), first.unwrap_or_default()))
}

/// Brings batches into an older format for a fetch request that knows no newer one. What is cut off at the end is
/// left out, as are control batches. If not even the first one is whole, the bytes stay as they are: who asked learns
/// from them how much to ask for.
pub(crate) fn down_convert(
    batches: &Bytes,
    format: LegacyFormat,
    refuses_zstd: bool,
) -> Result<Bytes, ErrorCode> {
    let mut converted = Vec::new();
    let mut scratch = Scratch::new();
    let magic = match format {
        LegacyFormat::V0 => 0,
        LegacyFormat::V1 => 1,
    };
    let mut is_cut = true;
    for batch in Batches::new(batches) {
        let batch = batch.map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
        is_cut = false;
        if batch.magic() <= magic {
            converted.extend_from_slice(batch.bytes());
            continue;
        }
        if batch.compression() == Compression::Zstd && refuses_zstd {
            return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
        }
        if !batch.is_control() {
            let messages = down_convert_batch(&batch, format, &mut scratch)?;
            converted.extend_from_slice(&messages);
        }
    }
    Ok(if is_cut { batches.clone() } else { converted.into() })
}

fn down_convert_batch(
    batch: &Batch<'_>,
    format: LegacyFormat,
    scratch: &mut Scratch,
) -> Result<Vec<u8>, ErrorCode> {
    let (sealed, first) = reencode(batch, &ReadOptions::default(), scratch, |record| Ok(record))
        .map_err(|refusal| refusal.code)?;
    // Compressed messages of format 0 carry absolute offsets inside, which are not known when they are compressed.
    let compression = match batch.compression() {
        Compression::Zstd => Compression::None,
        _ if format == LegacyFormat::V0 => Compression::None,
        codec => codec,
    };
    let mut compressor = Compressor::new(compression);
    let messages = sealed.to_legacy(format, &mut compressor).map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)?;
    let mut bytes = messages.to_vec();
    let mut position = 0;
    while let Some(message) = bytes.get_mut(position..).filter(|rest| rest.len() >= 12) {
        let relative = message.first_chunk().map_or(0, |field| i64::from_be_bytes(*field));
        if let Some(field) = message.first_chunk_mut() {
            *field = (first + relative).to_be_bytes();
        }
        let length = u32::from_be_bytes([message[8], message[9], message[10], message[11]]);
        position += 12 + usize::try_from(length).unwrap_or(usize::MAX - 12 - position);
    }
    Ok(bytes)
}

/// Whether batches may be sent as they are to a client that does not know zstd.
pub(crate) fn without_zstd(batches: &Bytes) -> Result<(), ErrorCode> {
    let zstd = |batch: Batch<'_>| batch.compression() == Compression::Zstd;
    let found = Batches::new(batches).any(|batch| batch.is_ok_and(zstd));
    if found { Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE) } else { Ok(()) }
}
