//! Whatever is written is read back, in every format and with every codec.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use bytes::Bytes;
use common::{OwnedRecord, encode, record, records};
use klamm_protocol::compression::{Compression, Compressor};
use klamm_protocol::records::{
    Assignment, BATCH_HEADER_LEN, Batch, BatchEncoder, BatchLimits, Batches, LegacyError, LegacyFormat,
    ReadOptions, Scratch, Stamp, TimestampType, Timestamps, assign,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn codec() -> impl Strategy<Value = Compression> {
    prop::sample::select(Compression::ALL.to_vec())
}

fn read_all(buffer: &[u8], scratch: &mut Scratch) -> (Vec<i64>, Vec<OwnedRecord>) {
    let mut offsets = Vec::new();
    let mut read = Vec::new();
    for batch in Batches::new(buffer) {
        for record in batch.unwrap().open(scratch, &ReadOptions::default()).unwrap() {
            let record = record.unwrap();
            offsets.push(record.offset);
            read.push(OwnedRecord::of(&record));
        }
    }
    (offsets, read)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn format_2_round_trips(
        written in records(),
        codec in codec(),
        producer in any::<(i64, i16, i32)>(),
        transactional in any::<bool>(),
    ) {
        let stamp = Stamp { transactional, ..Stamp::idempotent(producer.0, producer.1, producer.2) };
        let sealed = encode(&written).seal(codec);
        let bytes = sealed.to_bytes(&stamp);
        prop_assert_eq!(&bytes, &sealed.to_request(&stamp).into_bytes());
        prop_assert_eq!(bytes.len(), sealed.len());
        prop_assert!(sealed.len() <= sealed.plain_len());

        let batch = Batch::parse(&bytes).unwrap().unwrap();
        prop_assert_eq!(batch.len(), bytes.len());
        prop_assert_eq!(batch.count(), Some(sealed.count()));
        prop_assert_eq!(batch.next_offset(), written.len() as i64);
        prop_assert_eq!(batch.compression(), sealed.compression());
        prop_assert_eq!((batch.producer_id(), batch.producer_epoch(), batch.base_sequence()), producer);
        prop_assert_eq!(batch.is_transactional(), transactional);
        prop_assert!(!batch.is_control());
        prop_assert_eq!(batch.base_timestamp(), Some(written[0].timestamp));
        prop_assert_eq!(Some(batch.max_timestamp()), written.iter().map(|record| record.timestamp).max());

        let mut scratch = Scratch::new();
        let (offsets, read) = read_all(&bytes, &mut scratch);
        prop_assert_eq!(offsets, (0..written.len() as i64).collect::<Vec<_>>());
        prop_assert_eq!(&read, &written);
        let owned = batch.to_records(&bytes, &mut scratch, &ReadOptions::default()).unwrap();
        let again: Vec<_> = owned.iter().map(|record| OwnedRecord::of(&record.unwrap())).collect();
        prop_assert_eq!(again, written);
    }

    #[test]
    fn older_formats_round_trip(mut written in records(), codec in codec(), v1 in any::<bool>()) {
        let format = if v1 { LegacyFormat::V1 } else { LegacyFormat::V0 };
        let with_headers = written.iter().position(|record| !record.headers.is_empty());
        let mut compressor = Compressor::new(codec);
        if let Some(index) = with_headers {
            if codec != Compression::Zstd {
                let refused = encode(&written).seal(codec).to_legacy(format, &mut compressor);
                prop_assert_eq!(refused, Err(LegacyError::Headers { index: index as i64 }));
            }
        }
        written.iter_mut().for_each(|record| record.headers.clear());
        let legacy = encode(&written).seal(codec).to_legacy(format, &mut compressor);
        if codec == Compression::Zstd {
            prop_assert_eq!(legacy, Err(LegacyError::Zstd));
            return Ok(());
        }
        let bytes = legacy.unwrap();
        if !v1 {
            written.iter_mut().for_each(|record| record.timestamp = -1);
        }
        let (offsets, read) = read_all(&bytes, &mut Scratch::new());
        prop_assert_eq!(offsets, (0..written.len() as i64).collect::<Vec<_>>());
        prop_assert_eq!(read, written);
    }

    #[test]
    fn predicted_sizes_are_exact(written in records()) {
        let mut batch = BatchEncoder::new(common::UNLIMITED);
        for (index, record) in written.iter().enumerate() {
            let before = batch.len();
            record.with_ref(|record| batch.append(record)).unwrap();
            let added = batch.len() - before;
            let (alone, most) =
                record.with_ref(|r| (BatchEncoder::len_alone(r), BatchEncoder::encoded_len_upper_bound(r)));
            prop_assert!(added <= most);
            prop_assert!(alone <= added + BATCH_HEADER_LEN);
            if index == 0 {
                prop_assert_eq!(batch.len(), alone);
            }
        }
        prop_assert_eq!(batch.len(), batch.seal(Compression::None).to_bytes(&Stamp::NONE).len());
    }

    #[test]
    fn limits_hold(written in records(), target_bytes in 61..2000usize, more in 0..9000usize) {
        let limits = BatchLimits { target_bytes, max_bytes: target_bytes + more };
        let mut batch = BatchEncoder::new(limits);
        for record in &written {
            let (len, count) = (batch.len(), batch.count());
            let checked = record.with_ref(|record| batch.check(record));
            let appended = record.with_ref(|record| batch.append(record));
            prop_assert_eq!(checked, appended.map(|_| ()));
            match appended {
                Ok(delta) => {
                    prop_assert_eq!(delta, count);
                    let most = if count == 0 { limits.max_bytes } else { target_bytes };
                    prop_assert!(batch.len() <= most);
                }
                Err(_) => prop_assert_eq!((batch.len(), batch.count()), (len, count)),
            }
        }
    }

    #[test]
    fn a_split_batch_keeps_its_records(written in vec(record(), 2..40), codec in codec(), target in 0..5000usize) {
        let whole = encode(&written).seal(codec);
        let parts = whole.split(target, &mut Compressor::new(codec)).unwrap();
        prop_assert!(parts.len() > 1, "a batch of several records comes apart");
        let mut read = Vec::new();
        for part in &parts {
            prop_assert!(part.plain_len() <= target || part.plain_len() < whole.plain_len());
            let bytes = part.to_bytes(&Stamp::NONE);
            read.extend(read_all(&bytes, &mut Scratch::new()).1);
        }
        prop_assert_eq!(parts.iter().map(|part| part.count()).sum::<i32>(), whole.count());
        prop_assert_eq!(read, written);
    }

    #[test]
    fn brokers_validate_and_stamp_without_reading_the_payload(
        written in records(),
        codec in codec(),
        base_offset in 0..i64::MAX / 2,
        leader_epoch in 0..i32::MAX,
        append_time in proptest::option::of(0..i64::MAX),
    ) {
        let stamp = Stamp::idempotent(7, 0, 3);
        let mut stored = encode(&written).seal(codec).to_bytes(&stamp).to_vec();
        let mut scratch = Scratch::new();
        let options = ReadOptions::default();
        let validated = Batch::parse(&stored).unwrap().unwrap().validate(&mut scratch, &options).unwrap();
        prop_assert_eq!(validated.count as usize, written.len());
        let max = written.iter().map(|record| record.timestamp).max().unwrap();
        prop_assert_eq!(validated.max_timestamp, max);
        prop_assert_eq!(written[validated.max_timestamp_delta as usize].timestamp, max);

        let timestamps = append_time.map_or(Timestamps::Keep, Timestamps::Append);
        assign(&mut stored, &Assignment { base_offset, leader_epoch, timestamps }).unwrap();
        let batch = Batch::parse(&stored).unwrap().unwrap();
        batch.verify_checksum().unwrap();
        prop_assert_eq!(batch.base_offset(), base_offset);
        prop_assert_eq!(batch.leader_epoch(), Some(leader_epoch));
        let (offsets, read) = read_all(&stored, &mut scratch);
        prop_assert_eq!(offsets[0], base_offset);
        if let Some(time) = append_time {
            prop_assert_eq!(batch.timestamp_type(), TimestampType::LogAppendTime);
            prop_assert!(read.iter().all(|record| record.timestamp == time));
        } else {
            prop_assert_eq!(read, written);
        }
    }

    #[test]
    fn batches_in_a_row_are_walked_and_a_cut_tail_is_silent(all in vec(records(), 1..5), cut in 0..2000usize) {
        let mut buffer = Vec::new();
        let mut ends = vec![0];
        for (index, records) in all.iter().enumerate() {
            let codec = Compression::ALL[index % 5];
            buffer.extend_from_slice(&encode(records).seal(codec).to_bytes(&Stamp::NONE));
            ends.push(buffer.len());
        }
        buffer.truncate(buffer.len().saturating_sub(cut));
        let buffer = Bytes::from(buffer);
        let mut walk = Batches::new(&buffer);
        let found = walk.by_ref().map(|batch| batch.unwrap().position()).collect::<Vec<_>>();
        let whole = ends.iter().filter(|end| **end <= buffer.len()).count() - 1;
        prop_assert_eq!(&found, &ends[..whole]);
        prop_assert_eq!(walk.position(), ends[whole]);
        prop_assert_eq!(walk.rest_len(), buffer.len() - ends[whole]);
    }
}
