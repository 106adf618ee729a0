//! What a reader shows of a chunk.

use std::{vec, vec::Vec};

use bytes::{Bytes, BytesMut};
use klamm_protocol::{
    compression::Compression,
    records::{
        Assignment, BatchEncoder, BatchLimits, ControlRecord, EndTransaction, Header, ReadOptions, RecordRef,
        Scratch, Stamp, Timestamps, assign,
    },
};

use super::ChunkReader;
use crate::{
    PartitionIndex,
    consumer::{
        Aborted, AssignmentEpoch, Chunk, Isolation, Ticket,
        headers::{self, Walk},
    },
};

const HEADERS: &[Header<'static>] =
    &[Header { key: "h", value: Some(b"1") }, Header { key: "h", value: None }];

fn at(bytes: &[u8], base_offset: i64) -> BytesMut {
    let mut bytes = BytesMut::from(bytes);
    assign(&mut bytes, &Assignment { base_offset, leader_epoch: 7, timestamps: Timestamps::Keep }).unwrap();
    bytes
}

fn data(base_offset: i64, values: &[&str], compression: Compression, transaction: Option<i64>) -> BytesMut {
    let mut encoder = BatchEncoder::new(BatchLimits::default());
    for value in values {
        let (key, value) = (Some(&b"key"[..]), Some(value.as_bytes()));
        encoder.append(&RecordRef { key, value, headers: HEADERS, timestamp: 5 }).unwrap();
    }
    let stamp = transaction.map_or_else(Stamp::default, |producer_id| Stamp {
        producer_id,
        producer_epoch: 0,
        base_sequence: 0,
        transactional: true,
        ..Stamp::default()
    });
    at(&encoder.seal(compression).to_bytes(&stamp), base_offset)
}

fn marker(offset: i64, producer_id: i64, commit: bool) -> BytesMut {
    let end = EndTransaction { coordinator_epoch: 0 };
    let record = if commit { ControlRecord::Commit(end) } else { ControlRecord::Abort(end) };
    at(&record.encode_batch(producer_id, 0, 5).unwrap(), offset)
}

fn chunk(from_offset: i64, next_offset: i64, batches: &[BytesMut]) -> Chunk {
    let data: Vec<u8> = batches.iter().flat_map(|batch| batch.iter().copied()).collect();
    let ticket =
        Ticket { partition: PartitionIndex(0), epoch: AssignmentEpoch(1), response: 1, bytes: data.len() };
    Chunk {
        ticket,
        from_offset,
        next_offset,
        leader_epoch: 7,
        data: Bytes::from(data),
        isolation: Isolation::ReadUncommitted,
        aborted: vec![],
        high_watermark: next_offset,
        last_stable_offset: next_offset,
        log_start_offset: 0,
    }
}

/// Offsets and values, as borrowed and as owned records.
fn read(chunk: &Chunk) -> Vec<(i64, Vec<u8>)> {
    let mut scratch = Scratch::new();
    let mut borrowed = Vec::new();
    let mut reader = ChunkReader::new(chunk, ReadOptions::default());
    while let Some(batch) = reader.next_batch(&mut scratch) {
        for record in batch.unwrap() {
            let record = record.unwrap();
            borrowed.push((record.offset, record.value.unwrap_or_default().to_vec()));
        }
    }
    assert_eq!(reader.next_offset(), chunk.next_offset);
    assert_eq!(reader.leader_epoch(), chunk.leader_epoch);
    let mut owned = Vec::new();
    let mut reader = ChunkReader::new(chunk, ReadOptions::default());
    while let Some(batch) = reader.next_owned(&mut scratch) {
        for record in batch.unwrap().iter_owned() {
            let record = record.unwrap();
            owned.push((record.offset, record.value.unwrap_or_default().to_vec()));
        }
    }
    assert_eq!(reader.next_offset(), chunk.next_offset);
    assert_eq!(borrowed, owned);
    borrowed
}

fn offsets(chunk: &Chunk) -> Vec<i64> {
    read(chunk).into_iter().map(|(offset, _)| offset).collect()
}

#[test]
fn records_below_the_offset_that_was_asked_for_are_left_out() {
    for compression in [Compression::None, Compression::Lz4, Compression::Gzip] {
        let batches = [data(10, &["a", "b", "c"], compression, None), data(13, &["d"], compression, None)];
        assert_eq!(read(&chunk(12, 14, &batches)), [(12, b"c".to_vec()), (13, b"d".to_vec())]);
        assert_eq!(offsets(&chunk(13, 14, &batches)), [13]);
    }
}

#[test]
fn markers_are_left_out_unless_they_are_to_be_shown() {
    let all =
        chunk(0, 3, &[data(0, &["a"], Compression::None, Some(4)), marker(1, 4, true), marker(2, 4, false)]);
    assert_eq!(offsets(&all), [0]);
    let mut reader = ChunkReader::new(&all, ReadOptions::default()).show_control(true);
    let mut scratch = Scratch::new();
    let mut control = Vec::new();
    while let Some(batch) = reader.next_batch(&mut scratch) {
        control.push(batch.unwrap().batch().is_control());
    }
    assert_eq!(control, [false, true, true]);
}

/// A batch with its records taken away, as compaction leaves it. Its checksum is that of before.
fn emptied(batch: &[u8]) -> BytesMut {
    const HEADER: usize = 61;
    let mut bytes = BytesMut::from(&batch[..HEADER]);
    bytes[8..12].copy_from_slice(&49_i32.to_be_bytes());
    bytes[HEADER - 4..].copy_from_slice(&0_i32.to_be_bytes());
    bytes
}

#[test]
fn a_marker_whose_record_was_compacted_away_is_gone_past() {
    let batches = [emptied(&marker(0, 4, false)), data(1, &["a"], Compression::None, None)];
    let unchecked = ReadOptions { check_crc: false, ..ReadOptions::default() };
    for aborted in [None, Some(&[Aborted { producer_id: 4, first_offset: 0 }][..])] {
        let data = Bytes::from(batches.concat());
        let reader = || ChunkReader::over(data.clone(), 0, aborted, unchecked).show_control(true);
        let (mut scratch, mut first, mut second) = (Scratch::new(), reader(), reader());
        assert_eq!(first.next_batch(&mut scratch).unwrap().unwrap().batch().base_offset(), 1);
        assert_eq!(second.next_owned(&mut scratch).unwrap().unwrap().control(), None);
        assert_eq!((first.next_offset(), second.next_offset()), (2, 2));
    }
}

#[test]
fn a_malformed_marker_that_is_to_be_shown_ends_the_reading() {
    let good = marker(0, 4, true);
    let mut bytes = good[..good.len() - 8].to_vec();
    let length = i32::try_from(bytes.len()).unwrap() - 12;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let unchecked = ReadOptions { check_crc: false, ..ReadOptions::default() };
    let reader = || ChunkReader::over(bytes.clone().into(), 0, None, unchecked).show_control(true);
    let mut scratch = Scratch::new();
    assert!(reader().next_batch(&mut scratch).unwrap().is_err());
    assert!(reader().next_owned(&mut scratch).unwrap().is_err());
}

#[test]
fn batches_that_own_their_bytes_say_what_they_are_and_take() {
    let batches = [
        data(0, &["a"], Compression::None, Some(4)),
        marker(1, 4, true),
        data(2, &["a"; 50], Compression::Lz4, None),
    ];
    let all = chunk(0, 52, &batches);
    let mut reader = ChunkReader::new(&all, ReadOptions::default()).show_control(true);
    let mut scratch = Scratch::new();
    let mut seen = Vec::new();
    while let Some(batch) = reader.next_owned(&mut scratch) {
        let batch = batch.unwrap();
        seen.push((batch.control(), batch.decompressed_bytes() > batches[2].len()));
    }
    let commit = ControlRecord::Commit(EndTransaction { coordinator_epoch: 0 });
    assert_eq!(seen, [(None, false), (Some(commit), false), (None, true)]);
}

#[test]
fn read_committed_leaves_out_what_was_aborted_and_goes_past_it() {
    let batches = [
        data(0, &["lost"], Compression::None, Some(4)),
        data(1, &["kept"], Compression::None, Some(5)),
        data(2, &["plain"], Compression::None, None),
        marker(3, 4, false),
        data(4, &["next"], Compression::None, Some(4)),
        marker(5, 5, true),
        data(6, &["lost"], Compression::None, Some(9)),
    ];
    let mut all = chunk(0, 7, &batches);
    assert_eq!(offsets(&all), [0, 1, 2, 4, 6]);
    all.isolation = Isolation::ReadCommitted;
    all.aborted =
        vec![Aborted { producer_id: 9, first_offset: 6 }, Aborted { producer_id: 4, first_offset: 0 }];
    assert_eq!(offsets(&all), [1, 2, 4]);
}

#[test]
fn a_chunk_of_which_nothing_is_shown_still_moves_the_position() {
    let mut all = chunk(0, 2, &[data(0, &["lost"], Compression::None, Some(4)), marker(1, 4, false)]);
    all.isolation = Isolation::ReadCommitted;
    all.aborted = vec![Aborted { producer_id: 4, first_offset: 0 }];
    assert!(offsets(&all).is_empty());
}

#[test]
fn a_corrupt_batch_ends_reading_before_it() {
    let mut second = data(1, &["b"], Compression::None, None);
    let last = second.len() - 1;
    second[last] ^= 1;
    let all = chunk(0, 2, &[data(0, &["a"], Compression::None, None), second]);
    let mut reader = ChunkReader::new(&all, ReadOptions::default());
    let mut scratch = Scratch::new();
    assert_eq!(reader.next_batch(&mut scratch).unwrap().unwrap().count(), 1);
    let corrupt = reader.next_batch(&mut scratch).unwrap().unwrap_err();
    assert_eq!(corrupt.batch_offset, Some(1));
    assert_eq!(reader.next_offset(), 1);
    assert!(reader.next_batch(&mut scratch).is_none());
    // Without the check it is what it is.
    let unchecked = ReadOptions { check_crc: false, ..ReadOptions::default() };
    let mut reader = ChunkReader::new(&all, unchecked);
    while let Some(batch) = reader.next_batch(&mut scratch) {
        batch.unwrap();
    }
    assert_eq!(reader.next_offset(), 2);
}

#[test]
fn a_batch_says_how_far_it_was_read() {
    let all = chunk(1, 3, &[data(0, &["a", "b", "c"], Compression::None, None)]);
    let mut reader = ChunkReader::new(&all, ReadOptions::default());
    let mut scratch = Scratch::new();
    let mut batch = reader.next_batch(&mut scratch).unwrap().unwrap();
    assert_eq!(batch.next_offset(), 1);
    assert_eq!(batch.next().unwrap().unwrap().offset, 1);
    assert_eq!(batch.next_offset(), 2);
}

#[test]
fn owned_records_share_the_memory_of_the_response() {
    let all = chunk(0, 1, &[data(0, &["value"], Compression::None, None)]);
    let mut reader = ChunkReader::new(&all, ReadOptions::default());
    let batch = reader.next_owned(&mut Scratch::new()).unwrap().unwrap();
    let record = batch.iter_owned().next().unwrap().unwrap();
    assert_eq!(record.key.as_deref(), Some(&b"key"[..]));
    assert_eq!(record.value.as_deref(), Some(&b"value"[..]));
    assert_eq!(record.headers.len(), 2);
    assert_eq!((&*record.headers[1].key, &record.headers[1].value), ("h", &None));
    assert!(all.data.as_ptr_range().contains(&record.value.unwrap().as_ptr()));
}

/// Logs with interleaved transactions, as the Java client sees them.
#[test]
fn transactions_are_seen_as_the_java_client_sees_them() {
    let text = include_str!("../../../../protocol/tests/vectors/fetch_transactions.json");
    let entries: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    assert_eq!(entries.len(), 10);
    for entry in entries {
        let hex = entry["hex"].as_str().unwrap();
        let data: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let aborted = entry["aborted_transactions"].as_array().unwrap().iter().map(|each| Aborted {
            producer_id: each["producer_id"].as_i64().unwrap(),
            first_offset: each["first_offset"].as_i64().unwrap(),
        });
        let aborted: Vec<Aborted> = aborted.collect();
        for (isolation, name) in
            [(Isolation::ReadUncommitted, "uncommitted"), (Isolation::ReadCommitted, "committed")]
        {
            let next_offset = entry[std::format!("next_offset_read_{name}")].as_i64().unwrap();
            let mut all =
                chunk(entry["fetch_offset"].as_i64().unwrap(), next_offset, &[BytesMut::from(&data[..])]);
            let Walk::Batches { next, .. } = headers::walk(&data) else { panic!("no batches") };
            assert_eq!(next.offset, next_offset);
            all.leader_epoch = next.epoch;
            all.isolation = isolation;
            all.aborted.clone_from(&aborted);
            let visible: Vec<i64> =
                serde_json::from_value(entry[std::format!("visible_read_{name}")].clone()).unwrap();
            assert_eq!(offsets(&all), visible, "{} {name}", entry["name"]);
        }
    }
}
