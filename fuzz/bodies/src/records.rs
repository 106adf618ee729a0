//! Record batches of every format: any bytes can be walked, read, validated and split, and the records of a batch that
//! is whole survive being encoded again.
//!
//! Input: a buffer of batches, as in a fetch response.

use bytes::Bytes;
use klamm_protocol::compression::{Compression, Compressor};
use klamm_protocol::records::{
    AbortedFilter, Assignment, Batch, BatchEncoder, BatchLimits, Batches, Header, ReadOptions, Record,
    RecordRef, Scratch, Stamp, Timestamps, assign,
};

use crate::allocation::measure;

const MAX_DECOMPRESSED: usize = 1 << 20;

/// What reading may allocate: the decompressed records, once more while their buffer grows, and the codecs' windows.
const ALLOWED: usize = 12 << 20;

/// Reads all batches in every way there is.
///
/// # Panics
/// When two ways differ, or a batch changes by being written again, or memory is wasted.
pub fn run(input: &[u8]) {
    let ((), cost) = measure(|| {
        for check_crc in [true, false] {
            let options = ReadOptions { check_crc, max_decompressed_bytes: MAX_DECOMPRESSED };
            walk(input, &options);
        }
    });
    assert!(cost.peak <= ALLOWED + 64 * input.len(), "{cost:?} for {} bytes", input.len());
}

fn walk(input: &[u8], options: &ReadOptions) {
    let buffer = Bytes::copy_from_slice(input);
    let mut scratch = Scratch::new();
    let mut filter = AbortedFilter::new([]);
    let mut end = 0;
    for batch in Batches::new(&buffer) {
        let Ok(batch) = batch else { return };
        assert_eq!(batch.position(), end, "batches follow each other");
        end += batch.len();
        assert!(end <= input.len() && batch.next_offset() > batch.last_offset());
        let visible = filter.is_visible(&batch, options).is_ok();
        let borrowed = read(&batch, &mut scratch, options);
        let owned = batch.to_records(&buffer, &mut scratch, options);
        match (&borrowed, &owned) {
            (Some(records), Ok(owned)) => {
                let again: Option<Vec<_>> = owned.iter().map(|record| record.ok().map(Kept::of)).collect();
                assert_eq!(records.as_ref(), again.as_ref(), "owned as borrowed");
            }
            (None, Err(_)) => {}
            _ => panic!("a batch opens in one way and not in the other"),
        }
        let control = batch.control_record(options);
        assert!(visible || batch.is_control() || control.is_err() || borrowed.is_none());
        let valid = batch.validate(&mut Scratch::new(), options);
        if let (Ok(valid), Some(Some(records))) = (&valid, &borrowed) {
            assert_eq!(usize::try_from(valid.count).ok(), Some(records.len()), "validated as read");
            store(&batch, valid.max_timestamp, options);
        }
        if let Some(Some(records)) = borrowed {
            write_again(&records);
        }
    }
}

/// A record that outlives its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Kept {
    fn of(record: Record<'_>) -> Self {
        assert_eq!(record.headers.len(), record.headers.raw().count(), "as many headers as are told");
        Self {
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record
                .headers
                .raw()
                .map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }
}

/// `None` when the batch does not open, `Some(None)` when one of its records is corrupt.
fn read(batch: &Batch<'_>, scratch: &mut Scratch, options: &ReadOptions) -> Option<Option<Vec<Kept>>> {
    let records = batch.open(scratch, options).ok()?;
    Some(records.map(|record| record.ok().map(Kept::of)).collect())
}

/// A broker stamps its offsets into what it accepts, and can read it then.
fn store(batch: &Batch<'_>, max: i64, options: &ReadOptions) {
    let mut stored = batch.bytes().to_vec();
    let assignment = Assignment { base_offset: 77, leader_epoch: 3, timestamps: Timestamps::Max(max) };
    if assign(&mut stored, &assignment).is_err() {
        return;
    }
    let Ok(Some(again)) = Batch::parse(&stored) else { panic!("a stored batch has a header") };
    assert!(again.open(&mut Scratch::new(), options).is_ok(), "a stored batch opens");
}

/// What was read can be written, and reads the same then.
fn write_again(records: &[Kept]) {
    let mut encoder = BatchEncoder::new(BatchLimits { target_bytes: 1 << 24, max_bytes: 1 << 24 });
    let mut appended = Vec::new();
    for record in records {
        let names: Option<Vec<_>> =
            record.headers.iter().map(|(key, _)| std::str::from_utf8(key).ok()).collect();
        let Some(names) = names else { continue };
        let headers: Vec<_> = names
            .into_iter()
            .zip(&record.headers)
            .map(|(key, (_, value))| Header { key, value: value.as_deref() })
            .collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let reference = RecordRef { key, value, headers: &headers, timestamp: record.timestamp };
        let expected = BatchEncoder::encoded_len_upper_bound(&reference);
        let before = encoder.len();
        if encoder.append(&reference).is_ok() {
            assert!(encoder.len() - before <= expected || before == 0, "the bound holds");
            appended.push(record.clone());
        }
    }
    if appended.is_empty() {
        return;
    }
    let mut compressor = Compressor::new(Compression::Lz4);
    let bytes = encoder.seal_with(&mut compressor).to_bytes(&Stamp::idempotent(5, 1, 0));
    let Ok(Some(batch)) = Batch::parse(&bytes) else { panic!("what was written has a header") };
    let options = ReadOptions { check_crc: true, max_decompressed_bytes: 1 << 25 };
    let again = read(&batch, &mut Scratch::new(), &options);
    assert_eq!(again, Some(Some(appended)), "what was written reads the same");
}
