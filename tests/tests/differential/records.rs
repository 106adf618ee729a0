//! Record batches, good and bad, and what is told of those that are read.

use std::fmt::Write as _;

use bytes::Bytes;
use klamm_protocol::RecordBytes;
use klamm_protocol::compression::Compression;
use klamm_protocol::records::{
    BatchEncoder, BatchLimits, Batches, NO_PRODUCER_ID, ReadOptions, Record, RecordRef, Scratch, Stamp,
    TimestampType,
};

/// Where the checksum of a batch lies, and what it covers from.
pub(crate) const CRC: usize = 17;
const COVERED: usize = 21;

/// A batch of format 2 of these records: value and timestamp. The key is `k`.
pub(crate) fn batch_of(records: &[(&str, i64)], compression: Compression, stamp: &Stamp) -> Vec<u8> {
    let mut encoder = BatchEncoder::new(BatchLimits { target_bytes: 1 << 30, max_bytes: 1 << 30 });
    for (value, timestamp) in records {
        let record =
            RecordRef { key: Some(b"k"), value: Some(value.as_bytes()), headers: &[], timestamp: *timestamp };
        // Batches of cases are small.
        encoder.append(&record).unwrap_or_default();
    }
    encoder.seal(compression).to_bytes(stamp).to_vec()
}

/// A batch of these values, the first at `epoch_ms`, the others a millisecond apart.
pub(crate) fn batch(epoch_ms: i64, values: &[&str], stamp: &Stamp) -> Vec<u8> {
    let records: Vec<_> = values.iter().copied().zip(epoch_ms..).collect();
    batch_of(&records, Compression::None, stamp)
}

/// A batch that was changed in other places, with the checksum that fits.
pub(crate) fn resealed(mut batch: Vec<u8>) -> Vec<u8> {
    let crc = crc32c(batch.get(COVERED..).unwrap_or_default());
    batch[CRC..COVERED].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// Puts bytes at a place of a batch.
pub(crate) fn patched(mut batch: Vec<u8>, place: usize, bytes: &[u8]) -> Vec<u8> {
    batch[place..place + bytes.len()].copy_from_slice(bytes);
    batch
}

/// CRC-32C, bit by bit: another implementation than the one under test.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// What fetched bytes hold, in one line.
pub(crate) fn describe(bytes: &Bytes, relative: impl Fn(i64) -> String) -> String {
    let mut text = String::new();
    let mut scratch = Scratch::new();
    let mut batches = Batches::new(bytes);
    for batch in &mut batches {
        let Ok(batch) = batch else {
            text.push_str(" <corrupt>");
            continue;
        };
        let time = match batch.timestamp_type() {
            TimestampType::LogAppendTime => " append-time",
            _ => "",
        };
        let (magic, first, last) = (batch.magic(), batch.base_offset(), batch.last_offset());
        let codec = batch.compression();
        put(&mut text, format_args!("<batch {first}..{last} v{magic} {codec:?}{time}"));
        put(
            &mut text,
            format_args!(" epoch {:?} max {}", batch.leader_epoch(), relative(batch.max_timestamp())),
        );
        if batch.producer_id() != NO_PRODUCER_ID {
            put(
                &mut text,
                format_args!(" producer epoch {} from {}", batch.producer_epoch(), batch.base_sequence()),
            );
        }
        let is_sound = batch.verify_checksum().is_ok();
        put(&mut text, format_args!("{}>", if is_sound { "" } else { " WRONG CHECKSUM" }));
        let Ok(records) = batch.open(&mut scratch, &ReadOptions::default()) else {
            text.push_str(" <unreadable>");
            continue;
        };
        for record in records {
            match record {
                Ok(record) => put(&mut text, format_args!(" {}", describe_record(&record, &relative))),
                Err(_) => text.push_str(" <bad record>"),
            }
        }
    }
    if batches.rest_len() > 0 {
        text.push_str(" <cut off>");
    }
    text
}

fn describe_record(record: &Record<'_>, relative: &impl Fn(i64) -> String) -> String {
    let show = |bytes: Option<&[u8]>| match bytes {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() > 40 => format!("{} bytes", bytes.len()),
        Some(bytes) => bytes.escape_ascii().to_string(),
    };
    let mut text = format!("{}@{} ", record.offset, relative(record.timestamp));
    put(&mut text, format_args!("{}={}", show(record.key), show(record.value)));
    for (key, value) in record.headers.raw() {
        put(&mut text, format_args!(" [{}: {}]", key.escape_ascii(), show(value)));
    }
    text
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    text.write_fmt(arguments).unwrap_or_default();
}

/// As a field of a request.
pub(crate) fn bytes(batch: Vec<u8>) -> Option<RecordBytes> {
    Some(RecordBytes::from(batch))
}
