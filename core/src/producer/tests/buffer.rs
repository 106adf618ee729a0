//! The data plane.

use std::{vec, vec::Vec};

use klamm_protocol::records::RecordRef;

use crate::producer::{AppendError, BatchId, PartitionBuffer, ProducerConfig, Signal};

fn record(value: &[u8]) -> RecordRef<'_> {
    RecordRef { value: Some(value), timestamp: 1, ..RecordRef::default() }
}

fn append(buffer: &mut PartitionBuffer, value: &[u8]) -> u32 {
    buffer.append(&record(value)).unwrap().index
}

fn buffer(batch_size: usize) -> PartitionBuffer {
    PartitionBuffer::new(&ProducerConfig { batch_size, ..ProducerConfig::default() })
}

#[test]
fn a_batch_signals_that_it_was_opened_and_nothing_more_until_it_is_full() {
    let mut buffer = buffer(500);
    let mut signals = Vec::new();
    while signals.len() < 40 {
        let appended = buffer.append(&record(b"twenty bytes of data")).unwrap();
        signals.push((appended.batch, appended.index, appended.signal));
    }
    for pair in signals.windows(2) {
        let [(batch, index, _), (next, next_index, signal)] = *pair else { panic!() };
        if batch == next {
            assert_eq!((next_index, signal), (index + 1, Signal::Quiet));
        } else {
            assert_eq!((next, next_index, signal), (batch.next(), 0, Signal::Opened));
        }
    }
    assert_eq!(signals[0], (BatchId(0), 0, Signal::Opened));
    assert!(signals.last().unwrap().0 > BatchId(1));
}

#[test]
fn batches_are_taken_in_order_and_never_exceed_the_batch_size() {
    let mut buffer = buffer(500);
    let counts = (0..100).map(|_| buffer.append(&record(b"twenty bytes of data")).unwrap().batch);
    let appended: Vec<_> = counts.collect();
    let mut taken = Vec::new();
    while let Some(batch) = buffer.take() {
        assert!(batch.encoder.len() <= 500);
        taken.extend(vec![batch.batch; batch.encoder.count().unsigned_abs() as usize]);
    }
    assert_eq!(taken, appended);
    assert!(buffer.is_empty());
}

#[test]
fn a_record_larger_than_a_batch_gets_one_of_its_own() {
    let mut buffer = buffer(500);
    append(&mut buffer, b"small");
    let large = buffer.append(&record(&[b'x'; 2000])).unwrap();
    assert_eq!((large.batch, large.index, large.signal), (BatchId(1), 0, Signal::OpenedFull));
    let after = buffer.append(&record(b"small")).unwrap();
    assert_eq!((after.batch, after.signal), (BatchId(2), Signal::Opened));
    assert_eq!(buffer.take().unwrap().encoder.count(), 1);
    assert_eq!(buffer.take().unwrap().encoder.count(), 1);
}

#[test]
fn a_record_larger_than_a_request_is_refused_and_changes_nothing() {
    let mut buffer =
        PartitionBuffer::new(&ProducerConfig { max_request_size: 2048, ..ProducerConfig::default() });
    append(&mut buffer, b"small");
    let before = buffer.bytes();
    let error = buffer.append(&record(&[0; 2048])).unwrap_err();
    assert!(matches!(error, AppendError::RecordTooLarge { size: 2048.., max_request_size: 2048 }), "{error}");
    assert_eq!(buffer.bytes(), before);
    assert_eq!(buffer.append(&record(b"small")).unwrap().index, 1);
}

#[test]
fn a_batch_that_is_exactly_full_is_closed_at_once() {
    let len = {
        let mut probe = buffer(10_000);
        append(&mut probe, b"0123456789");
        append(&mut probe, b"0123456789");
        probe.bytes()
    };
    let mut buffer = buffer(len);
    assert_eq!(buffer.append(&record(b"0123456789")).unwrap().signal, Signal::Opened);
    let second = buffer.append(&record(b"0123456789")).unwrap();
    assert_eq!((second.signal, second.room), (Signal::Full, 0));
    assert_eq!(buffer.append(&record(b"0123456789")).unwrap().batch, BatchId(1));
}

#[test]
fn reported_bytes_add_up_and_return_to_zero() {
    let mut buffer = buffer(500);
    let reported: usize =
        (0..50).map(|_| buffer.append(&record(b"twenty bytes of data")).unwrap().bytes).sum();
    assert_eq!(buffer.bytes(), reported);
    let first = buffer.next_len();
    assert_eq!(buffer.take().unwrap().encoder.len(), first);
    assert_eq!(buffer.bytes(), reported - first);
    let rest = buffer.bytes();
    assert_eq!(buffer.discard(BatchId(u64::MAX)), rest);
    assert_eq!((buffer.bytes(), buffer.next_len()), (0, 0));
}

#[test]
fn discarding_stops_at_the_batch_that_was_named() {
    let mut buffer = buffer(500);
    for _ in 0..50 {
        append(&mut buffer, b"twenty bytes of data");
    }
    buffer.discard(BatchId(0));
    assert_eq!(buffer.take().unwrap().batch, BatchId(1));
    buffer.discard(BatchId(0));
    assert_eq!(buffer.take().unwrap().batch, BatchId(2));
}
