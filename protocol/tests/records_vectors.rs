//! The record batches, compressed streams and transactions of the vectors, as the Java classes see them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use klamm_protocol::compression::{Compression, Decompressor};
use klamm_protocol::records::{
    AbortedFilter, AbortedTransaction, Batch, Batches, ControlRecord, ReadOptions, Record, Scratch,
    TimestampType, sequence_after,
};
use serde_json::Value;

fn vectors(text: &str) -> Vec<Value> {
    match serde_json::from_str(text).unwrap() {
        Value::Array(entries) => entries,
        other => panic!("not a list of vectors: {other}"),
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} of {value}"))
}

fn int(value: &Value, field: &str) -> i64 {
    value[field].as_i64().unwrap_or_else(|| panic!("{field} of {value}"))
}

fn bytes(hex: &str) -> Vec<u8> {
    assert_eq!(hex.len() % 2, 0);
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn nullable(value: &Value) -> Option<Vec<u8>> {
    value.as_str().map(bytes)
}

fn check_record(name: &str, batch: &Batch<'_>, record: &Record<'_>, expected: &Value) {
    assert_eq!(record.offset, int(expected, "offset"), "{name}: offset");
    assert_eq!(record.timestamp, int(expected, "timestamp"), "{name}: timestamp");
    assert_eq!(record.key, nullable(&expected["key"]).as_deref(), "{name}: key");
    assert_eq!(record.value, nullable(&expected["value"]).as_deref(), "{name}: value");
    if let Some(sequence) = expected["sequence"].as_i64() {
        let delta = i32::try_from(record.offset - batch.base_offset()).unwrap();
        assert_eq!(i64::from(sequence_after(batch.base_sequence(), delta)), sequence, "{name}: sequence");
    }
    let expected_headers: Vec<(String, Option<Vec<u8>>)> = expected["headers"]
        .as_array()
        .map(|headers| {
            headers.iter().map(|pair| (pair[0].as_str().unwrap().to_owned(), nullable(&pair[1]))).collect()
        })
        .unwrap_or_default();
    let headers: Vec<_> =
        record.headers.iter().map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect();
    assert_eq!(headers, expected_headers, "{name}: headers");
    assert_eq!(record.headers.len(), headers.len());
}

fn check_header(name: &str, batch: &Batch<'_>, expected: &Value) {
    assert_eq!(i64::from(batch.magic()), int(expected, "magic"), "{name}: magic");
    assert_eq!(batch.len() as i64, int(expected, "size"), "{name}: size");
    assert_eq!(batch.last_offset(), int(expected, "last_offset"), "{name}: last offset");
    assert_eq!(batch.next_offset(), int(expected, "next_offset"), "{name}: next offset");
    assert_eq!(batch.compression().name(), text(expected, "compression"), "{name}: compression");
    let timestamp_type = match text(expected, "timestamp_type") {
        "NoTimestampType" => TimestampType::None,
        "CreateTime" => TimestampType::CreateTime,
        "LogAppendTime" => TimestampType::LogAppendTime,
        other => panic!("timestamp type {other}"),
    };
    assert_eq!(batch.timestamp_type(), timestamp_type, "{name}");
    assert_eq!(batch.max_timestamp(), int(expected, "max_timestamp"), "{name}: max timestamp");
    assert_eq!(batch.verify_checksum().is_ok(), expected["crc_valid"] == true, "{name}: checksum");
    if batch.magic() == 2 {
        assert_eq!(batch.base_offset(), int(expected, "base_offset"), "{name}: base offset");
        assert_eq!(batch.leader_epoch().map_or(-1, i64::from), int(expected, "leader_epoch"), "{name}");
        assert_eq!(batch.producer_id(), int(expected, "producer_id"), "{name}: producer id");
        assert_eq!(i64::from(batch.producer_epoch()), int(expected, "producer_epoch"), "{name}");
        assert_eq!(i64::from(batch.base_sequence()), int(expected, "base_sequence"), "{name}");
        assert_eq!(i64::from(batch.last_sequence()), int(expected, "last_sequence"), "{name}");
        assert_eq!(batch.is_transactional(), expected["transactional"] == true, "{name}: transactional");
        assert_eq!(batch.is_control(), expected["control"] == true, "{name}: control");
        assert_eq!(batch.count().map(i64::from), expected["count"].as_i64(), "{name}: count");
    }
}

fn check_control(name: &str, batch: &Batch<'_>, entry: &Value, expected: &Value) {
    let control = batch.control_record(&ReadOptions::default()).unwrap().unwrap();
    let coordinator_epoch = entry["coordinator_epoch"].as_i64();
    match text(expected, "control_type") {
        "COMMIT" => {
            assert!(
                matches!(control, ControlRecord::Commit(end) if Some(end.coordinator_epoch.into()) == coordinator_epoch)
            );
        }
        "ABORT" => {
            assert!(
                matches!(control, ControlRecord::Abort(end) if Some(end.coordinator_epoch.into()) == coordinator_epoch)
            );
        }
        _ => assert!(matches!(control, ControlRecord::Other { .. }), "{name}: {control:?}"),
    }
}

fn check_batch(name: &str, batch: &Batch<'_>, entry: &Value, expected: &Value) {
    check_header(name, batch, expected);
    let crc_valid = expected["crc_valid"] == true;
    let mut scratch = Scratch::new();
    if !crc_valid {
        let strict = ReadOptions::default();
        let opened = batch.open(&mut scratch, &strict).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        assert!(opened.is_err(), "{name}: a wrong checksum was accepted");
    }
    let options = ReadOptions { check_crc: crc_valid, ..ReadOptions::default() };
    let read = batch.open(&mut scratch, &options).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    if !expected["decode_error"].is_null() {
        assert!(read.is_err(), "{name}: Java fails with {}", expected["decode_error"]);
        return;
    }
    let records = read.unwrap_or_else(|error| panic!("{name}: {error}"));
    let expected_records = expected["records"].as_array().unwrap();
    assert_eq!(records.len(), expected_records.len(), "{name}: number of records");
    for (record, expected) in records.iter().zip(expected_records) {
        check_record(name, batch, record, expected);
        if expected["control_type"].is_string() {
            check_control(name, batch, entry, expected);
        }
    }
}

fn check_file(file: &str, at_least: usize) {
    let entries = vectors(file);
    assert!(entries.len() >= at_least);
    for entry in &entries {
        let name = text(entry, "name");
        let buffer = bytes(text(entry, "hex"));
        if entry["expect"] == "error" {
            let outcome = Batches::new(&buffer).try_for_each(|batch| {
                let mut scratch = Scratch::new();
                batch?.open(&mut scratch, &ReadOptions::default())?.try_for_each(|record| record.map(drop))
            });
            assert!(outcome.is_err(), "{name}: must be an error");
            continue;
        }
        let batches: Vec<_> = Batches::new(&buffer).collect::<Result<_, _>>().unwrap();
        let expected = entry["batches"].as_array().unwrap();
        assert_eq!(batches.len(), expected.len(), "{name}: number of batches");
        for (batch, expected) in batches.iter().zip(expected) {
            check_batch(name, batch, entry, expected);
        }
    }
}

#[test]
fn format_2_reads_as_in_java() {
    check_file(include_str!("vectors/records_v2.json"), 31);
}

#[test]
fn formats_0_and_1_read_as_in_java() {
    check_file(include_str!("vectors/records_legacy.json"), 15);
}

#[test]
fn transactions_are_filtered_as_in_java() {
    let entries = vectors(include_str!("vectors/fetch_transactions.json"));
    assert!(entries.len() >= 10);
    for entry in &entries {
        for (committed, visible, next) in [
            (true, "visible_read_committed", "next_offset_read_committed"),
            (false, "visible_read_uncommitted", "next_offset_read_uncommitted"),
        ] {
            let buffer = bytes(text(entry, "hex"));
            let aborted = entry["aborted_transactions"].as_array().unwrap().iter().map(|transaction| {
                AbortedTransaction {
                    first_offset: int(transaction, "first_offset"),
                    producer_id: int(transaction, "producer_id"),
                }
            });
            let mut filter = AbortedFilter::new(aborted.filter(|_| committed));
            let options = ReadOptions::default();
            let mut scratch = Scratch::new();
            let fetch_offset = int(entry, "fetch_offset");
            let (mut seen, mut position) = (Vec::new(), fetch_offset);
            for batch in Batches::new(&buffer) {
                let batch = batch.unwrap();
                position = batch.next_offset();
                if !filter.is_visible(&batch, &options).unwrap() {
                    continue;
                }
                for record in batch.open(&mut scratch, &options).unwrap() {
                    seen.extend(Some(record.unwrap().offset).filter(|offset| *offset >= fetch_offset));
                }
            }
            let expected: Vec<i64> =
                entry[visible].as_array().unwrap().iter().map(|offset| offset.as_i64().unwrap()).collect();
            assert_eq!(seen, expected, "{}: {visible}", text(entry, "name"));
            assert_eq!(position, int(entry, next), "{}: {next}", text(entry, "name"));
        }
    }
}

fn generated(kind: &str, len: usize) -> Vec<u8> {
    let mut state = 12_345i64;
    (0..len)
        .map(|index| {
            if kind == "zeros" {
                return 0;
            }
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let letter = b"abcdefgh"[((state as u64 >> 33) & 7) as usize];
            if (index / 64) % 2 == 0 { b'z' } else { letter }
        })
        .collect()
}

fn plain(entry: &Value) -> Vec<u8> {
    match entry["plain_gen"].as_str() {
        Some(kind) => generated(kind, usize::try_from(int(entry, "plain_len")).unwrap()),
        None => bytes(text(entry, "plain_hex")),
    }
}

#[test]
fn compressed_streams_read_as_in_java() {
    let entries = vectors(include_str!("vectors/codecs.json"));
    assert!(entries.len() >= 26);
    let mut decompressor = Decompressor::new();
    let mut out = Vec::new();
    for entry in &entries {
        let name = text(entry, "name");
        let codec: Compression = text(entry, "codec").parse().unwrap();
        let input = bytes(text(entry, "hex"));
        let limit = 16 << 20;
        let read = if int(entry, "magic") == 0 {
            decompressor.decompress_format_0(codec, &input, &mut out, limit)
        } else {
            decompressor.decompress(codec, &input, &mut out, limit)
        };
        assert_eq!(read.is_ok(), entry["java_decodes"] == true, "{name}: {read:?}");
        if read.is_ok() {
            assert_eq!(out, plain(entry), "{name}");
        }
        if read.is_ok() && !out.is_empty() {
            let limit = out.len() - 1;
            let mut out = Vec::new();
            assert!(
                decompressor.decompress_format_0(codec, &input, &mut out, limit).is_err(),
                "{name}: beyond the limit"
            );
            assert!(out.len() <= limit + 1, "{name}");
            decompressor.decompress_format_0(codec, &input, &mut out, limit + 1).unwrap();
        }
    }
}
