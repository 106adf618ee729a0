//! Work on record batches.

use std::hint::black_box;

use klamm_protocol::compression::{Compression, Compressor};
use klamm_protocol::records::{
    Batch, BatchEncoder, BatchLimits, Batches, Header, ReadOptions, RecordRef, Scratch, SealedBatch, Stamp,
};

/// Records in a measured batch.
pub const RECORDS: usize = 1000;

const LIMITS: BatchLimits = BatchLimits { target_bytes: 1 << 20, max_bytes: 1 << 20 };
const TIMESTAMP: i64 = 1_700_000_000_000;
const WORDS: [&str; 8] = ["gorge", "castle", "village", "snow", "inn", "letter", "official", "telephone"];
const HEADERS: [Header<'static>; 2] = [
    Header { key: "traceparent", value: Some(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01") },
    Header { key: "kind", value: None },
];

/// What the measured records look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// No key, a value of 100 bytes, no headers.
    Plain,
    /// A key of 16 bytes, a value of 100 bytes, two headers.
    Full,
}

/// The contents of the records: text that compresses about as well as text does.
#[derive(Debug, Clone)]
pub struct Data {
    shape: Shape,
    values: Vec<Vec<u8>>,
    keys: Vec<Vec<u8>>,
}

impl Data {
    /// Makes [`RECORDS`] records, the same ones each time.
    pub fn new(shape: Shape) -> Self {
        let mut state = 1u64;
        let mut word = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            WORDS[usize::try_from(state >> 61).unwrap_or(0)]
        };
        let values = (0..RECORDS)
            .map(|index| {
                let mut value = format!("{index:06} ").into_bytes();
                while value.len() < 100 {
                    value.extend_from_slice(word().as_bytes());
                    value.push(b' ');
                }
                value.truncate(100);
                value
            })
            .collect();
        let keys = (0..RECORDS).map(|index| format!("key-{index:012}").into_bytes()).collect();
        Self { shape, values, keys }
    }

    /// The records, in order.
    pub fn records(&self) -> impl Iterator<Item = RecordRef<'_>> {
        (0i64..).zip(self.values.iter().zip(&self.keys)).map(|(index, (value, key))| RecordRef {
            key: (self.shape == Shape::Full).then_some(key.as_slice()),
            value: Some(value),
            headers: if self.shape == Shape::Full { &HEADERS } else { &[] },
            timestamp: TIMESTAMP + index / 8,
        })
    }

    /// An encoded batch of all records.
    pub fn encoded(&self, compression: Compression) -> Vec<u8> {
        append(self).seal(compression).to_bytes(&Stamp::NONE).to_vec()
    }
}

/// Appends all records to a new batch with room for them.
pub fn append(data: &Data) -> BatchEncoder {
    let mut batch = BatchEncoder::new(LIMITS);
    batch.reserve(LIMITS.max_bytes);
    for record in data.records() {
        let appended = batch.append(black_box(&record));
        debug_assert!(appended.is_ok(), "the batch has room");
    }
    batch
}

/// Closes a batch and makes its header, as a send does.
pub fn seal(batch: BatchEncoder, compressor: &mut Compressor) -> SealedBatch {
    let sealed = batch.seal_with(compressor);
    black_box(sealed.header(&Stamp::idempotent(1, 0, 0)));
    sealed
}

/// Reads all records of a batch, touching each field; returns the number of bytes in keys and values.
pub fn iterate(encoded: &[u8], scratch: &mut Scratch, check_crc: bool) -> usize {
    let options = ReadOptions { check_crc, ..ReadOptions::default() };
    let Ok(Some(batch)) = Batch::parse(encoded) else { return 0 };
    let Ok(records) = batch.open(scratch, &options) else { return 0 };
    let mut bytes = 0;
    for record in records {
        let Ok(record) = black_box(&record) else { return 0 };
        bytes += record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        bytes += record.headers.iter().map(|header| header.key.len()).sum::<usize>();
    }
    bytes
}

/// Walks over the headers of many batches; returns the sum of their last offsets.
pub fn walk(batches: &[u8]) -> i64 {
    Batches::new(batches).map_while(Result::ok).map(|batch| black_box(batch).last_offset()).sum()
}

/// Small batches in a row, as many as there are records in a measured batch.
pub fn many_batches(data: &Data) -> Vec<u8> {
    let mut all = Vec::new();
    for record in data.records() {
        let mut batch = BatchEncoder::new(LIMITS);
        let appended = batch.append(&record);
        debug_assert!(appended.is_ok(), "the batch has room");
        all.extend_from_slice(&batch.seal(Compression::None).to_bytes(&Stamp::NONE));
    }
    all
}
