//! Bytes that no honest writer sends: no panic, no claim believed, no memory without bytes to pay for it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{OwnedRecord, encode, records};
use klamm_protocol::compression::Compression;
use klamm_protocol::records::{
    AbortedFilter, AbortedTransaction, Batch, Batches, Corrupt, CorruptReason, LegacyFormat, ReadOptions,
    Scratch, Stamp,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// A batch of format 2 with a true checksum over whatever it claims.
struct Forged {
    base_offset: i64,
    attributes: i16,
    last_offset_delta: i32,
    base_timestamp: i64,
    count: i32,
    payload: Vec<u8>,
}

impl Forged {
    const fn new(count: i32, payload: Vec<u8>) -> Self {
        let last_offset_delta = if count > 0 { count - 1 } else { 0 };
        Self { base_offset: 0, attributes: 0, last_offset_delta, base_timestamp: 0, count, payload }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut covered = Vec::new();
        covered.extend_from_slice(&self.attributes.to_be_bytes());
        covered.extend_from_slice(&self.last_offset_delta.to_be_bytes());
        covered.extend_from_slice(&self.base_timestamp.to_be_bytes());
        covered.extend_from_slice(&self.base_timestamp.to_be_bytes());
        covered.extend_from_slice(&[0xff; 14]);
        covered.extend_from_slice(&self.count.to_be_bytes());
        covered.extend_from_slice(&self.payload);
        let mut whole = self.base_offset.to_be_bytes().to_vec();
        whole.extend_from_slice(&i32::try_from(covered.len() + 9).unwrap().to_be_bytes());
        whole.extend_from_slice(&[0, 0, 0, 1, 2]);
        whole.extend_from_slice(&crc32c::crc32c(&covered).to_be_bytes());
        whole.extend_from_slice(&covered);
        whole
    }

    fn read(&self) -> Result<usize, Corrupt> {
        let bytes = self.bytes();
        let batch = Batch::parse(&bytes)?.unwrap();
        batch.verify_checksum().unwrap();
        let mut scratch = Scratch::new();
        let mut count = 0;
        for record in batch.open(&mut scratch, &ReadOptions::default())? {
            count += record?.headers.iter().count() + 1;
        }
        Ok(count)
    }

    fn reason(&self) -> CorruptReason {
        self.read().unwrap_err().reason
    }
}

const I32_MAX: [u8; 5] = [0xfe, 0xff, 0xff, 0xff, 0x0f];
const RECORD: [u8; 7] = [12, 0, 0, 0, 1, 1, 0];

#[test]
fn the_forger_can_write_an_honest_batch() {
    assert_eq!(Forged::new(1, RECORD.to_vec()).read().unwrap(), 1);
}

#[test]
fn counts_and_lengths_are_not_believed() {
    assert_eq!(Forged::new(i32::MAX, RECORD.to_vec()).reason(), CorruptReason::RecordCut);
    assert_eq!(Forged::new(-1, RECORD.to_vec()).reason(), CorruptReason::Count(-1));
    assert_eq!(Forged::new(i32::MIN, vec![]).reason(), CorruptReason::Count(i32::MIN));
    assert_eq!(Forged::new(0, RECORD.to_vec()).reason(), CorruptReason::TrailingBytes(7));
    let lengths = [
        // The record itself.
        (I32_MAX.to_vec(), CorruptReason::RecordCut),
        (vec![1], CorruptReason::NegativeLength),
        (vec![0], CorruptReason::RecordCut),
        // Key, value and number of headers.
        ([&[22, 0, 0, 0][..], &I32_MAX, &[1, 0]].concat(), CorruptReason::RecordCut),
        ([&[22, 0, 0, 0, 1][..], &I32_MAX, &[0]].concat(), CorruptReason::RecordCut),
        ([&[20, 0, 0, 0, 1, 1][..], &I32_MAX].concat(), CorruptReason::RecordCut),
        (vec![12, 0, 0, 0, 1, 1, 1], CorruptReason::NegativeLength),
        // A header's key and value.
        ([&[22, 0, 0, 0, 1, 1, 2][..], &I32_MAX].concat(), CorruptReason::RecordCut),
        (vec![14, 0, 0, 0, 1, 1, 2, 1], CorruptReason::NegativeLength),
        ([&[24, 0, 0, 0, 1, 1, 2, 0][..], &I32_MAX].concat(), CorruptReason::RecordCut),
        // Fields that do not fill the record.
        (vec![14, 0, 0, 0, 1, 1, 0, 0], CorruptReason::RecordLength),
        (vec![18, 0, 0, 0, 1, 1, 2, 0, 0, 0], CorruptReason::RecordLength),
    ];
    for (payload, reason) in lengths {
        assert_eq!(Forged::new(1, payload.clone()).reason(), reason, "{payload:02x?}");
    }
}

#[test]
fn integers_longer_than_their_type_are_errors() {
    let sixth_byte = [0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
    let junk_in_fifth = [0x8c, 0x80, 0x80, 0x80, 0x70];
    for length in [&sixth_byte[..], &junk_in_fifth] {
        let payload = [length, &RECORD[1..]].concat();
        assert_eq!(Forged::new(1, payload).reason(), CorruptReason::Integer);
    }
    let junk_in_tenth = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02];
    let payload = [&[30, 0][..], &junk_in_tenth, &[0, 1, 1, 0]].concat();
    assert_eq!(Forged::new(1, payload).reason(), CorruptReason::Integer);
    // The same numbers in more bytes than they need are what Java reads too.
    let padded = [&[0x8c, 0x80, 0x80, 0x80, 0x00], &RECORD[1..]].concat();
    assert_eq!(Forged::new(1, padded).read().unwrap(), 1);
}

#[test]
fn offsets_and_timestamps_do_not_overflow() {
    let beyond = Forged { base_offset: i64::MAX, ..Forged::new(1, RECORD.to_vec()) };
    assert_eq!(beyond.reason(), CorruptReason::OffsetRange);
    let negative = Forged { base_offset: -5, ..Forged::new(1, RECORD.to_vec()) };
    assert_eq!(negative.reason(), CorruptReason::OffsetRange);
    let backwards = Forged { last_offset_delta: -1, ..Forged::new(1, RECORD.to_vec()) };
    assert_eq!(backwards.reason(), CorruptReason::OffsetRange);
    for delta in [1, 2, 0x7f] {
        let outside = vec![12, 0, 0, delta, 1, 1, 0];
        assert_eq!(Forged::new(1, outside).reason(), CorruptReason::OffsetRange);
    }
    let late = Forged { base_timestamp: i64::MAX, ..Forged::new(1, vec![12, 0, 2, 0, 1, 1, 0]) };
    assert_eq!(late.reason(), CorruptReason::TimestampRange);
    let early = Forged { base_timestamp: i64::MIN, ..Forged::new(1, vec![12, 0, 1, 0, 1, 1, 0]) };
    assert_eq!(early.reason(), CorruptReason::TimestampRange);
}

#[test]
fn header_keys_need_not_be_text() {
    let payload = vec![20, 0, 0, 0, 1, 1, 2, 4, 0xff, 0xfe, 1];
    let bytes = Forged::new(1, payload).bytes();
    let mut scratch = Scratch::new();
    let batch = Batch::parse(&bytes).unwrap().unwrap();
    let record = batch.open(&mut scratch, &ReadOptions::default()).unwrap().next().unwrap().unwrap();
    assert_eq!(record.headers.iter().next().unwrap().key, "\u{fffd}");
    assert_eq!(record.headers.raw().next(), Some((&[0xff, 0xfe][..], None)));
}

#[test]
fn brokers_refuse_what_may_not_be_produced() {
    let honest = Forged::new(1, RECORD.to_vec());
    let two = [RECORD, RECORD].concat();
    let cases = [
        (Forged { attributes: 0x20, ..Forged::new(1, RECORD.to_vec()) }, "control"),
        (Forged { attributes: 0x10, ..Forged::new(1, RECORD.to_vec()) }, "transactional"),
        (Forged { attributes: 0x08, ..Forged::new(1, RECORD.to_vec()) }, "timestamps"),
        (Forged { last_offset_delta: 4, ..Forged::new(1, RECORD.to_vec()) }, "count"),
        (Forged::new(0, vec![]), "count"),
        (Forged::new(2, two), "count up"),
    ];
    let validate = |forged: &Forged| {
        let bytes = forged.bytes();
        Batch::parse(&bytes).unwrap().unwrap().validate(&mut Scratch::new(), &ReadOptions::default())
    };
    assert_eq!(validate(&honest).unwrap().count, 1);
    for (forged, word) in cases {
        let message = validate(&forged).unwrap_err().to_string();
        assert!(message.contains(word), "{message} should mention {word}");
    }
}

#[test]
fn a_bomb_is_an_error_that_names_the_limit() {
    let plain = vec![0u8; 4 << 20];
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut payload = Vec::new();
        assert!(klamm_protocol::compression::Compressor::new(codec).compress(&plain, &mut payload));
        let bytes = Forged { attributes: codec.id().into(), ..Forged::new(1, payload) }.bytes();
        let options = ReadOptions { max_decompressed_bytes: 1 << 20, ..ReadOptions::default() };
        let mut scratch = Scratch::new();
        let refused = Batch::parse(&bytes).unwrap().unwrap().open(&mut scratch, &options).unwrap_err();
        assert!(refused.to_string().contains("1048576"), "{codec}: {refused}");
        assert!(scratch.memory() <= 3 << 20, "{codec}: {} bytes", scratch.memory());
    }
}

fn look_at_everything(buffer: &[u8], check_crc: bool) -> usize {
    let options = ReadOptions { check_crc, max_decompressed_bytes: 1 << 20 };
    let mut scratch = Scratch::new();
    let mut filter = AbortedFilter::new([AbortedTransaction { first_offset: 0, producer_id: 1 }]);
    let mut position = 0;
    for batch in Batches::new(buffer) {
        let Ok(batch) = batch else { break };
        assert_eq!(batch.position(), position, "batches follow each other");
        position += batch.len();
        assert!(batch.next_offset() > batch.base_offset(), "a reader advances");
        let _ = (batch.count(), batch.last_sequence(), batch.delete_horizon(), batch.timestamp_type());
        let _ = (filter.is_visible(&batch, &options), batch.control_record(&options));
        let _ = batch.validate(&mut scratch, &options);
        if let Ok(records) = batch.open(&mut scratch, &options) {
            let mut failed = false;
            for record in records {
                assert!(!failed, "nothing comes after an error");
                failed = record.is_err();
                let headers = record.map_or(0, |record| OwnedRecord::of(&record).headers.len());
                assert!(headers <= buffer.len().max(1 << 20));
            }
        }
    }
    scratch.memory()
}

fn any_batches() -> impl Strategy<Value = Vec<u8>> {
    let one = (records(), prop::sample::select(Compression::ALL.to_vec()), 0..3u8).prop_map(
        |(mut records, codec, format)| {
            if format < 2 {
                records.iter_mut().for_each(|record| record.headers.clear());
            }
            let sealed = encode(&records).seal(codec);
            let mut compressor = klamm_protocol::compression::Compressor::new(match codec {
                Compression::Zstd => Compression::None,
                codec => codec,
            });
            match format {
                0 => sealed.to_legacy(LegacyFormat::V0, &mut compressor).unwrap(),
                1 => sealed.to_legacy(LegacyFormat::V1, &mut compressor).unwrap(),
                _ => sealed.to_bytes(&Stamp::idempotent(1, 0, 0).transactional()),
            }
        },
    );
    vec(one, 1..4).prop_map(|batches| batches.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn mutated_batches_never_panic(
        mut buffer in any_batches(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        inserted in vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
    ) {
        for (index, byte) in &changes {
            let at = index.index(buffer.len());
            buffer[at] = *byte;
        }
        for (index, byte) in &inserted {
            buffer.insert(index.index(buffer.len()), *byte);
        }
        for check_crc in [true, false] {
            prop_assert!(look_at_everything(&buffer, check_crc) <= 3 << 20);
        }
    }

    #[test]
    fn forged_payloads_never_panic(
        payload in vec(prop_oneof![0..20u8, any::<u8>()], 0..200),
        attributes in 0..0x80i16,
        count in prop_oneof![0..20, any::<i32>()],
        last_offset_delta in prop_oneof![0..20, any::<i32>()],
    ) {
        let forged = Forged { attributes, last_offset_delta, ..Forged::new(count, payload) };
        look_at_everything(&forged.bytes(), true);
    }

    #[test]
    fn random_bytes_never_panic(mut buffer in vec(any::<u8>(), 0..400), magic in 0..4u8, length in 0..400i32) {
        look_at_everything(&buffer, false);
        if buffer.len() > 17 {
            buffer[0] = 0;
            buffer[8..12].copy_from_slice(&length.to_be_bytes());
            buffer[16] = magic;
        }
        look_at_everything(&buffer, false);
    }
}
