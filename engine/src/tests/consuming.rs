//! How a consumer is read: in parts, record by record, as streams, and one partition for itself.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

use super::Bench;
use crate::{
    ConsumeError, Consumer, ConsumerBuilder, Event, FetchedBatch, SeekError, StartAt, StreamEnd, Value,
    records::FromBytes,
};

/// A consumer of partitions 0 and 1, which have 10 records each and were fetched, 0 first.
fn consumer(bench: &mut Bench, configure: impl FnOnce(ConsumerBuilder) -> ConsumerBuilder) -> Consumer {
    bench.broker.leaders = vec![1, 1];
    bench.broker.records = 10;
    let consumer = configure(bench.kafka.consumer()).build().unwrap();
    // The first fetch begins with the second of its partitions.
    consumer.assign([("t", 1, StartAt::Offset(0)), ("t", 0, StartAt::Offset(0))]);
    bench.wait(1_000);
    consumer
}

/// Longer than a fetch may be unanswered, as the broker leaves those for which it has nothing.
const A_WHILE: u64 = 32_000;

fn next<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

fn offsets(batch: &FetchedBatch) -> Vec<i64> {
    batch.records().map(|record| record.offset).collect()
}

/// The batches that are there, with their partitions.
fn batches(next: impl Fn() -> Option<Result<Event, ConsumeError>>) -> Vec<(i32, Vec<i64>)> {
    let mut batches = Vec::new();
    while let Some(event) = next() {
        if let Event::Batch(batch) = event.unwrap() {
            batches.push((batch.partition(), offsets(&batch)));
        }
    }
    batches
}

#[test]
fn what_was_fetched_is_handed_out_in_parts_of_so_many_records() {
    let mut bench = Bench::new();
    let consumer = consumer(&mut bench, |builder| builder.max_poll_records(4));
    let mut next_offset = [0, 0];
    for (partition, offsets) in batches(|| consumer.try_next()) {
        assert!((1..=4).contains(&offsets.len()));
        for offset in offsets {
            let next = &mut next_offset[usize::try_from(partition).unwrap()];
            assert_eq!(offset, *next);
            *next += 1;
        }
    }
    assert_eq!(next_offset, [10, 10]);
}

#[test]
fn a_part_moves_the_position_as_far_as_it_goes() {
    let mut bench = Bench::new();
    let consumer = consumer(&mut bench, |builder| builder.max_poll_records(4));
    let Some(Ok(Event::Batch(first))) = consumer.try_next() else { panic!("no batch") };
    assert_eq!((first.partition(), first.from_offset(), first.next_offset()), (0, 0, 4));
    assert_eq!(consumer.position("t", 0), Some(4));
    let Some(Ok(Event::Batch(second))) = consumer.try_next() else { panic!("no batch") };
    assert_eq!((second.partition(), second.from_offset(), second.next_offset()), (0, 4, 8));
    assert_eq!(offsets(&second), [4, 5, 6, 7]);
    consumer.seek("t", 0, StartAt::Offset(70)).unwrap();
    let left = batches(|| consumer.try_next());
    assert!(left.iter().all(|(partition, _)| *partition == 1), "nothing of before the seek: {left:?}");
    assert_eq!(consumer.position("t", 0), Some(70));
}

#[test]
fn a_part_is_bounded_by_bytes_but_has_one_record() {
    let mut bench = Bench::new();
    let consumer = consumer(&mut bench, |builder| builder.max_poll_bytes(3));
    let lengths = batches(|| consumer.try_next()).into_iter().map(|(_, offsets)| offsets.len());
    assert_eq!(lengths.collect::<Vec<_>>(), [3, 3, 3, 1, 3, 3, 3, 1]);
    drop(consumer);
    let consumer = self::consumer(&mut bench, |builder| builder.max_poll_bytes(0));
    assert_eq!(batches(|| consumer.try_next()).len(), 20);
}

#[test]
fn records_come_one_by_one_and_move_the_position_one_by_one() {
    let mut bench = Bench::new();
    let consumer = consumer(&mut bench, |builder| builder);
    let mut records = consumer.records();
    for offset in 0..3 {
        let Poll::Ready(Some(Ok(record))) = next(&mut records) else { panic!("no record") };
        assert_eq!((record.partition, record.offset), (0, offset));
        assert_eq!(record.value_as::<&[u8]>().unwrap(), [u8::try_from(offset).unwrap()]);
        assert_eq!(consumer.position("t", 0), Some(offset + 1));
    }
    drop(records);
    let left = batches(|| consumer.try_next());
    assert_eq!(left, [(0, (3..10).collect()), (1, (0..10).collect())], "what it did not give");
}

#[test]
fn a_record_of_before_a_seek_does_not_come_after_it() {
    let mut bench = Bench::new();
    let consumer = consumer(&mut bench, |builder| builder);
    let mut records = consumer.records();
    assert!(matches!(next(&mut records), Poll::Ready(Some(Ok(record))) if record.offset == 0));
    consumer.seek("t", 0, StartAt::Offset(70)).unwrap();
    let Poll::Ready(Some(Ok(record))) = next(&mut records) else { panic!("no record") };
    assert_eq!((record.partition, record.offset), (1, 0));
    assert_eq!(consumer.position("t", 0), Some(70));
}

#[test]
fn a_stream_of_batches_ends_when_the_consumer_is_closed() {
    let mut bench = Bench::new();
    let consumer = consumer(&mut bench, |builder| builder);
    let mut stream = consumer.batches();
    for partition in [0, 1] {
        let Poll::Ready(Some(Ok(batch))) = next(&mut stream) else { panic!("no batch") };
        assert_eq!((batch.partition(), offsets(&batch).len()), (partition, 10));
    }
    assert!(next(&mut stream).is_pending());
    consumer.close();
    assert!(matches!(next(&mut stream), Poll::Ready(None)));
}

#[test]
fn a_partition_is_read_for_itself() {
    let mut bench = Bench::new();
    let consumer = consumer(&mut bench, |builder| builder);
    let zero = consumer.partition_stream("t", 0).unwrap();
    assert_eq!(
        batches(|| consumer.try_next()),
        [(1, (0..10).collect())],
        "what was fetched before moves too"
    );
    assert_eq!(batches(|| zero.try_next()), [(0, (0..10).collect())]);
    zero.seek(StartAt::Offset(5)).unwrap();
    bench.wait(A_WHILE);
    assert!(batches(|| consumer.try_next()).is_empty());
    assert_eq!(batches(|| zero.try_next()), [(0, (5..10).collect())]);
    assert_eq!(zero.position(), Some(10));
}

#[test]
fn a_partition_has_one_stream_and_only_if_it_is_assigned() {
    let mut bench = Bench::new();
    let consumer = consumer(&mut bench, |builder| builder);
    let zero = consumer.partition_stream("t", 0).unwrap();
    assert!(consumer.partition_stream("t", 0).unwrap_err().assigned);
    assert!(!consumer.partition_stream("t", 9).unwrap_err().assigned);
    drop(zero);
    assert!(consumer.partition_stream("t", 0).is_ok());
}

#[test]
fn what_a_dropped_stream_did_not_give_comes_from_the_consumer() {
    let mut bench = Bench::new();
    let consumer = consumer(&mut bench, |builder| builder.max_poll_records(6));
    let zero = consumer.partition_stream("t", 0).unwrap();
    assert!(matches!(zero.try_next(), Some(Ok(Event::Batch(batch))) if batch.next_offset() == 6));
    let mut records = zero.into_records();
    assert!(matches!(next(&mut records), Poll::Ready(Some(Ok(record))) if record.offset == 6));
    drop(records);
    let mut left = batches(|| consumer.try_next());
    left.sort_unstable();
    assert_eq!(left, [(0, vec![7, 8, 9]), (1, (0..6).collect()), (1, (6..10).collect())]);
}

#[test]
fn a_stream_ends_with_its_partition_and_says_why() {
    let mut bench = Bench::new();
    let consumer = consumer(&mut bench, |builder| builder);
    let mut zero = consumer.partition_stream("t", 0).unwrap();
    let mut one = consumer.partition_stream("t", 1).unwrap();
    assert_eq!((zero.ended(), one.ended()), (None, None));
    consumer.unassign([("t", 0)]);
    assert_eq!(zero.ended(), Some(StreamEnd::Unassigned));
    assert!(matches!(next(&mut zero), Poll::Ready(None)), "nothing that waited is handed out");
    assert!(matches!(zero.try_next(), Some(Err(ConsumeError::Ended(StreamEnd::Unassigned)))));
    assert!(zero.seek(StartAt::Offset(0)).is_err());
    consumer.assign([("t", 0, StartAt::Offset(0))]);
    assert!(zero.seek(StartAt::Offset(0)).is_err(), "the assignment is another one");
    consumer.close();
    assert_eq!(one.ended(), Some(StreamEnd::Closed));
    assert!(matches!(next(&mut one), Poll::Ready(None)));
    assert_eq!(zero.ended(), Some(StreamEnd::Unassigned), "the first reason stays");
}

#[test]
fn a_stream_that_ends_gives_its_memory_back() {
    let mut bench = Bench::new();
    let consumer = consumer(&mut bench, |builder| builder.max_poll_records(1).buffer_memory(1_024));
    let zero = consumer.partition_stream("t", 0).unwrap();
    // One chunk is open and one may wait: both go with the stream.
    drop(zero.try_next());
    consumer.unassign([("t", 0), ("t", 1)]);
    consumer.assign([("t", 0, StartAt::Offset(0))]);
    bench.wait(A_WHILE);
    assert_eq!(batches(|| consumer.try_next()).len(), 10);
}

#[test]
fn a_position_is_moved_from_where_it_is() {
    let mut bench = Bench::new();
    let consumer = consumer(&mut bench, |builder| builder);
    assert!(matches!(consumer.seek_by("t", 7, 1), Err(SeekError::NotAssigned(_))));
    drop(batches(|| consumer.try_next()));
    assert_eq!(consumer.position("t", 0), Some(10));
    consumer.seek_by("t", 0, -3).unwrap();
    assert_eq!(consumer.position("t", 0), None, "its broker is asked whether that is there");
    assert!(matches!(consumer.seek_by("t", 0, -3), Err(SeekError::NoPosition { .. })));
    bench.wait(A_WHILE);
    assert_eq!(batches(|| consumer.try_next()), [(0, vec![7, 8, 9])]);
}

#[test]
fn partitions_are_assigned_by_the_names_of_their_topics_also_those_that_come_later() {
    let mut bench = Bench::new();
    bench.broker.leaders = vec![1, 1];
    bench.broker.records = 10;
    let matching = |pattern| bench.kafka.consumer().assign_matching(pattern, StartAt::Offset(5));
    assert!(matching("t(").build().unwrap_err().to_string().contains("assign_matching"));
    let (consumer, other) = (matching("[st]").build().unwrap(), matching("s|tt").build().unwrap());
    bench.wait(1_000);
    assert_eq!((consumer.assignment().len(), other.assignment().len()), (2, 0));
    let mut first = batches(|| consumer.try_next());
    first.sort_unstable();
    assert_eq!(first, [(0, (5..10).collect()), (1, (5..10).collect())]);
    bench.broker.leaders = vec![1, 1, 1];
    // Losing a connection is a reason to ask for metadata.
    bench.connections.clear();
    bench.wait(A_WHILE);
    assert_eq!(batches(|| consumer.try_next()), [(2, (0..10).collect())], "nothing of it is missed");
    assert_eq!(consumer.position("t", 0), Some(10), "the others go on where they were");
}

#[test]
fn numbers_are_written_as_they_are_read() {
    fn through<'a, T: FromBytes<'a>>(value: &'a Value<'static>) -> T {
        T::from_bytes(Some(value.as_bytes())).unwrap()
    }
    assert_eq!(through::<i64>(&(-2_i64).into()), -2);
    assert_eq!(through::<i32>(&258_i32.into()), 258);
    assert_eq!(through::<i16>(&(-1_i16).into()), -1);
    assert_eq!(through::<f64>(&1.25_f64.into()).to_bits(), 1.25_f64.to_bits());
    assert!(through::<bool>(&true.into()));
    assert_eq!(Value::from(258_i32).as_bytes(), [0, 0, 1, 2]);
    assert_eq!(Value::from(7_u64).into_owned().as_bytes(), [0, 0, 0, 0, 0, 0, 0, 7]);
}
